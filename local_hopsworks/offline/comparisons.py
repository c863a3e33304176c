"""One comparison of a filter: what the SDK sent, always text, as a value of the column's type.

A column of whole numbers or decimals can hold only some numbers. So `n > 0.5` becomes `n >= 1`, and
a number that is larger than all of them decides the comparison by itself. No engine has to round.
"""

from __future__ import annotations

import ast
import ctypes
import datetime
import decimal
import json
import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from local_hopsworks.errors import HopsworksError
from local_hopsworks.offline.errors import ILLEGAL_QUERY
from local_hopsworks.offline.plan import EPOCH, Column, Filter, Value

CONDITIONS = (
    "EQUALS",
    "NOT_EQUALS",
    "LESS_THAN",
    "LESS_THAN_OR_EQUAL",
    "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL",
    "IN",
    "LIKE",
)
INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_INTEGERS_OF_64_BITS = range(-(2**63), 2**63)
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
_KINDS = {
    **dict.fromkeys((*INTEGER_DIGITS, "float", "double"), "number"),
    **dict.fromkeys(("timestamp", "date"), "time"),
    "string": "text",
    "boolean": "boolean",
    "binary": "bytes",
}
_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_SHORT_YEAR = re.compile(r"(\d{1,3})(?=-\d)")
_NESTED = ("array<", "struct<", "map<")
MOST_DIGITS = 38  # of a decimal
_EXACT = decimal.Context(prec=100)  # digits; a decimal of Hopsworks has at most 38


def with_value(column: Column, condition: str, value: Any) -> Filter:
    """The filter that compares a column with what the SDK sent; raises HopsworksError if it does
    not fit the column."""
    if value is None and condition not in ("EQUALS", "NOT_EQUALS"):
        raise HopsworksError(
            f"{column.name!r} can be equal to None or not, but not more or less than it.",
            ILLEGAL_QUERY,
        )
    if value is None:
        return Filter(column, condition, None)
    if column.type.startswith(_NESTED):
        raise HopsworksError(
            f"{column.name!r} is {column.type[:80]}, which can be compared with None only.",
            ILLEGAL_QUERY,
        )
    if condition == "IN":
        return _with_list(column, value)
    if condition == "LIKE":
        _must_be_text(column)
    grid = _grid(column.type)
    if grid is not None:
        return _with_number(column, condition, _number(value, column), grid)
    return Filter(column, condition, typed(value, column.type, column.name))


def with_feature(column: Column, condition: str, other: Column) -> Filter:
    """The filter that compares two columns; raises HopsworksError if their types have no order in
    common."""
    if condition == "LIKE":
        _must_be_text(column)
    if not have_order(column, other):
        raise HopsworksError(
            f"{column.name!r} is {column.type[:80]} and {other.name!r} is {other.type[:80]}, "
            "which cannot be compared.",
            ILLEGAL_QUERY,
        )
    return Filter(column, condition, other)


def have_order(left: Column, right: Column) -> bool:
    """Whether the values of one column can be compared with those of the other."""
    kind = _kind(left.type)
    return kind is not None and kind == _kind(right.type)


def _kind(type_: str) -> str | None:
    return "number" if type_.startswith("decimal") else _KINDS.get(type_)


def _must_be_text(column: Column) -> None:
    if column.type != "string":
        raise HopsworksError(
            f"like needs a feature of type string; {column.name!r} is {column.type}.",
            ILLEGAL_QUERY,
        )


def _with_list(column: Column, text: Any) -> Filter:
    """`isin`: the value is a JSON list, or a single value as JSON."""
    try:
        listed = json.loads(str(text))
    except (ValueError, RecursionError):
        listed = [{}]
    if not isinstance(listed, list):
        listed = [listed]
    if any(isinstance(item, list | dict) for item in listed):
        raise HopsworksError(f"isin on {column.name!r} needs a list of values.", ILLEGAL_QUERY)
    grid = _grid(column.type)
    values: list[Value] = []
    for item in listed:
        if grid is None or item is None:
            values.append(typed(item, column.type, column.name))
            continue
        number = _number(item, column)
        if grid.holds(number):
            values.append(grid.value(number))
    return Filter(column, "IN", tuple(values))


# --------------------------------------------------------------------------------------------------
# Numbers


@dataclass(frozen=True)
class _Grid:
    """The numbers that a column can hold: all multiples of `step` from `lowest` to `highest`."""

    step: decimal.Decimal
    lowest: decimal.Decimal
    highest: decimal.Decimal

    def rounded(self, number: decimal.Decimal, rounding: str) -> decimal.Decimal:
        return number.quantize(self.step, rounding, _EXACT)

    def holds(self, number: decimal.Decimal) -> bool:
        inside = self.lowest <= number <= self.highest
        return inside and self.rounded(number, decimal.ROUND_FLOOR) == number

    def value(self, number: decimal.Decimal) -> int | decimal.Decimal:
        return int(number) if self.step == 1 else number


def _grid(type_: str) -> _Grid | None:
    """The grid of an exact type, or None."""
    if type_ in INTEGER_DIGITS:
        bounds = _INTEGERS_OF_64_BITS
        return _Grid(decimal.Decimal(1), decimal.Decimal(bounds[0]), decimal.Decimal(bounds[-1]))
    found = digits(type_)
    if found is None:
        return None
    step = decimal.Decimal(1).scaleb(-found.scale)
    highest = _EXACT.multiply(decimal.Decimal(10**found.precision - 1), step)
    return _Grid(step, highest.copy_negate(), highest)


