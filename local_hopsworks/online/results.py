"""Rows of the online store as MySQL sends them: each value as text, after what kind of column it
is."""

from __future__ import annotations

import datetime
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from local_hopsworks.online import mysql_wire
from local_hopsworks.online.types import Column

# Field types of the protocol, by the type of the feature
_KINDS = {
    "tinyint": 1,
    "boolean": 1,  # RonDB has a tinyint for it, 0 or 1
    "smallint": 2,
    "int": 3,
    "bigint": 8,
    "float": 4,
    "double": 5,
    "date": 10,
    "timestamp": 12,
    "string": 253,
}
_DECIMAL, _BYTES = 246, 252
_FLOATING = 31  # a number of digits after the point that is not fixed
_EPOCH = datetime.datetime(1970, 1, 1)

Text = Callable[[Any], bytes]


def definition(name: str, column: Column) -> bytes:
    """What MySQL says of a column before the rows."""
    if column.type.startswith("decimal"):
        return mysql_wire.column_definition(name, _DECIMAL, mysql_wire.BINARY)
    kind = _KINDS.get(column.type, _BYTES)
    character_set = mysql_wire.UTF8 if column.type == "string" else mysql_wire.BINARY
    return mysql_wire.column_definition(name, kind, character_set, _FLOATING)


def text_of(column: Column) -> Text:
    """How a stored value of the column, which is not NULL, is written."""
    if column.type == "timestamp":
        return lambda value: timestamp_text(value, column).encode()
    if column.type == "date":
        return lambda value: date_text(value).encode()
    if column.type == "float":
        return lambda value: repr(single_precision(value)).encode()
    if column.type == "double":
        return lambda value: repr(value).encode()
    if column.is_complex or column.type == "binary":
        return bytes
    return lambda value: str(value).encode()


def rows(texts: Sequence[Text], stored: Iterable[Sequence[Any]]) -> list[bytes]:
    """A packet for each row."""
    return [
        b"".join(
            mysql_wire.NULL if value is None else mysql_wire.text(text(value))
            for text, value in zip(texts, row, strict=True)
        )
        for row in stored
    ]


def timestamp_text(microseconds: int, column: Column) -> str:
    """A timestamp with as many digits of a second as its type in RonDB has: none, unless it says
    so, as `timestamp(3)` does."""
    digits = column.online_type.partition("(")[2].rstrip(")")
    moment = _EPOCH + datetime.timedelta(microseconds=microseconds)
    if not digits.isdigit() or digits == "0":
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    return moment.isoformat(" ", "microseconds")[: 20 + int(digits)]


def date_text(days: int) -> str:
    """A date, which is stored as days since 1970."""
    return (_EPOCH + datetime.timedelta(days=days)).date().isoformat()


def single_precision(value: float) -> float:
    """The shortest number that is the same in single precision: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value):
        return value
    for digits in range(6, 10):
        shorter = float(f"{value:.{digits}g}")
        if struct.pack("f", shorter) == struct.pack("f", value):
            return shorter
    return value
