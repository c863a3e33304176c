"""The Delta tables below feature groups. Clients write them (delta-rs inside the SDK); this side reads."""

from __future__ import annotations

import datetime
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from local_hopsworks.errors import FEATURE_GROUP_NOT_FOUND, NO_DATA_AT_COMMIT_TIME, HopsworksError, NotFound
from local_hopsworks.query import archive
from local_hopsworks.store import cleared

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads

_Found = TypeVar("_Found")
MOST_KEPT = 64  # tables
_kept: dict[Path, tuple[Hashable, pads.Dataset]] = {}
# Operations that change rows, and where their counts stand in the log; the SDK counts WRITE and MERGE the same way.
_COUNTS = {
    "WRITE": {"rowsInserted": "num_added_rows"},
    "MERGE": {
        "rowsInserted": "num_target_rows_inserted",
        "rowsUpdated": "num_target_rows_updated",
        "rowsDeleted": "num_target_rows_deleted",
    },
    "DELETE": {"rowsDeleted": "num_deleted_rows"},
}
_SPARK_TYPES = {"bigint": "long", "int": "integer", "smallint": "short", "tinyint": "byte"}
_PRIMITIVES = {
    "long",
    "integer",
    "short",
    "byte",
    "float",
    "double",
    "boolean",
    "string",
    "binary",
    "date",
    "timestamp",
}
_COMMIT = re.compile(r"\d{20}(\.json|\.checkpoint\..*)")
_DECIMAL = re.compile(r"decimal\(\d{1,2}, ?\d{1,2}\)")


def path(location: str) -> Path:
    """The folder a `file://` location means."""
    return Path(urllib.request.url2pathname(urllib.parse.urlparse(location).path))


def has_commits(table: Path) -> bool:
    """Whether rows were ever written there. A writer that was killed early leaves a folder without a commit."""
    log = table / "_delta_log"
    return log.is_dir() and any(_COMMIT.fullmatch(entry.name) for entry in log.iterdir())


def _table(location: str) -> Path | None:
    """Where the rows are; None if there are none. Until an overwrite has written the new ones, it is the old ones."""
    table = path(location)
    return next((found for found in (table, cleared(table)) if has_commits(found)), None)


def _open(table: Path, name: str, whole: Path | None = None) -> Any:
    from deltalake import DeltaTable  # built into hops-deltalake; 0.1 s, and only reading needs it
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable((whole or table).as_uri())
    except (DeltaError, OSError, ValueError) as error:
        raise _damaged(table, name, str(error).partition("\n")[0]) from error


def _in_history(
    folder: Path, name: str, find: Callable[[Any, int], _Found | None], *, rows: bool = False
) -> _Found | None:
    """What `find` finds in a table, given the first version that it may use. It looks without the archive if there is
    one, and if that is not enough (None), once more with it. `rows`: it has Delta read rows, not only the log."""
    with archive.held(folder):
        if first := archive.first_version(folder):
            found = find(_open(folder, name), first)
            if found is not None:
                return found
        with archive.whole(folder, rows=rows) as whole:
            return find(_open(folder, name, whole), 0)


def _damaged(table: Path, name: str, problem: str) -> HopsworksError:
    """The SDK shows its user a text of a read only if it begins like one of Hopsworks' own."""
    return HopsworksError(
        f"No delta logs found for featuregroup {name} that are whole: {problem[:300].rstrip('.')}. "
        f"The table is {table}; python -m local_hopsworks check says what can be done.",
        status=500,
    )


def read(
    location: str,
    name: str,
    features: Sequence[tuple[str, str]] = (),
    as_of: int | None = None,
    since: int | None = None,
) -> pads.Dataset | pa.RecordBatchReader:
    """The rows of a table now, as of a time, or those that changed in a window (times in ms since 1970).

    Of `features` (name and type) those that the table lacks are NULL: they were appended after that time, or the
    program that appended them died halfway.

    Raises NotFound if nothing was ever inserted (the SDK shows its text only if it starts like Hopsworks' own), and
    HopsworksError if the table did not exist yet at that time.
    """
    folder = _table(location)
    if folder is None:
        raise NotFound(f"No data found for featuregroup {name}: nothing was inserted yet.", FEATURE_GROUP_NOT_FOUND)
    if since:
        return _changes(folder, name, features, since, as_of)
    if as_of is None:
        return _with(features, _present_rows(folder, name), folder, name)

    def rows(table: Any, first: int) -> pads.Dataset | None:
        versions = [entry["version"] for entry in table.history() if entry["timestamp"] <= as_of]
        if max(versions, default=-1) < first:
            return None
        table.load_as_version(max(versions))
        return _with(features, _rows(table, folder), folder, name)

    found = _in_history(folder, name, rows)
    if found is None:
        raise HopsworksError(f"No commits found for featuregroup {name} up to {_iso(as_of)}.", NO_DATA_AT_COMMIT_TIME)
    return found


def _state(folder: Path) -> Hashable:
    """What tells one state of a table from any other, even if the table was written anew in the same folder; None if
    it has just been deleted or cleared."""
    try:
        newest = max(name for name in os.listdir(folder / "_delta_log") if _COMMIT.fullmatch(name))
        file = (folder / "_delta_log" / newest).stat()
    except (FileNotFoundError, ValueError):
        return None
    return newest, file.st_ino, file.st_size, file.st_mtime_ns


