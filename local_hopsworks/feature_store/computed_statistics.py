"""Statistics that this server computes: of a feature group as of a commit, and of training data in
files.

Hopsworks computes them after every insert. Here that is put off until they are asked for, so that
inserts stay fast: `of_group` and `of_files` do it, and until then a document says that they are
there, with everything but their content.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.feature_store import queries
from local_hopsworks.http.calls import Call
from local_hopsworks.offline import history

Document = dict[str, Any]
CONTENT = ("featureDescriptiveStatistics", "splitStatistics")
_KINDS = ("histograms", "correlations", "exactUniqueness")


def are_wanted(row: sa.Row[Any]) -> bool:
    """Whether a feature group or training dataset has statistics at all."""
    return bool((row.document.get("statisticsConfig") or {}).get("enabled", True))


def commit_until(call: Call, row: sa.Row[Any], time_: int | None = None) -> int | None:
    """The last commit of a feature group up to a time in ms since 1970, or of all."""
    found = history.commits(groups.table(call, row).as_uri(), 1, until=time_)
    return found[0]["commitid"] if found else None


def of_commits(
    call: Call, row: sa.Row[Any], until: int | None, most: int | None
) -> Iterator[Document]:
    """A document without content for each commit of a feature group up to a time, newest first."""
    for commit in history.commits(groups.table(call, row).as_uri(), most, until=until):
        yield document(commit["commitid"], commit["commitid"])


def document(computed: int, commit: int | None = None) -> Document:
    """Statistics of all rows (as of a commit), without content; `computed` is when."""
    found = {"computationTime": computed, "rowPercentage": 1.0, "beforeTransformation": False}
    return found if commit is None else {**found, "windowEndCommitTime": commit}


def of_group(call: Call, row: sa.Row[Any], commit: int | None) -> Document:
    """The content: the rows of a feature group as of a commit, of the features that its
    configuration names."""
    from local_hopsworks.offline import profile, run  # bring pyarrow and DuckDB

    config = row.document.get("statisticsConfig") or {}
    names = config.get("columns") or [feature["name"] for feature in row.document["features"]]
    query = {
        "leftFeatureGroup": {"id": row.id},
        "leftFeatureGroupEndTime": commit,
        "leftFeatures": [{"name": name} for name in names],
    }
    plan = queries.plan(call.db, call.store, call.project, query)
    rows = call.hopsworks.part(run.Engine).table(plan)
    return {"featureDescriptiveStatistics": profile.describe(rows, _kinds(config))}


def of_files(folder: Path, row: sa.Row[Any]) -> Document:
    """The content: the rows of training data in files, of each split by itself."""
    from local_hopsworks.offline import profile, training_files

    config = row.document.get("statisticsConfig") or {}
    described = {}
    for name in [split["name"] for split in row.document["splits"]] or [row.name]:
        rows = training_files.read(folder / name, row.document["dataFormat"])
        chosen = [column for column in config.get("columns") or [] if column in rows.column_names]
        described[name] = profile.describe(rows.select(chosen or rows.column_names), _kinds(config))
    if not row.document["splits"]:
        return {"featureDescriptiveStatistics": described[row.name]}
    return {
        "splitStatistics": [
            {"name": name, "featureDescriptiveStatistics": statistics}
            for name, statistics in described.items()
        ]
    }


def _kinds(config: dict[str, Any]) -> set[str]:
    return {kind for kind in _KINDS if config.get(kind)}
