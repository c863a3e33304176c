"""A Plan: what a query reads, joins, filters and returns, with everything looked up and checked (planner.py makes it).

It holds no text from outside that could be taken for SQL: names are those of stored features, values are typed by their
column.
"""

from __future__ import annotations

import datetime
import decimal
from dataclasses import dataclass, field

Value = bool | int | float | decimal.Decimal | str | datetime.datetime | datetime.date | None
# A bigint event time is in seconds or in milliseconds; as in the SDK, more than ten digits are milliseconds.
MOST_SECONDS = 9_999_999_999


@dataclass(frozen=True)
class Column:
    table: int  # position in Plan.tables
    name: str
    type: str
    default: Value = None  # what rows stored before the feature was appended have


@dataclass(frozen=True)
class Filter:
    column: Column
    condition: str  # one that planner.py knows
    value: Value | tuple[Value, ...]


@dataclass(frozen=True)
class Logic:
    operator: str  # AND or OR
    parts: tuple[Filter | Logic, ...]


Condition = Filter | Logic


@dataclass(frozen=True)
class Table:
    group: int  # id of the feature group
    name: str
    location: str
    as_of: int | None  # ms since 1970
    since: int | None
    features: tuple[tuple[str, str], ...]  # name and type of each that the group has today


@dataclass(frozen=True)
class Join:
    table: int
    type: str  # inner, left, right, full or cross
    on: tuple[tuple[Column, Column], ...]  # left = right
    event_times: tuple[Column, Column] | None  # left >= right, and of those the latest: the point-in-time join
    condition: Condition | None = None  # on the right table, before the point-in-time choice
    joins: tuple[Join, ...] = ()  # of the right table's own query; they come first, as if in brackets


@dataclass
class Plan:
    tables: list[Table] = field(default_factory=list)
    columns: list[tuple[Column, str]] = field(default_factory=list)  # with the name each has in the result
    joins: list[Join] = field(default_factory=list)
    condition: Condition | None = None
    order: list[Column] = field(default_factory=list)
    limit: int | None = None

    @property
    def is_projection(self) -> bool:
        """Whether it has all rows of one table, in any order, with columns as they are stored."""
        more = self.joins or self.condition or self.order or self.limit is not None
        return not more and all(column.default is None for column, _ in self.columns)
