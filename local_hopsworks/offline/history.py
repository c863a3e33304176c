"""What a Delta table was and what became of it: its rows as of a time, the changes in a window, its
commits.

All times are in ms since 1970.
"""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from local_hopsworks.errors import HopsworksError
from local_hopsworks.offline import archive, delta
from local_hopsworks.offline.errors import NO_DATA_AT_COMMIT_TIME
from local_hopsworks.offline.plan import Table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads

_Found = TypeVar("_Found")
_FEED = "delta.enableChangeDataFeed"
# Operations that change rows, and where their counts stand in the log; the SDK counts WRITE and
# MERGE the same way.
_CHANGES = ("rowsInserted", "rowsUpdated", "rowsDeleted")
_MOST_SEARCHED = 100  # commits
_COUNTS = {
    "WRITE": {"rowsInserted": "num_added_rows"},
    "MERGE": {
        "rowsInserted": "num_target_rows_inserted",
        "rowsUpdated": "num_target_rows_updated",
        "rowsDeleted": "num_target_rows_deleted",
    },
    "DELETE": {"rowsDeleted": "num_deleted_rows"},
}


def _in_history(
    folder: Path, name: str, find: Callable[[Any, int], _Found | None], *, rows: bool = False
) -> _Found | None:
    """What `find` finds in a table, given the first version that it may use. It looks without the
    archive if there is one, and if that is not enough (None), once more with it. `rows`: it has
    Delta read rows, not only the log."""
    with archive.held(folder):
        if first := archive.first_version(folder):
            found = find(delta.open_table(folder, name), first)
            if found is not None:
                return found
        with archive.whole(folder, rows=rows) as whole:
            return find(delta.open_table(folder, name, whole), 0)


def rows(table: Table) -> pads.Dataset | pa.RecordBatchReader:
    """Those of `table.as_of`, or those that changed after `table.since`, up to `table.as_of` if
    there is one.

    Raises NotFound if nothing was ever inserted, and HopsworksError if the table did not exist yet
    at that time.
    """
    folder = delta.must_find(table.location, table.name)
    if table.since is not None:
        return _in_history(
            folder, table.name, lambda opened, first: _changes(opened, first, table), rows=True
        )

    def as_of(opened: Any, first: int) -> pads.Dataset | None:
        versions = [
            entry["version"] for entry in opened.history() if entry["timestamp"] <= table.as_of
        ]
        if max(versions, default=-1) < first:
            return None
        opened.load_as_version(max(versions))
        return delta.rows(opened, folder, table)

    found = _in_history(folder, table.name, as_of)
    if found is None:
        problem = f"No commits found for featuregroup {table.name} up to {_iso(table.as_of or 0)}."
        raise HopsworksError(problem, NO_DATA_AT_COMMIT_TIME)
    return found


def _changes(opened: Any, first: int, table: Table) -> pa.RecordBatchReader | None:
    """Rows as they were inserted or became."""
    import pyarrow as pa
    import pyarrow.compute as pc

    history = [entry for entry in opened.history() if entry["version"] >= first]
    since, until = table.since or 0, table.as_of
    if first and (not history or history[-1]["timestamp"] > since):
        return None
    versions = [
        each["version"]
        for each in history
        if since < each["timestamp"] and (until is None or each["timestamp"] <= until)
    ]
    schema = pa.schema(opened.schema().to_arrow())
    missing = delta.missing_fields(schema, table.features)
    if not versions:
        return pa.RecordBatchReader.from_batches(pa.schema([*schema, *missing]), [])
    # Delta itself would count all rows of a rewritten file as changed
    for version in (min(versions), max(versions)):
        if type(opened)(opened.table_uri, version).metadata().configuration.get(_FEED) != "true":
            problem = (
                f"No commits found for featuregroup {table.name} that say what changed: its "
                f"{_FEED} is off."
            )
            raise HopsworksError(problem, NO_DATA_AT_COMMIT_TIME)
    changes = pa.table(
        opened.load_cdf(starting_version=min(versions), ending_version=max(versions))
    )
    is_current = pc.is_in(
        changes["_change_type"].cast(pa.string()), pa.array(["insert", "update_postimage"])
    )
    # Cast first: nothing filters the log's string views
    rows = changes.select(schema.names).cast(schema).filter(is_current)
    for field in missing:
        rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())


def commits(
    location: str, most: int | None = None, *, until: int | None = None, changing: bool = False
) -> list[dict[str, Any]]:
    """Commits of rows, up to the time `until`, newest first and `most` of them at most, out of the
    table's own log. `commitid` is the commit time. `changing` leaves out those of no row, such as
    the one that creates the table."""
    folder = delta.find(location)
    if folder is None:
        return []
    with archive.held(folder):
        found = (
            each for each in _row_changes(folder) if until is None or each["commitid"] <= until
        )
        if changing:
            found = (each for each in found if any(each[name] for name in _CHANGES))
        return list(itertools.islice(found, most))


def newest_version(folder: Path) -> int | None:
    """The number of a table's last commit; None if there is no table."""
    if not delta.has_commits(folder):
        return None
    with archive.held(folder):
        return next((int(file.stem) for file in archive.commits(folder)), None)


def removals(folder: Path, after: int) -> list[int]:
    """The versions after this one in which rows were removed, newest first; of the last
    `_MOST_SEARCHED` commits."""
    found: list[int] = []
    if delta.has_commits(folder):
        with archive.held(folder):
            for file in itertools.islice(archive.commits(folder), _MOST_SEARCHED):
                if int(file.stem) <= after:
                    break
                if _counts(_commit_info(file, folder))["rowsDeleted"]:
                    found.append(int(file.stem))
    return found


def at_version(folder: Path, name: str, version: int) -> pads.Dataset:
    """The rows of one version of a table."""

    def find(opened: Any, first: int) -> pads.Dataset | None:
        if version < first:
            return None
        opened.load_as_version(version)
        return delta.dataset(opened, folder)

    return _in_history(folder, name, find)


def _row_changes(folder: Path) -> Iterator[dict[str, Any]]:
    """Read from the files: to open a table of ten thousand commits takes longer than to read its
    newest one."""
    for file in archive.commits(folder):
        entry = _commit_info(file, folder)
        if entry.get("operation") in _COUNTS:
            time = entry["timestamp"]
            times = {"commitid": time, "commitTime": time, "commitDateString": _iso(time)}
            yield {**times, **_counts(entry)}


def _counts(commit_info: dict[str, Any]) -> dict[str, int]:
    """How many rows a commit inserted, updated and removed."""
    counts = dict.fromkeys(_CHANGES, 0)
    for ours, theirs in _COUNTS.get(commit_info.get("operation", ""), {}).items():
        counts[ours] = int(commit_info.get("operationMetrics", {}).get(theirs) or 0)
    return counts


def _commit_info(file: Path, table: Path) -> dict[str, Any]:
    try:
        with file.open(encoding="utf-8") as lines:
            actions = (json.loads(line) for line in lines if '"commitInfo"' in line)
            return next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    except (OSError, ValueError) as error:
        raise delta.damaged(table, table.name, f"{file.name}: {error}") from error


def _iso(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc).isoformat()
