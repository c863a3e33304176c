"""What people look at first in a column: counts, range, mean and a histogram.

Computed while the rows stream by, twice, so a table of any length passes: only after the first time
is it known where the bins of the histograms begin and end.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.offline import sql
from local_hopsworks.offline.plan import Plan
from local_hopsworks.offline.run import Engine

MOST_BINS = 20  # of a histogram
MOST_VALUES = 12  # distinct ones that have a bar each
EXACTLY_COUNTED = 10_000  # distinct values; more are estimated
MOST_KEPT = 64  # summaries of tables
_Expression = sa.ColumnElement[Any]


@dataclass(frozen=True)
class Summary:
    """One column. `least`, `most` and `mean` are None where there is no such thing."""

    name: str
    rows: int
    nulls: int
    distinct: int
    is_estimated: bool  # whether that is only about right
    least: Any
    most: Any
    mean: float | None
    histogram: list[tuple[str, int]]  # bins or values, with their rows


@dataclass(frozen=True)
class _Column:
    """A column of a plan, and its expression in SQL."""

    name: str
    type: pa.DataType
    value: _Expression

    @property
    def is_number(self) -> bool:
        return _is_number(self.type)

    @property
    def is_time(self) -> bool:
        return bool(pa.types.is_timestamp(self.type) or pa.types.is_date(self.type))

    @property
    def has_names(self) -> bool:
        """Whether each value can have a bar with its name, unlike points on a scale."""
        scale = pa.types.is_floating(self.type) or self.is_time
        return not scale and not pa.types.is_binary(self.type)

    @property
    def finite(self) -> _Expression:
        """Whether a value is neither infinite nor NaN."""
        return sa.func.isfinite(sa.cast(self.value, sa.Double)) if self.is_number else sa.true()

    @property
    def position(self) -> _Expression:
        """The value as a number, for a bin to hold."""
        number = sa.func.epoch_ms(self.value) if self.is_time else self.value
        return sa.cast(number, sa.Double)


def summaries(engine: Engine, plan: Plan) -> list[Summary]:
    """A summary of each column of a plan. Raises NotFound if nothing was ever inserted."""
    with engine.stream(plan) as reader:
        schema = reader.schema
    columns = [
        _Column(field.name, field.type, sa.column(quoted_name(field.name, True)))
        for field in schema
    ]
    measured = _answers(engine, plan, [_measures(column) for column in columns])
    counted = _answers(
        engine,
        plan,
        [_counts(column, found) for column, found in zip(columns, measured, strict=True)],
    )
    return [
        _summary(column, {**first, **second})
        for column, first, second in zip(columns, measured, counted, strict=True)
    ]


def _measures(column: _Column) -> dict[str, _Expression]:
    """What the first reading asks of a column."""
    value, count = column.value, sa.func.count
    asked: dict[str, _Expression] = {"rows": count(), "filled": count(value)}
    if pa.types.is_nested(column.type):
        return asked
    asked["distinct"] = sa.func.approx_count_distinct(value)
    if not pa.types.is_boolean(column.type) and not pa.types.is_binary(column.type):
        asked["least"] = sa.func.min(value).filter(column.finite)
        asked["most"] = sa.func.max(value).filter(column.finite)
    if column.is_number:
        asked["mean"] = sa.func.avg(sa.cast(value, sa.Double)).filter(column.finite)
    if column.is_number or column.is_time:
        asked["first_bin"] = sa.func.min(column.position).filter(column.finite)
        asked["last_bin"] = sa.func.max(column.position).filter(column.finite)
    return asked


def _counts(column: _Column, found: dict[str, Any]) -> dict[str, _Expression]:
    """What the second reading asks, by what the first one found."""
    asked: dict[str, _Expression] = {}
    distinct = found.get("distinct", 0)
    if 0 < distinct <= EXACTLY_COUNTED:
        asked["distinct"] = sa.func.count(column.value.distinct())
    if 0 < distinct <= MOST_VALUES and column.has_names:
        asked["values"] = sa.func.histogram(column.value)
    elif found.get("first_bin") is not None:
        # as text, because a number with a point would be a decimal
        edges = sa.func.list_value(
            *(sa.cast(sa.literal(repr(edge)), sa.Double) for edge in _edges(found))
        )
        asked["bins"] = sa.func.histogram(column.position, edges).filter(column.finite)
    return asked


def _edges(found: dict[str, Any]) -> list[float]:
    """The upper edges of bins of the same width."""
    first, last = float(found["first_bin"]), float(found["last_bin"])
    width = (last - first) / MOST_BINS
    if not width > 0 or not math.isfinite(width):
        return [last]
    return [first + width * number for number in range(1, MOST_BINS)] + [last]


def _answers(
    engine: Engine, plan: Plan, asked: list[dict[str, _Expression]]
) -> list[dict[str, Any]]:
    """The answers by column, each by the name it was asked under, after one reading of the rows."""
    flat = [
        (position, name, expression)
        for position, expressions in enumerate(asked)
        for name, expression in expressions.items()
    ]
    answers: list[dict[str, Any]] = [{} for _ in asked]
    if not flat:
        return answers
    select = sa.select(*(expression for _, _, expression in flat)).select_from(sa.table(sql.ROWS))
    row = engine.aggregate(plan, sql.text(select))
    for (position, name, _), value in zip(flat, row, strict=True):
        answers[position][name] = value
    return answers


def _summary(column: _Column, found: dict[str, Any]) -> Summary:
    return Summary(
        name=column.name,
        rows=found["rows"],
        nulls=found["rows"] - found["filled"],
        distinct=min(found.get("distinct", 0), found["filled"]),
        is_estimated=found.get("distinct", 0) > EXACTLY_COUNTED,
        least=found.get("least"),
        most=found.get("most"),
        mean=found.get("mean"),
        histogram=list(_bars(column, found)),
    )


def _bars(column: _Column, found: dict[str, Any]) -> Iterator[tuple[str, int]]:
    if "values" in found:
        for value, count in sorted((found["values"] or {}).items()):
            yield str(value), count
    elif "bins" in found:
        edges = _edges(found)
        begins = [found["first_bin"], *edges]
        for begin, end in zip(begins, edges, strict=False):
            yield f"{_edge(column, begin)} to {_edge(column, end)}", found["bins"].get(end, 0)


def _edge(column: _Column, position: float) -> str:
    if not column.is_time:
        return f"{position:.4g}"
    moment = datetime.datetime.fromtimestamp(position / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M")


class Summaries:
    """Summaries of tables as they are now, kept until the next commit."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        """None is kept yet."""
        self._engine = hopsworks.part(Engine)
        self._kept: dict[tuple[object, ...], list[Summary]] = {}

    def of(self, plan: Plan, commit: int) -> list[Summary]:
        """The summary of each column of a plan over one table, whose latest commit this is."""
        key = plan.tables[0].location, commit, tuple(name for _, name in plan.columns)
        if key not in self._kept:
            self._kept[key] = summaries(self._engine, plan)
            if len(self._kept) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)), None)
        return self._kept[key]


@dataclass(frozen=True)
class HeadColumn:
    """A column of a Head."""

    name: str
    is_number: bool  # and is written flush right


@dataclass(frozen=True)
class Head:
    """Some rows, to be shown."""

    columns: list[HeadColumn]
    rows: list[tuple[Any, ...]]
    goes_on: bool  # whether there are more rows


def head(engine: Engine, plan: Plan, start: int, most: int) -> Head:
    """`most` rows of a plan from the one at `start` on."""
    with engine.stream(plan) as reader:
        return head_of(reader.schema, reader, start, most)


def head_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch], start: int, most: int) -> Head:
    """`most` rows of the batches from the one at `start` on. Those before are read, never kept."""
    rows: list[tuple[Any, ...]] = []
    for batch in batches:
        if start >= len(batch):
            start -= len(batch)
            continue
        wanted = batch.slice(start, most + 1 - len(rows))
        rows += zip(*(column.to_pylist() for column in wanted.columns), strict=True)
        start = 0
        if len(rows) > most:
            break
    columns = [HeadColumn(field.name, _is_number(field.type)) for field in schema]
    return Head(columns, rows[:most], len(rows) > most)


def _is_number(type_: pa.DataType) -> bool:
    kinds = pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal
    return any(is_kind(type_) for is_kind in kinds)