def _present_rows(folder: Path, name: str) -> pads.Dataset:
    """Kept until the next commit: to look at all files of a table takes longer than to find a row."""
    state = _state(folder)
    kept_state, rows = _kept.get(folder, (None, None))
    if rows is None or state is None or state != kept_state:
        rows = _rows(_open(folder, name), folder)
        _kept[folder] = state, rows
        if len(_kept) > MOST_KEPT:
            _kept.pop(next(iter(_kept)), None)
    return rows


def _rows(table: Any, folder: Path) -> pads.Dataset:
    """Those of an open table, whose files are in `folder`."""
    import pyarrow.fs as pafs

    # Arrow's own file system: reading through deltalake's takes longer and, left to threads, can abort Python's exit.
    return table.to_pyarrow_dataset(filesystem=pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem()))


def _with(features: Sequence[tuple[str, str]], dataset: pads.Dataset, folder: Path, name: str) -> pads.Dataset:
    """The rows, with those of the features that they lack."""
    if lost := next((file for file in dataset.files if not (folder / file).is_file()), None):
        raise _damaged(folder, name, f"its file {lost} is missing")
    missing = _missing(dataset.schema, features)
    if not missing:
        return dataset
    import pyarrow as pa

    return dataset.replace_schema(pa.schema([*dataset.schema, *missing]))


def _missing(schema: pa.Schema, features: Sequence[tuple[str, str]]) -> list[pa.Field]:
    """Those of the features that the schema lacks."""
    missing = [feature for feature in features if feature[0] not in schema.names]
    if not missing:
        return []
    import pyarrow as pa
    from deltalake import Field
    from deltalake.schema import Schema

    fields = [Field(name, _delta_type(name, type_), nullable=True) for name, type_ in missing]
    return list(pa.schema(Schema(fields).to_arrow()))


def _changes(
    folder: Path, name: str, features: Sequence[tuple[str, str]], since: int, until: int | None
) -> pa.RecordBatchReader:
    """Rows as they were inserted or became, in commits after `since` up to `until`."""

    def changes(table: Any, first: int) -> pa.RecordBatchReader | None:
        history = [entry for entry in table.history() if entry["version"] >= first]
        if first and (not history or history[-1]["timestamp"] > since):
            return None
        versions = [each["version"] for each in history if since < each["timestamp"] <= (until or each["timestamp"])]
        return _changes_of(table, features, versions)

    return _in_history(folder, name, changes, rows=True)


def _changes_of(table: Any, features: Sequence[tuple[str, str]], versions: list[int]) -> pa.RecordBatchReader:
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = pa.schema(table.schema().to_arrow())
    missing = _missing(schema, features)
    if not versions:
        return pa.RecordBatchReader.from_batches(pa.schema([*schema, *missing]), [])
    changes = pa.table(table.load_cdf(starting_version=min(versions), ending_version=max(versions)))
    kept = pc.is_in(changes["_change_type"].cast(pa.string()), pa.array(["insert", "update_postimage"]))
    rows = changes.select(schema.names).cast(schema).filter(kept)  # cast first: nothing filters the log's string views
    for field in missing:
        rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())


def commits(location: str, most: int | None = None) -> list[dict[str, Any]]:
    """Commits that changed rows, newest first and `most` of them at most, out of the table's own log. `commitid` is the
    commit time in ms."""
    folder = _table(location)
    if folder is None:
        return []

    def newest(table: Any, first: int) -> list[dict[str, Any]] | None:
        looked_at = most
        while looked_at is not None:  # a log has other entries too, and to read all of a long one takes seconds
            history = table.history(looked_at)
            found = _row_changes(history)
            if len(found) >= (most or 0):
                return found[:most]
            looked_at = looked_at * 4 if len(history) == looked_at else None
        return None if first else _row_changes(table.history())[:most]

    return _in_history(folder, folder.name, newest) or []


def _row_changes(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for entry in history:
        if entry.get("operation") in _COUNTS:
            counts = dict.fromkeys(("rowsInserted", "rowsUpdated", "rowsDeleted"), 0)
            for ours, theirs in _COUNTS[entry["operation"]].items():
                counts[ours] = int(entry.get("operationMetrics", {}).get(theirs) or 0)
            time = entry["timestamp"]
            found.append({"commitid": time, "commitTime": time, "commitDateString": _iso(time), **counts})
    return found


def add_columns(location: str, features: list[dict[str, Any]]) -> None:
    """Give the table the columns it lacks of `features`; stored rows have NULL there."""
    folder = _table(location)
    if folder is None:
        return  # the first insert will create the table with all of them
    from deltalake import Field

    with archive.held(folder):  # of two transactions, this and a compaction, the later one would fail
        table = _open(folder, folder.name)
        present = {field.name for field in table.schema().fields}
        missing = [feature for feature in features if feature["name"] not in present]
        if missing:
            table.alter.add_columns(
                [
                    Field(feature["name"], _delta_type(feature["name"], feature.get("type")), nullable=True)
                    for feature in missing
                ]
            )


def _delta_type(name: str, type_: object) -> Any:
    from deltalake.schema import ArrayType, PrimitiveType

    def parsed(text: str) -> Any:
        if text.startswith("array<") and text.endswith(">"):
            return ArrayType(parsed(text[6:-1]), contains_null=True)
        primitive = _SPARK_TYPES.get(text, text)
        if primitive not in _PRIMITIVES and not _DECIMAL.fullmatch(primitive):
            raise HopsworksError(f"The feature {name!r} has type {str(type_)[:80]!r}, which cannot be appended here.")
        return PrimitiveType(primitive)

    return parsed(str(type_).lower())


def _iso(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc).isoformat()
