"""Statistics of feature groups and training data: those the client computed, and on demand those of
a feature group."""

from __future__ import annotations

import operator
import time
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.feature_store import queries, shapes
from local_hopsworks.feature_store import training_datasets as training
from local_hopsworks.feature_store.errors import STATISTICS_NOT_FOUND
from local_hopsworks.feature_store.tables import feature_groups, training_datasets
from local_hopsworks.feature_store.tables import statistics as table
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.jobs import jobs
from local_hopsworks.offline import history
from local_hopsworks.tags import routes as tags

routes = Routes()
_GROUP = groups.PATH + "/{id}/statistics"
_TRAINING = training.VERSION + "/statistics"
_OPTIONS = (
    "offset",
    "limit",
    "fields",
    "sort_by",
    "filter_by",
    "feature_names",
    "training_dataset_version",
)
# What the SDK filters by: a field of the document, and how it compares
_FIELDS = {
    "computation_time": "computationTime",
    "row_percentage": "rowPercentage",
    "before_transformation": "beforeTransformation",
    "window_start_commit_time": "windowStartCommitTime",
    "window_end_commit_time": "windowEndCommitTime",
}
_COMPARISONS = {"eq": operator.eq, "ltoeq": operator.le, "gtoeq": operator.ge}


def _register(call: Call, owner: str) -> Answer:
    document = {"computationTime": int(time.time() * 1000), **call.document}
    call.db.execute(table.insert().values(owner=owner, document=document))
    return document


def _stored(call: Call, owner: str) -> list[dict[str, Any]]:
    """Newest first."""
    query = sa.select(table.c.document).where(table.c.owner == owner).order_by(table.c.id.desc())
    return list(call.db.scalars(query))


def _found(call: Call, documents: list[dict[str, Any]]) -> Answer:
    """Those that the call asks for."""
    for entry in call.query.getlist("filter_by"):
        name, _, text = entry.partition(":")
        field, _, comparison = name.rpartition("_")
        if field not in _FIELDS or comparison not in _COMPARISONS:
            raise NotEmbedded(f"statistics chosen by {name[:80]!r}")
        try:
            asked = float({"true": 1, "false": 0}.get(text.lower(), text))
        except ValueError as error:
            raise HopsworksError(
                f"Statistics are chosen by numbers, {name[:80]!r} not by {text[:80]!r}."
            ) from error
        documents = [
            document
            for document in documents
            if _matches(document, _FIELDS[field], comparison, asked)
        ]
    documents.sort(key=lambda document: -(document.get("computationTime") or 0))
    start, limit = call.number("offset") or 0, call.number("limit")
    documents = documents[start : None if limit is None else start + limit]
    if not documents:
        raise NotFound("There are no such statistics.", STATISTICS_NOT_FOUND)
    names = set(call.query.getlist("feature_names"))
    return items(
        [
            _shortened(document, names, with_content=call.option("fields") == "content")
            for document in documents
        ]
    )


def _matches(document: dict[str, Any], field: str, comparison: str, asked: float) -> bool:
    ours = document.get(field, {"rowPercentage": 1.0, "beforeTransformation": False}.get(field))
    return ours is not None and bool(_COMPARISONS[comparison](float(ours), asked))


def _shortened(document: dict[str, Any], names: set[str], *, with_content: bool) -> dict[str, Any]:
    if not with_content:
        return {
            key: value
            for key, value in document.items()
            if key not in ("featureDescriptiveStatistics", "splitStatistics")
        }
    features = document.get("featureDescriptiveStatistics")
    if not names or features is None:
        return document
    return {
        **document,
        "featureDescriptiveStatistics": [
            feature for feature in features if feature.get("featureName") in names
        ],
    }


@routes.add("POST", _TRAINING, body=shapes.STATISTICS)
def register_of_training_data(call: Call) -> Answer:
    return _register(call, tags.owner(training_datasets, training.find(call).id))


@routes.add("GET", _TRAINING, options=_OPTIONS)
def get_of_training_data(call: Call) -> Answer:
    return _found(call, _stored(call, tags.owner(training_datasets, training.find(call).id)))


@routes.add("POST", _GROUP, body=shapes.STATISTICS)
def register(call: Call) -> Answer:
    return _register(call, tags.owner(feature_groups, groups.find(call, call.integer("id")).id))


@routes.add("GET", _GROUP, options=_OPTIONS)
def get(call: Call) -> Answer:
    """Hopsworks computes statistics after every insert. Here that is put off until somebody looks,
    so that inserts stay
    fast: whoever asks finds those of the latest commit, computed at its time. Who asks about a
    certain commit wants to know what is there; `compute_statistics` of the SDK does so first, and
    then asks for a job."""
    row = groups.find(call, call.integer("id"))
    owner = tags.owner(feature_groups, row.id)
    documents = _stored(call, owner)
    wanted = (row.document.get("statisticsConfig") or {}).get("enabled", True)
    about_a_commit = any(entry.startswith("window_") for entry in call.query.getlist("filter_by"))
    if (
        wanted
        and not about_a_commit
        and (commits := history.commits(groups.table(call, row).as_uri(), 1))
    ):
        latest = commits[0]["commitid"]
        if latest not in [document.get("windowEndCommitTime") for document in documents]:
            document = _computed(call, row, latest, latest)
            with call.hopsworks.metadata.transaction(write=True) as db:
                db.execute(table.insert().values(owner=owner, document=document))
            documents.insert(0, document)
    return _found(call, documents)


def _computed(call: Call, row: sa.Row[Any], commit: int | None, time_: int) -> dict[str, Any]:
    """Statistics of all rows as of a commit, of the features and kinds that the group's
    configuration names."""
    from local_hopsworks.offline import profile  # brings pyarrow and pandas

    config = row.document.get("statisticsConfig") or {}
    names = config.get("columns") or [feature["name"] for feature in row.document["features"]]
    query = {
        "leftFeatureGroup": {"id": row.id},
        "leftFeatureGroupEndTime": commit,
        "leftFeatures": [{"name": name} for name in names],
    }
    kinds = {kind for kind in ("histograms", "correlations", "exactUniqueness") if config.get(kind)}
    return {
        "computationTime": time_,
        "rowPercentage": 1.0,
        "beforeTransformation": False,
        "windowEndCommitTime": commit,
        "featureDescriptiveStatistics": profile.describe(
            queries.plan(call.db, call.store, call.project, query), kinds
        ),
    }


@routes.add("POST", _GROUP + "/compute", options=["start_commit_time", "end_commit_time"])
def compute(call: Call) -> Answer:
    """Statistics of all rows as of the latest commit, or an earlier one, computed before the
    answer."""
    if call.option("start_commit_time"):
        raise NotEmbedded(
            "statistics of what changed since a commit", "Leave the start of the window out."
        )
    row = groups.find(call, call.integer("id"))
    commits = history.commits(groups.table(call, row).as_uri(), 1)
    commit = call.number("end_commit_time") or (commits[0]["commitid"] if commits else None)
    document = _computed(call, row, commit, int(time.time() * 1000))
    call.db.execute(
        table.insert().values(owner=tags.owner(feature_groups, row.id), document=document)
    )
    return jobs.finished(call, f"{row.name}_{row.version}_compute_stats", "PYSPARK")
