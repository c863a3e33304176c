"""Values of the online store as the REST feature server writes them: what JSON has as it is, bytes
in base64, times as MySQL writes them, arrays, structs and maps decoded."""

from __future__ import annotations

import base64
import datetime
import decimal
import io
import math
from collections.abc import Callable
from typing import Any

from local_hopsworks.online import results
from local_hopsworks.online.types import Column, avro_type

ToJson = Callable[[Any], Any]


def to_json(column: Column) -> ToJson:
    """How a stored value of the column, which is not NULL, is written."""
    if column.type == "timestamp":
        return lambda value: results.timestamp_text(value, column)
    if column.type == "date":
        return results.date_text
    if column.type == "float":
        return lambda value: _finite(results.single_precision(value))
    if column.type == "double":
        return _finite
    if column.type.startswith("decimal"):
        return float  # JSON has no other number with a point
    if column.type == "binary":
        return _base64
    return _decoder(column) if column.is_complex else _as_it_is


def _decoder(column: Column) -> ToJson:
    import fastavro  # only views with arrays, structs or maps need it

    schema = fastavro.parse_schema(avro_type(column.type, column.name))

    def decode(value: bytes) -> Any:
        return _plain(fastavro.schemaless_reader(io.BytesIO(value), schema, None))

    return decode


def _plain(value: Any) -> Any:
    """A decoded value, and those in it, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return _base64(value)
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | float):
        return _finite(float(value))
    return value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _as_it_is(value: Any) -> Any:
    return value
