"""The two halves of an online feature group: do they agree, and the online one out of the offline.

Online there should be the row with the latest event time of each key, without those that are older
than the time to live and those that RonDB would refuse.
"""

from __future__ import annotations

import contextlib
import io
import math
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hopsworks.offline import delta, history
from local_hopsworks.online import online_table, writes
from local_hopsworks.online.online_table import Row, Table
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.online.types import Column, avro_type
from local_hopsworks.store import cleared

if TYPE_CHECKING:
    import pyarrow.dataset as pads

_ROWS = 1000  # in one statement


@dataclass(frozen=True)
class Difference:
    """What the halves of a feature group do not have in common."""

    lacking: int  # keys that are offline alone, or in a later state
    removed: list[Row]  # keys that a removal took out of the offline table, and that are online
    alone: int  # other keys that are online alone


def difference(
    store: OnlineStore, table: Table, folder: Path, removals: Collection[int]
) -> Difference:
    """Compare the online half with the offline table in `folder`. In its versions `removals` rows
    were removed that should have gone from the online half as well."""
    expected = _expected(table, folder)
    with store.transaction(write=False) as db:
        online = {_key(table, row): row for row in online_table.scan(db, table, table.names)}
    lacking = sum(1 for key, row in expected.items() if online.get(key) != row)
    alone = {key for key in online if key not in expected}
    earlier: set[Row] = set()
    for version in removals if alone else ():
        dataset = history.at_version(folder, table.name, version - 1)
        with contextlib.suppress(FileNotFoundError):  # a vacuum has removed what it was
            earlier.update(_key(table, row) for row in _rows(table, dataset))
    removed = [key for key in alone if key in earlier]
    return Difference(lacking, removed, len(alone) - len(removed))


def mend(
    store: OnlineStore, table: Table, folder: Path, removals: Collection[int], *, refills: bool
) -> None:
    """Finish in the online half what was broken off; see `difference`. `refills`: what is missing
    there is written, too."""
    removed = difference(store, table, folder, removals).removed
    with store.transaction(write=True) as db:
        online_table.delete(db, table, removed)
        _note_version(db, table, folder)
    if refills:
        refill(store, table, folder)


def refill(store: OnlineStore, table: Table, folder: Path) -> None:
    """Write what differs into the online half. Keys that are online alone stay: they may have been
    written with `storage="online"`."""
    expected = list(_expected(table, folder).values())
    with store.transaction(write=True) as db:
        if not online_table.is_there(db, table):
            online_table.create(db, table)
        for start in range(0, len(expected), _ROWS):
            online_table.upsert(db, table, expected[start : start + _ROWS])
        writes.settled(db, table.group_id)
        _note_version(db, table, folder)


def _note_version(db: sqlite3.Connection, table: Table, folder: Path) -> None:
    """No removal before now is in doubt."""
    version = history.newest_version(folder)
    if version is not None:
        writes.note_version(db, table.group_id, "", version, removes=False)


def _expected(table: Table, folder: Path) -> dict[Row, Row]:
    """The rows that should be online, by key."""
    latest: dict[Row, Row] = {}
    time = table.names.index(table.event_time) if table.event_time else None
    for row in _offline(table, folder):
        key = _key(table, row)
        known = latest.get(key)
        if known is None or time is None or _is_later(row[time], known[time]):
            latest[key] = row
    with _scratch(table) as db:
        return {key: row for key, row in latest.items() if _is_kept(db, table, row)}


def _is_later(time: Any, known: Any) -> bool:
    return known is None or (time is not None and time >= known)


def _key(table: Table, row: Row) -> Row:
    named = dict(zip(table.names, row, strict=True))
    return tuple(named[column.name] for column in table.key)


@contextlib.contextmanager
def _scratch(table: Table) -> Iterator[sqlite3.Connection]:
    """An empty table in memory: what it takes, and shows, belongs online."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        online_table.create(db, table)
        yield db


def _is_kept(db: sqlite3.Connection, table: Table, row: Row) -> bool:
    online_table.clear(db, table)
    try:
        online_table.upsert(db, table, [row])
    except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError):
        return False
    return online_table.count(db, table) == 1


def _offline(table: Table, folder: Path) -> Iterator[Row]:
    """The rows of the offline table, as SQLite would hold them."""
    existing = next((each for each in (folder, cleared(folder)) if delta.has_commits(each)), None)
    if existing is None:
        return
    yield from _rows(table, delta.open_table(existing, table.name).to_pyarrow_dataset())


def _rows(table: Table, dataset: pads.Dataset) -> Iterator[Row]:
    stored = [_stored(column) for column in table.columns]
    for batch in dataset.to_batches():
        columns = [
            batch.column(name).to_pylist(maps_as_pydicts="strict")
            if name in batch.schema.names
            else [None] * len(batch)
            for name in table.names
        ]
        for values in zip(*columns, strict=True):
            yield tuple(convert(value) for convert, value in zip(stored, values, strict=True))


def _stored(column: Column) -> Callable[[Any], Any]:
    """A function that makes of Arrow's value what SQLite holds."""
    convert, default = _converter(column), column.stored_default
    return (
        convert if default is None else lambda value: default if value is None else convert(value)
    )


def _converter(column: Column) -> Callable[[Any], Any]:
    if column.is_complex:
        import fastavro

        schema = fastavro.parse_schema(avro_type(column.type, column.name))
        return partial(_encoded, schema)
    if column.type in ("float", "double"):
        return _number
    return column.stored


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _encoded(schema: Any, value: Any) -> bytes | None:
    """As the SDK encodes it: a null is a null of Avro."""
    import fastavro

    with io.BytesIO() as written:
        fastavro.schemaless_writer(written, schema, value)
        return written.getvalue()
