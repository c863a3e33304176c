"""Reads the rows of a feature group out of Avro, as the SDK encodes them for Kafka."""

from __future__ import annotations

import decimal
import io
import json
import operator
from collections.abc import Callable, Sequence
from typing import Any

import fastavro

from local_hopsworks.online.online_table import Row, Table
from local_hopsworks.online.types import decimal_scale, wire_type
from local_hopsworks.online.wire import encoded_varint


class BadRow(ValueError):
    """Bytes that are no row of the feature group."""


class RowReader:
    """Reads rows that were written with one version of a feature group's schema."""

    def __init__(self, table: Table, schema: str) -> None:
        fields = [field["name"] for field in json.loads(schema)["fields"]]
        known = set(table.names)
        self.names = tuple(name for name in fields if name in known)
        columns = [table.column(name) for name in self.names]
        record = {
            "type": "record",
            "name": "row",
            "fields": [{"name": column.name, "type": wire_type(column)} for column in columns],
        }
        self._rows = fastavro.parse_schema({"type": "array", "items": record})
        self._values = _picker(self.names)
        self._key = _picker([column.name for column in table.key])
        self._scales = {
            column.name: scale for column in columns if (scale := decimal_scale(column)) is not None
        }

    def rows(self, encoded: Sequence[bytes]) -> list[Row]:
        """The values of `names` of each row. Raises BadRow, for all of them together."""
        return [self._values(row) for row in self._read(encoded)]

    def keys(self, encoded: Sequence[bytes]) -> list[Row]:
        """The primary key of each row, in the order of the table's key. Raises BadRow."""
        return [self._key(row) for row in self._read(encoded)]

    def _read(self, encoded: Sequence[bytes]) -> list[dict[str, Any]]:
        # One call for all: an Avro array is a count, its items, and a zero
        data = io.BytesIO(b"".join([encoded_varint(len(encoded)), *encoded, b"\0"]))
        try:
            rows: Any = fastavro.schemaless_reader(data, self._rows, None)
        except Exception as error:  # fastavro raises whatever its decoders stumble over
            raise BadRow(f"not in the group's schema ({type(error).__name__})") from error
        if data.read(1):
            raise BadRow("not in the group's schema (bytes are left over)")
        for name, scale in self._scales.items():
            for row in rows:
                row[name] = _decimal_text(row[name], scale)
        return list(rows)


def _picker(names: Sequence[str]) -> Callable[[dict[str, Any]], Row]:
    """A function that takes the values of these names out of a row."""
    if len(names) == 1:
        (name,) = names
        return lambda row: (row[name],)
    return operator.itemgetter(*names)


def _decimal_text(unscaled: bytes | None, scale: int) -> str | None:
    if unscaled is None:
        return None
    digits = int.from_bytes(unscaled, "big", signed=True)
    return str(decimal.Decimal(digits).scaleb(-scale))
