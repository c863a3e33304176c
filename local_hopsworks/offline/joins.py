"""Joins: from the columns that are compared, DuckDB finds the positions of rows that go together,
and puts them in order. The rows themselves are put together while they are sent.

Rows as wide as they are would be sorted for each point-in-time join, and once more in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from local_hopsworks.offline.plan import POSITION, Column, Join, Plan

_Query = Callable[[Plan, Sequence[pa.Table]], pa.RecordBatchReader]


def join(plan: Plan, tables: Sequence[Any], query: _Query) -> pa.RecordBatchReader:
    """The rows of a plan with joins. `tables` are datasets or readers; `query` runs a plan over
    tables in memory."""
    with ThreadPoolExecutor(len(tables)) as pool:
        whole = list(pool.map(lambda each: _read(plan, *each), enumerate(tables)))
    shown = [_shown(plan, *each) for each in enumerate(whole)]
    if any(column.num_chunks > 1 for table in shown for column in table.columns):
        return query(plan, whole)  # Arrow finds no rows in more than 2 GiB of text
    compared = [_compared(plan, *each) for each in enumerate(whole)]
    fields = [
        shown[column.table].field(column.name).with_name(name) for column, name in plan.columns
    ]
    schema = pa.schema([field.with_nullable(True) for field in fields])
    found = query(plan.positions, compared)
    return pa.RecordBatchReader.from_batches(schema, _put_together(plan, shown, found, schema))


def _read(plan: Plan, position: int, table: Any) -> pa.Table:
    """What a plan needs of a table."""
    if isinstance(table, pa.RecordBatchReader):
        return table.read_all()
    return table.to_table(columns=[column.name for column in plan.columns_of(position)])


def _compared(plan: Plan, position: int, table: pa.Table) -> pa.Table:
    """What tells which rows of a table belong to which of another, with their numbers."""
    event_times = set(_event_times(plan.joins))
    columns = {POSITION: _shortened(pa.chunked_array([np.arange(len(table))]))}
    for column in plan.columns_compared(position):
        values = table.column(column.name)
        # Event times in seconds are multiplied by a thousand, which 32 bits do not hold
        columns[column.name] = values if column in event_times else _shortened(values)
    return pa.table(columns)


def _event_times(joins: Iterable[Join]) -> Iterator[Column]:
    for join in joins:
        yield from join.event_times or ()
        yield from _event_times(join.joins)


def _shortened(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers in 32 bits if they fit, with which DuckDB joins in two thirds of the time."""
    if values.type != pa.int64():
        return values
    try:
        return values.cast(pa.int32())
    except pa.ArrowInvalid:
        return values


def _shown(plan: Plan, position: int, table: pa.Table) -> pa.Table:
    """What the result has of a table, in one piece, in which rows are found fast."""
    names = {column.name for column, _ in plan.columns if column.table == position}
    return table.select(list(names)).combine_chunks()


def _put_together(
    plan: Plan, tables: Sequence[pa.Table], found: pa.RecordBatchReader, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The result's rows, of which `found` has the position in each table."""
    shown = {column.table for column, _ in plan.columns}
    for positions in found:
        rows = {number: _at(tables[number], positions.column(number)) for number in shown}
        columns = [_of(column, rows[column.table]) for column, _ in plan.columns]
        yield from pa.Table.from_arrays(columns, schema=schema).to_batches()


def _at(table: pa.Table, positions: pa.Array) -> pa.Table:
    """The rows at these positions, and nulls where there is none."""
    count = len(positions)
    if count and not positions.null_count:
        first = positions[0].as_py()
        if np.array_equal(positions, np.arange(first, first + count)):
            return table.slice(first, count)  # copies nothing
    return table.take(positions)


def _of(column: Column, rows: pa.Table) -> pa.ChunkedArray:
    values = rows.column(column.name)
    if column.default is None:
        return values
    return values.fill_null(pa.scalar(column.default, values.type))
