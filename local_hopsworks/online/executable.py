"""A statement that this server handed out, as SQLite runs it: real tables, bound values, and what
each column of the result is."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.online import online_table
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.online.types import INTEGERS, Column

MOST_VALUES = 30_000  # in one statement; SQLite takes 32,766
_TABLE = re.compile(r"`\w+`\.`(?P<name>\w+)_(?P<version>\d+)` AS `(?P<alias>fg\d+)`")
_PROJECT = re.compile(r" FROM `(\w+)`\.")
_COLUMN = r"`fg\d+`\.`\w+`"
_SELECTED = re.compile(rf"({_COLUMN}) AS `(\w+)`")
_PARAMETER = re.compile(
    rf"\((?P<columns>{_COLUMN}(?:, {_COLUMN})*)\) IN \?"
    rf"|(?P<column>{_COLUMN}) (?P<operator>=|<>|<=|>=|<|>|LIKE) \?"
    r"|LIMIT \?"
)
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double")
_ROWS = "\0"  # where the rows of a list go


@dataclass(frozen=True)
class Parameter:
    """A question mark of a shape."""

    columns: tuple[Column, ...]  # what it is compared with; none for a limit
    is_list: bool

    def bind(self, value: Any) -> Sequence[Any]:
        """Its value, or the values of its list, as SQLite holds them. Raises HopsworksError."""
        if self.is_list:
            if len(value) % len(self.columns) or len(value) > MOST_VALUES:
                raise HopsworksError(f"A list of {len(value)} values does not fit the statement.")
            columns = self.columns * (len(value) // len(self.columns))
            return [_stored(column, each) for column, each in zip(columns, value, strict=True)]
        if not self.columns:
            return [_whole_number(value)]
        return [_stored(self.columns[0], value)]


@dataclass(frozen=True)
class Executable:
    """A shape, for the tables as they are now."""

    sql: str
    parameters: tuple[Parameter, ...]
    columns: tuple[tuple[str, Column], ...]  # of the result, with their names in it

    def run(self, db: sqlite3.Connection, values: Sequence[Any]) -> sqlite3.Cursor:
        """Start it with a value for each parameter. Raises HopsworksError if they do not fit."""
        if len(values) != len(self.parameters):
            raise HopsworksError("The statement has values for another number of parameters.")
        sql = self.sql
        bound: list[Any] = []
        for parameter, value in zip(self.parameters, values, strict=True):
            stored = parameter.bind(value)
            if parameter.is_list:
                row = f"({', '.join('?' * len(parameter.columns))})"
                rows = ", ".join([row] * (len(stored) // len(parameter.columns)))
                sql = sql.replace(_ROWS, rows, 1)
            bound.extend(stored)
        return db.execute(sql, bound)


def project_of(shape: str) -> str:
    """The project whose online store a shape reads."""
    found = _PROJECT.search(shape)
    assert found, shape  # of every statement that is handed out
    return found[1]


def executable(store: OnlineStore, db: sqlite3.Connection, shape: str) -> Executable:
    """What a shape means now. Raises HopsworksError if it reads what is not online any more."""
    found: dict[str, Table] = {}
    for match in _TABLE.finditer(shape):
        table = store.find_version(db, match["name"], int(match["version"]))
        if table is None:
            name = f"{match['name']} version {match['version']}"
            raise HopsworksError(f"Feature group {name} is not online enabled.")
        found[match["alias"]] = table

    def column(text: str) -> Column:
        alias, name = text.replace("`", "").split(".")
        return found[alias].column(name)

    parameters, sql = [], []
    end = 0
    for match in _PARAMETER.finditer(shape):
        columns = [column(each) for each in re.findall(_COLUMN, match[0])]
        parameters.append(Parameter(tuple(columns), match["columns"] is not None))
        sql += [shape[end : match.start()], _comparison(match, columns)]
        end = match.end()
    sql.append(shape[end:])
    select = shape.partition(" FROM ")[0]
    return Executable(
        _TABLE.sub(lambda match: _source(found[match["alias"]], match["alias"]), "".join(sql)),
        tuple(parameters),
        tuple((name, column(each)) for each, name in _SELECTED.findall(select)),
    )


def _comparison(match: re.Match[str], columns: list[Column]) -> str:
    if match["columns"]:
        return f"({match['columns']}) IN (VALUES {_ROWS})"
    if match["operator"] and columns[0].type.startswith("decimal"):  # which is stored as text
        return f"CAST({match['column']} AS REAL) {match['operator']} CAST(? AS REAL)"
    return match[0]


def _source(table: Table, alias: str) -> str:
    """The table without rows that are older than its time to live."""
    if table.ttl is None:
        return f"{table.sql_name} AS `{alias}`"
    return f"(SELECT * FROM {table.sql_name} WHERE {online_table.alive(table)}) AS `{alias}`"


def _stored(column: Column, value: Any) -> Any:
    """A value as the column holds it; a number that is compared with numbers is any number."""
    if column.type in _NUMBERS and isinstance(value, int | float):
        return value if isinstance(value, float) or value in INTEGERS else _floating(value)
    return column.stored(value)


def _floating(number: int) -> float:
    """One that is beyond 64 bits, as SQLite can compare it with those that are not."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _whole_number(value: Any) -> int:
    if not isinstance(value, int) or value not in INTEGERS:
        raise HopsworksError(f"A limit is a whole number, not {str(value)[:80]!r}.")
    return value