class Digits(NamedTuple):
    """How many digits the numbers of a type have: all of them, and those behind the point."""

    precision: int
    scale: int


def digits(type_: str) -> Digits | None:
    """Those of an exact type; None for any other type."""
    if type_ in INTEGER_DIGITS:
        return Digits(INTEGER_DIGITS[type_], 0)
    found = _DECIMAL.fullmatch(type_)
    return Digits(int(found[1]), int(found[2])) if found else None


def _number(value: Any, column: Column) -> decimal.Decimal:
    text = str(value)
    try:
        number = decimal.Decimal({"True": "1", "False": "0"}.get(text, text))
    except decimal.InvalidOperation as error:
        raise _misfit(text, column.type, column.name) from error
    if number.is_nan():
        raise _misfit(text, column.type, column.name)
    return number


def _with_number(column: Column, condition: str, number: decimal.Decimal, grid: _Grid) -> Filter:
    always = Filter(column, "NOT_EQUALS", None)  # every row that has a value
    never = Filter(column, "IN", ())
    if grid.holds(number):
        return Filter(column, condition, grid.value(number))
    if condition in ("EQUALS", "NOT_EQUALS"):
        return never if condition == "EQUALS" else always
    asks_for_less = condition in ("LESS_THAN", "LESS_THAN_OR_EQUAL")
    if number > grid.highest:
        return always if asks_for_less else never
    if number < grid.lowest:
        return never if asks_for_less else always
    # Between two numbers that the column can hold: the one below has the same numbers above it
    goes_down = condition in ("GREATER_THAN", "LESS_THAN_OR_EQUAL")
    rounding = decimal.ROUND_FLOOR if goes_down else decimal.ROUND_CEILING
    return Filter(column, condition, grid.value(grid.rounded(number, rounding)))


# --------------------------------------------------------------------------------------------------
# Values of all types


def typed(value: Any, type_: str, name: str) -> Value:
    """A value as one of this type, for the feature of this name; raises HopsworksError if it is
    none."""
    if value is None:
        return None
    text = str(value)
    try:
        return _typed(text, type_)
    except (KeyError, ValueError, ArithmeticError) as error:
        raise _misfit(text, type_, name) from error


def check_default(value: Any, type_: str, name: str) -> None:
    """Raises HopsworksError if the rows before a feature was appended cannot have this value."""
    if not _fits(value, Column(0, name, type_.lower().replace(" ", ""))):
        raise HopsworksError(
            f"The feature {name!r} is {type_[:80]} and cannot have the default value "
            f"{str(value)[:80]!r}.",
            ILLEGAL_QUERY,
        )


def _fits(value: Any, column: Column) -> bool:
    if column.type.startswith(_NESTED):
        return False
    grid, bits = _grid(column.type), _BITS.get(column.type)
    try:
        typed(value, column.type, column.name)
        number = _number(value, column) if grid else decimal.Decimal(0)
    except HopsworksError:
        return False
    is_in_range = bits is None or -(2 ** (bits - 1)) <= number < 2 ** (bits - 1)
    return is_in_range and (grid is None or grid.holds(number))


def _typed(text: str, type_: str) -> Value:
    if type_ == "boolean":
        return _BOOLEANS[text.lower()]
    if type_ in INTEGER_DIGITS:
        return int(text)
    if type_.startswith("decimal"):
        return decimal.Decimal(text)
    if type_ in ("float", "double"):
        return _floating(text, type_)
    if type_ == "timestamp":
        return _moment(text)
    if type_ == "date":
        moment = _moment(text)
        return moment if moment.time() != datetime.time() else moment.date()
    if type_ == "binary":
        as_bytes = _bytes(text)
        return text.encode() if as_bytes is None else as_bytes
    if _bytes(text) is not None:
        raise ValueError("bytes are no text")
    return text


def _floating(text: str, type_: str) -> float:
    number = float({"True": "1", "False": "0"}.get(text, text))
    if type_ == "double":
        return number
    single = ctypes.c_float(number).value  # 0.1 must equal a stored 0.1, of single precision
    return number if math.isinf(single) else single  # a number that is too large is not infinite


def _bytes(text: str) -> bytes | None:
    """What `str()` made of bytes or of a bytearray; None for any other text."""
    is_array = text.startswith("bytearray(") and text.endswith(")")
    literal = text[len("bytearray(") : -1] if is_array else text
    if not literal.startswith(("b'", 'b"')):
        return None
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, MemoryError):
        return None
    if not isinstance(value, bytes):
        return None
    return value if text == str(bytearray(value) if is_array else value) else None


def _misfit(text: str, type_: str, name: str) -> HopsworksError:
    return HopsworksError(
        f"{text[:80]!r} is no {type_}, which {name!r} is compared with.", ILLEGAL_QUERY
    )


def _moment(text: str) -> datetime.datetime:
    """A time as the SDK writes it: ISO text (UTC if it names no zone), or ms since 1970."""
    if text.lstrip("-").isdigit():
        return EPOCH + datetime.timedelta(milliseconds=int(text))
    text = text.strip().replace("Z", "+00:00")
    if short := _SHORT_YEAR.match(text):  # strftime of Linux writes the year 1 as 1
        text = text[: short.start()] + short[1].zfill(4) + text[short.end() :]
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
