"""Rows of an online table as Arrow, the form in which a Delta table takes and gives them."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from local_hopsworks.online.online_table import Table
from local_hopsworks.online.types import Column, avro_type

if TYPE_CHECKING:
    import pyarrow as pa


def table_of(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    """An Arrow table of rows by feature, whose values are as SQLite holds them."""
    import pyarrow as pa

    columns = []
    for column in table.columns:
        value = _value(column)
        values = [value(row.get(column.name)) for row in rows]
        columns.append(pa.array(values, arrow_type(column.type)))
    return pa.Table.from_arrays(columns, table.names)


def as_in(existing: Any, data: pa.Table) -> pa.Table:
    """The rows in the types that a Delta table has."""
    import pyarrow as pa

    schema = pa.schema(existing.schema().to_arrow())
    return data.cast(pa.schema([schema.field(name) for name in data.schema.names]))


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of an offline type, as the SDK writes it."""
    import pyarrow as pa

    if kind in ("tinyint", "smallint"):  # both are ints in Avro
        return pa.int8() if kind == "tinyint" else pa.int16()
    return _of_avro(avro_type(kind, "value"))


def _of_avro(avro: Any) -> Any:
    import pyarrow as pa

    simple = {
        "int": pa.int32(),
        "long": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "bytes": pa.binary(),
    }
    _, kind = avro  # the other is null
    if isinstance(kind, str):
        return simple[kind]
    if kind["type"] == "array":
        return pa.list_(_of_avro(kind["items"]))
    if kind["type"] == "map":
        return pa.map_(pa.string(), _of_avro(kind["values"]))
    if kind["type"] == "record":
        return pa.struct([(each["name"], _of_avro(each["type"])) for each in kind["fields"]])
    if kind["logicalType"] == "decimal":
        return pa.decimal128(kind["precision"], kind["scale"])
    return pa.date32() if kind["logicalType"] == "date" else pa.timestamp("us")


def _value(column: Column) -> Callable[[Any], Any]:
    """A function that makes of a stored value what Arrow takes."""
    if not column.is_complex:
        return column.value
    import fastavro

    return partial(_decoded, fastavro.parse_schema(avro_type(column.type, column.name)))


def _decoded(schema: Any, encoded: bytes | None) -> Any:
    if encoded is None:
        return None
    import fastavro

    return fastavro.schemaless_reader(io.BytesIO(encoded), schema, None)
