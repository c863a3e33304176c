"""What a feature is online: its column, the Avro it travels in, the value that is read back.

| type              | RonDB          | kept in SQLite as                          | `value`  |
|-------------------|----------------|--------------------------------------------|----------|
| tinyint … bigint  | the same       | INTEGER                                    | int      |
| boolean           | tinyint        | INTEGER, 0 or 1                            | bool     |
| float, double     | the same       | REAL; NaN becomes NULL                     | float    |
| decimal(p,s)      | the same       | TEXT, as `str(Decimal)` writes it          | Decimal  |
| string            | varchar(100)   | TEXT                                       | str      |
| timestamp         | the same       | INTEGER, microseconds since 1970 in UTC    | datetime |
| date              | the same       | INTEGER, days since 1970                   | date     |
| binary            | varbinary(100) | BLOB                                       | bytes    |
| array, struct, map| varbinary(100) | BLOB, Avro without a header; the SDK decodes it | bytes |

The RonDB types are Hopsworks' own (`OnlineFeaturegroupController.getOnlineType`); so are the Avro
types (`AvroSchemaConstructorController`), except that a tinyint is an int here, not bytes.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.offline import comparisons
from local_hopsworks.offline.delta import type_parts
from local_hopsworks.online.errors import (
    MALFORMED_TYPE,
    MAP_KEY_NOT_STRING,
    ONLINE_TYPE_NOT_SUPPORTED,
)

COMPLEX = ("array<", "struct<", "map<")
_AVRO: dict[str, Any] = {
    "tinyint": "int",
    "smallint": "int",
    "int": "int",
    "bigint": "long",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "string": "string",
    "binary": "bytes",
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
    "date": {"type": "int", "logicalType": "date"},
}
_SQLITE = {
    "float": "REAL",
    "double": "REAL",
    "string": "TEXT",
    "binary": "BLOB",
}
INTEGERS = range(-(2**63), 2**63)  # that SQLite can hold
_RANGES = {"tinyint": 2**7, "smallint": 2**15, "int": 2**31}
_LENGTH = re.compile(r"(?:var)?(?:char|binary)\((\d{1,5})\)")
_DECIMAL = re.compile(r"decimal(?:\((\d{1,2}),(\d{1,2})\))?")
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True)
class Column:
    """A feature of an online feature group."""

    name: str
    type: str  # the offline type, in lower case without spaces
    online_type: str  # RonDB's
    primary: bool
    default: str | None = None  # what rows have that were stored before it was appended

    @property
    def is_complex(self) -> bool:
        """Whether its value is Avro bytes that the SDK encodes and decodes by itself."""
        return self.type.startswith(COMPLEX)

    @property
    def definition(self) -> str:
        """How SQLite declares it; what RonDB would not take breaks a CHECK."""
        name = quoted(self.name)
        if self.is_complex:
            kind = "BLOB"
        elif self.type.startswith("decimal"):
            kind = "TEXT"
        else:
            kind = _SQLITE.get(self.type, "INTEGER")
        return " ".join([f"{name} {kind}", *self._constraints(), *self._default()])

    @property
    def stored_default(self) -> Any:
        """The default value, as the table holds it."""
        if self.is_complex or self.default is None:
            return None
        return self.stored(comparisons.typed(self.default, self.type, self.name))

    def _default(self) -> Iterator[str]:
        value = self.stored_default
        if isinstance(value, bytes):
            yield f"DEFAULT x'{value.hex()}'"
        elif isinstance(value, str):
            yield "DEFAULT '{}'".format(value.replace("'", "''"))
        elif value is not None and not (isinstance(value, float) and not math.isfinite(value)):
            yield f"DEFAULT {value!r}"

    def _constraints(self) -> Iterator[str]:
        """What RonDB takes; the name of a constraint is what SQLite says when it is broken."""
        name = quoted(self.name)
        if self.primary:
            yield f"CONSTRAINT {quoted(f'{self.name} must not be null')} CHECK ({name} NOTNULL)"
        if length := _LENGTH.fullmatch(self.online_type):
            sentence = quoted(f"{self.name} must fit into {self.online_type}")
            yield f"CONSTRAINT {sentence} CHECK (length({name}) <= {int(length[1])})"
        if half := _RANGES.get(self.type):
            sentence = quoted(f"{self.name} must fit into {self.type}")
            yield f"CONSTRAINT {sentence} CHECK ({name} BETWEEN {-half} AND {half - 1})"

    def stored(self, value: Any) -> Any:
        """A Python value, or a text of it, as the table holds it; for keys that a caller names.

        Raises HopsworksError if it cannot be a value of this feature.
        """
        if value is None or self.is_complex:
            return value
        try:
            scale = decimal_scale(self)
            if scale is not None:  # as it was written: 1.50, and not 1.5
                return str(decimal.Decimal(str(value)).quantize(decimal.Decimal(1).scaleb(-scale)))
            return _in_64_bits(_stored(self.type, value))
        except (TypeError, ValueError, OverflowError, decimal.InvalidOperation) as error:
            message = f"{str(value)[:80]!r} is no value of the feature {self.name} ({self.type})."
            raise HopsworksError(message) from error

    def value(self, stored: Any) -> Any:
        """The Python value of what the table holds."""
        if stored is None:
            return None
        if self.type == "timestamp":
            return _EPOCH + stored * _MICROSECOND
        if self.type == "date":
            return (_EPOCH + datetime.timedelta(days=stored)).date()
        if self.type == "boolean":
            return bool(stored)
        if self.type.startswith("decimal"):
            return decimal.Decimal(stored)
        return stored


def column(feature: dict[str, Any]) -> Column:
    """The column of a feature (its DTO)."""
    return Column(
        feature["name"],
        _compact(feature["type"]),
        online_type(feature),
        bool(feature.get("primary")),
        feature.get("defaultValue"),
    )


def online_type(feature: dict[str, Any]) -> str:
    """What Hopsworks makes a feature's type in RonDB, unless the feature says so itself."""
    if feature.get("onlineType"):
        return str(feature["onlineType"]).lower()
    kind = _compact(feature["type"])
    if kind == "boolean":
        return "tinyint"
    if kind == "string":
        return "varchar(100)"
    return "varbinary(100)" if kind == "binary" or kind.startswith(COMPLEX) else kind


