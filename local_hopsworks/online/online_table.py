"""The online table of one feature group: the latest row of every key.

All functions take the connection of a transaction (`OnlineStore.transaction`). Rows and keys are
tuples of values as SQLite holds them (see types.py), in the order of the columns that are named.

Which row is the latest: as in Hopsworks the one written last, whatever its event time; within one
insert the SDK itself sends only the row with the latest event time of a key. An insert with
`upsert_if_newer` replaces a row only by one with a later event time.

A row whose event time is older than the group's time to live is not there: `look_up`, `scan` and
`count` leave it out, and `purge` deletes it.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.online.errors import (
    ILLEGAL_EVENT_TIME_TYPE,
    ONLINE_FEATURE_GROUP_NOT_CREATED,
)
from local_hopsworks.online.types import Column, avro_type, column, quoted

Row = tuple[Any, ...]
_MOST_PARAMETERS = 32_000  # SQLite takes 32,766
_MICROSECONDS = {"timestamp": 1, "date": 86_400_000_000}  # in one unit of the stored value


@dataclass(frozen=True)
class Table:
    """What is known of an online feature group: enough to read and write it."""

    group_id: int
    name: str
    version: int
    topic: str  # where the SDK sends its rows
    columns: tuple[Column, ...]
    event_time: str | None = None
    ttl: int | None = None  # seconds; None while the time to live is off
    stream: bool = False  # rows reach the offline table through the topic as well
    online: bool = True  # False: a stream group that has a topic and no online table
    _positions: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._positions.update({each.name: at for at, each in enumerate(self.columns)})

    @property
    def sql_name(self) -> str:
        """Its name in SQLite. A group's id is never used again, so neither is a table's name."""
        return quoted(f"{self.name}_{self.version}_{self.group_id}")

    @cached_property
    def key(self) -> tuple[Column, ...]:
        """The columns of the primary key, in the order of the features."""
        return tuple(each for each in self.columns if each.primary)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(each.name for each in self.columns)

    def column(self, name: str) -> Column:
        """The column of this name; raises HopsworksError if there is none."""
        if name not in self._positions:
            raise HopsworksError(f"Feature group {self.name} has no feature {name[:80]!r} online.")
        return self.columns[self._positions[name]]


def table_of(group: dict[str, Any], topic: str) -> Table:
    """The table of a feature group's DTO.

    Raises HopsworksError if it has no primary key, or a type that cannot be kept online.
    """
    columns = tuple(column(each) for each in group["features"] if not each.get("offlineOnly"))
    if not any(each.primary for each in columns):
        message = f"Feature group {group['name']} needs a primary key to be online."
        raise HopsworksError(message, ONLINE_FEATURE_GROUP_NOT_CREATED)
    event_time, ttl = group.get("eventTime"), group.get("ttl")
    table = Table(
        group["id"],
        group["name"],
        group["version"],
        topic,
        columns,
        event_time,
        int(ttl) if ttl and group.get("ttlEnabled") else None,
        group.get("type") == "streamFeatureGroupDTO",
        bool(group.get("onlineEnabled")),
    )
    avro_schema(table)  # every type has one
    if table.ttl and (not event_time or table.column(event_time).type not in _MICROSECONDS):
        raise HopsworksError(
            f"Feature group {table.name} needs an event time of type timestamp or date "
            "for a time to live.",
            ILLEGAL_EVENT_TIME_TYPE,
        )
    return table


def avro_schema(table: Table) -> dict[str, Any]:
    """What the SDK encodes the rows of the group with: its subject."""
    fields = [
        {"name": each.name, "type": avro_type(each.type, each.name)} for each in table.columns
    ]
    name = f"{table.name}_{table.version}"
    return {"type": "record", "name": name, "namespace": "featurestore", "fields": fields}


def to_json(table: Table) -> str:
    """A table's description as the database keeps it."""
    return json.dumps(
        {
            "name": table.name,
            "version": table.version,
            "topic": table.topic,
            "columns": [dataclasses.astuple(each) for each in table.columns],
            "eventTime": table.event_time,
            "ttl": table.ttl,
            "stream": table.stream,
            "online": table.online,
        }
    )


def from_json(group_id: int, text: str) -> Table:
    """The reverse of `to_json`."""
    found = json.loads(text)
    return Table(
        group_id,
        found["name"],
        found["version"],
        found["topic"],
        tuple(Column(*each) for each in found["columns"]),
        found["eventTime"],
        found["ttl"],
        found["stream"],
        found["online"],
    )


# -------------------------------------------------------------------------------------------------
# the table itself


def create(db: sqlite3.Connection, table: Table) -> None:
    """Make an empty table, in place of any that had this name."""
    drop(db, table)
    columns = ", ".join(each.definition for each in table.columns)
    key = ", ".join(quoted(each.name) for each in table.key)
    db.execute(f"CREATE TABLE {table.sql_name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID")


def append_columns(db: sqlite3.Connection, table: Table) -> None:
    """Add the columns that `table` has and the database lacks; their values are the default, or
    NULL. Raises HopsworksError for a default that the online type cannot hold."""
    existing = {name for _, name, *_ in db.execute(f"PRAGMA table_info({table.sql_name})")}
    for each in table.columns:
        if each.name in existing:
            continue
        try:
            db.execute(f"ALTER TABLE {table.sql_name} ADD COLUMN {each.definition}")
        except sqlite3.DatabaseError as error:
            problem = f"{str(each.default)[:80]!r} cannot be the default value of {each.name!r}"
            raise HopsworksError(f"{problem}, which is {each.online_type} online.") from error


