"""A Plan: what a query reads, joins, filters and returns, with everything looked up and checked
(planner.py makes it).

It holds no text from outside that could be taken for SQL: names are those of stored features,
values are typed by their column.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

Value = (
    bool | int | float | decimal.Decimal | str | bytes | datetime.datetime | datetime.date | None
)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
# A bigint event time is in seconds or in milliseconds; as in the SDK, more than ten digits are
# milliseconds.
MOST_SECONDS = 9_999_999_999
POSITION = "#"  # a column with the number of each row; no feature can have this name
_BOUNDS = ("EQUALS", "LESS_THAN", "LESS_THAN_OR_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL")
# types whose order is the same everywhere, unlike that of text, or of numbers that may be NaN
_BOUNDED = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), int),
    "timestamp": datetime.datetime,
    "date": datetime.date,
}


@dataclass(frozen=True)
class Column:
    """A column of one of a plan's tables."""

    table: int  # position in Plan.tables
    name: str
    type: str
    default: Value = None  # what rows stored before the feature was appended have


@dataclass(frozen=True)
class Filter:
    """A comparison that rows must meet."""

    column: Column
    condition: str  # one that planner.py knows
    value: Value | tuple[Value, ...] | Column  # a column is another feature to compare with


@dataclass(frozen=True)
class Logic:
    """Two conditions joined by AND or OR."""

    operator: str  # AND or OR
    parts: tuple[Filter | Logic, ...]


Condition = Filter | Logic


@dataclass(frozen=True)
class Table:
    """A table that a plan reads, now or as of a time."""

    group: int  # id of the feature group
    name: str
    location: str
    as_of: int | None  # ms since 1970
    since: int | None
    features: tuple[tuple[str, str], ...]  # name and type of each that the group has today
    is_online: bool = False  # whether the online store has its rows, too

    @property
    def is_past(self) -> bool:
        """Whether it is read as of a time, or for what changed in a time."""
        return self.as_of is not None or self.since is not None


@dataclass(frozen=True)
class Join:
    """A table that is joined to the ones before it."""

    table: int
    type: str  # inner, left, right, full or cross
    on: tuple[tuple[Column, Column], ...]  # left = right
    # Left >= right, and of those the latest: the point-in-time join
    event_times: tuple[Column, Column] | None
    condition: Condition | None = None  # on the right table, before the point-in-time choice
    # Of the right table's own query; they come first, as if in brackets
    joins: tuple[Join, ...] = ()


@dataclass
class Plan:
    """A query, with every name and value checked."""

    tables: list[Table] = field(default_factory=list)
    # With the name each has in the result
    columns: list[tuple[Column, str]] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    condition: Condition | None = None
    order: list[Column] = field(default_factory=list)
    limit: int | None = None

    @property
    def bounds(self) -> tuple[Filter, ...]:
        """Conditions on the first table that all rows of the result meet, and that statistics of
        files can tell."""
        parts = conjuncts(self.condition)
        return tuple(part for part in parts if isinstance(part, Filter) and _is_bound(part))

    @property
    def is_scan(self) -> bool:
        """Whether it has nothing but stored columns of one table as it is now, within bounds, in
        any order."""
        more = self.joins or self.order or self.limit is not None or self.tables[0].is_past
        stored = all(column.default is None for column, _ in self.columns)
        return not more and stored and len(self.bounds) == len(list(conjuncts(self.condition)))

    def columns_of(self, table: int) -> list[Column]:
        """Those of the table at this position that anything in the plan needs."""
        found = columns_in((self.columns, self.joins, self.condition, self.order))
        return list({column.name: column for column in found if column.table == table}.values())

    def columns_compared(self, table: int) -> list[Column]:
        """Those of the table at this position that tell which rows are in the result, and in which
        order."""
        return replace(self, columns=[]).columns_of(table)

    @property
    def positions(self) -> Plan:
        """The same rows, but of each table only the number of its row."""
        numbers = [
            (Column(table, POSITION, "bigint"), str(table)) for table in range(len(self.tables))
        ]
        return replace(self, columns=numbers)


def conjuncts(condition: Condition | None) -> Iterator[Condition]:
    """What must all hold."""
    if isinstance(condition, Logic) and condition.operator == "AND":
        for part in condition.parts:
            yield from conjuncts(part)
    elif condition:
        yield condition


def _is_bound(part: Filter) -> bool:
    column = part.column
    comparable = part.condition in _BOUNDS and type(part.value) is _BOUNDED.get(column.type)
    return comparable and column.table == 0 and column.default is None


def columns_in(part: object) -> Iterator[Column]:
    """All columns in a part of a plan."""
    if isinstance(part, Column):
        yield part
    elif isinstance(part, list | tuple):
        for each in part:
            yield from columns_in(each)
    elif isinstance(part, Filter | Logic | Join):
        yield from columns_in(tuple(vars(part).values()))