def avro_type(kind: str, name: str) -> Any:
    """The Avro type of an offline type; everything in it may be null.

    `name` makes the names of nested records unique. Raises HopsworksError for what is no type.
    """
    return ["null", _avro_type(_compact(kind), name)]


def wire_type(column: Column) -> Any:
    """How a value of the column is read from a row on the wire: numbers and bytes as they are."""
    if column.is_complex or column.type.startswith("decimal"):
        return ["null", "bytes"]
    plain = _AVRO[column.type]
    return ["null", plain["type"] if isinstance(plain, dict) else plain]


def decimal_scale(column: Column) -> int | None:
    """How many digits of a decimal stand after the point; None for any other type."""
    found = _DECIMAL.fullmatch(column.type)
    return int(found[2] or 0) if found else None


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _compact(kind: str) -> str:
    """A struct's field names keep their case; everything else of a type is lower case."""
    without_spaces = re.sub(r"\s+", "", kind)
    if "<" not in without_spaces:
        return without_spaces.lower()
    outer, _, inner = without_spaces.partition("<")
    return f"{outer.lower()}<{inner}"


def _avro_type(kind: str, name: str) -> Any:
    if kind.startswith(COMPLEX) and kind.endswith(">"):
        outer, inner = kind[:-1].split("<", 1)
        if outer == "array":
            return {"type": "array", "items": avro_type(inner, f"{name}_item")}
        if outer == "map":
            return {"type": "map", "values": _map_values(kind, inner, name)}
        return {
            "type": "record",
            "name": f"{name}_struct",
            "fields": [
                {"name": field, "type": avro_type(field_type, f"{name}_{field}")}
                for field, field_type in _fields(kind, inner)
            ],
        }
    if found := _DECIMAL.fullmatch(kind):
        precision, scale = int(found[1] or 10), int(found[2] or 0)
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    if kind not in _AVRO:
        message = f"The feature {name} cannot be kept online: its type is {kind[:80]!r}."
        raise HopsworksError(message, ONLINE_TYPE_NOT_SUPPORTED)
    return _AVRO[kind]


def _map_values(kind: str, inner: str, name: str) -> Any:
    key, _, values = inner.partition(",")
    if key.lower() != "string":
        message = f"The keys of a map must be strings online, not as in {kind[:80]!r}."
        raise HopsworksError(message, MAP_KEY_NOT_STRING)
    return avro_type(values, f"{name}_value")


def _fields(kind: str, inner: str) -> Iterator[tuple[str, str]]:
    """Name and type of the fields of a struct."""
    for part in type_parts(inner):
        field, colon, field_type = part.partition(":")
        if not (field and colon and field_type):
            raise HopsworksError(f"{kind[:80]!r} is no type of a struct.", MALFORMED_TYPE)
        yield field, field_type


def _stored(kind: str, value: Any) -> Any:
    if kind == "timestamp":
        return _microseconds(value)
    if kind == "date":
        return _days(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "string":
        return str(value)
    if kind == "binary":
        return bytes(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("a whole number is needed")
    return int(value)


def _in_64_bits(value: Any) -> Any:
    """SQLite holds no larger number."""
    if isinstance(value, int) and value not in INTEGERS:
        raise OverflowError
    return value


def _microseconds(value: Any) -> int:
    """Of a datetime (naive ones are UTC), an ISO text, or a number of milliseconds since 1970."""
    if isinstance(value, int | float):
        return int(value * 1000)
    moment = value
    if isinstance(moment, str):
        moment = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    elif not isinstance(moment, datetime.datetime):
        moment = datetime.datetime.combine(moment, datetime.time())
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return (moment - _EPOCH) // _MICROSECOND


def _days(value: Any) -> int:
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime.datetime):
        value = value.date()
    if not isinstance(value, datetime.date):
        raise ValueError("a date is needed")
    return (value - _EPOCH.date()).days