def drop(db: sqlite3.Connection, table: Table) -> None:
    """Remove the table and its rows, if it is there."""
    db.execute(f"DROP TABLE IF EXISTS {table.sql_name}")


def is_there(db: sqlite3.Connection, table: Table) -> bool:
    """Whether the database has the table."""
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    name = f"{table.name}_{table.version}_{table.group_id}"
    return bool(db.execute(query, (name,)).fetchone()[0])


# -------------------------------------------------------------------------------------------------
# writing


def upsert(
    db: sqlite3.Connection,
    table: Table,
    rows: Sequence[Row],
    names: Sequence[str] | None = None,
    *,
    if_newer: bool = False,
) -> int:
    """Insert rows, or replace those with the same keys; how many were written.

    `names` are the columns that a row has, by default all; the others keep what they have, or are
    NULL in a new row. With `if_newer` a row that has no later event time than the one that is there
    is left out. Raises sqlite3.IntegrityError for values that RonDB would refuse; then some rows
    may have been written, and the caller rolls back.
    """
    before = db.total_changes
    columns = tuple(names or table.names)
    size = max(1, min(100, _MOST_PARAMETERS // len(columns)))
    whole = len(rows) - len(rows) % size
    if whole:  # a statement for a hundred rows costs less than a hundred statements
        many = _upsert_statement(table, columns, size, if_newer)
        for start in range(0, whole, size):
            db.execute(many, list(itertools.chain.from_iterable(rows[start : start + size])))
    db.executemany(_upsert_statement(table, columns, 1, if_newer), rows[whole:])
    return db.total_changes - before


def _upsert_statement(table: Table, names: tuple[str, ...], rows: int, if_newer: bool) -> str:
    columns = ", ".join(quoted(name) for name in names)
    one_row = f"({', '.join('?' * len(names))})"
    values = ", ".join([one_row] * rows)
    keys = {each.name for each in table.key}
    key = ", ".join(quoted(each.name) for each in table.key)
    others = [quoted(name) for name in names if name not in keys]
    statement = f"INSERT INTO {table.sql_name} ({columns}) VALUES {values} ON CONFLICT ({key}) DO "
    if not others:
        return statement + "NOTHING"
    statement += "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in others)
    if if_newer and table.event_time in names:
        event_time = quoted(table.event_time or "")
        statement += f" WHERE excluded.{event_time} > {table.sql_name}.{event_time}"
    return statement


def delete(db: sqlite3.Connection, table: Table, keys: Iterable[Row]) -> int:
    """Delete the rows with these keys; how many there were."""
    before = db.total_changes
    condition = " AND ".join(f"{quoted(each.name)} = ?" for each in table.key)
    db.executemany(f"DELETE FROM {table.sql_name} WHERE {condition}", keys)
    return db.total_changes - before


def clear(db: sqlite3.Connection, table: Table) -> None:
    """Delete all rows."""
    db.execute(f"DELETE FROM {table.sql_name}")


def purge(db: sqlite3.Connection, table: Table) -> None:
    """Delete the rows that are older than the time to live."""
    db.execute(f"DELETE FROM {table.sql_name} WHERE NOT ({alive(table)})")


# -------------------------------------------------------------------------------------------------
# reading


def look_up(
    db: sqlite3.Connection, table: Table, columns: Sequence[str], keys: Sequence[Row]
) -> list[Row | None]:
    """The named columns of the row of each key, in the order of the keys; None where there is none.

    A key has a value for each of `table.key`. Raises HopsworksError for a column that is not there.
    """
    select = _select(table, columns)
    condition = " AND ".join(f"{quoted(each.name)} = ?" for each in table.key)
    statement = f"{select} WHERE {condition} AND {alive(table)}"
    return [db.execute(statement, key).fetchone() for key in keys]


def scan(
    db: sqlite3.Connection, table: Table, columns: Sequence[str], most: int | None = None
) -> Iterator[Row]:
    """The named columns of all rows, or of `most`, in the order of their keys."""
    statement = f"{_select(table, columns)} WHERE {alive(table)} LIMIT ?"
    return iter(db.execute(statement, (-1 if most is None else most,)))


def count(db: sqlite3.Connection, table: Table) -> int:
    """How many rows there are."""
    statement = f"SELECT count(*) FROM {table.sql_name} WHERE {alive(table)}"
    return int(db.execute(statement).fetchone()[0])


def _select(table: Table, columns: Sequence[str]) -> str:
    names = ", ".join(quoted(table.column(name).name) for name in columns)
    return f"SELECT {names} FROM {table.sql_name}"


def alive(table: Table) -> str:
    """The condition for a row that is not older than the time to live."""
    if not table.ttl or not table.event_time:
        return "1"
    unit = _MICROSECONDS[table.column(table.event_time).type]
    oldest = f"(strftime('%s', 'now') - {table.ttl}) * 1000000"
    return f"{quoted(table.event_time)} * {unit} >= {oldest}"
