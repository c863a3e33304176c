"""A Plan as SQL, built as a tree with SQLAlchemy: names are quoted and values escaped by it, never
by hand."""

from __future__ import annotations

import datetime
import decimal
import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import UserDefinedType

from local_hopsworks.offline.comparisons import INTEGER_DIGITS, MOST_DIGITS, digits
from local_hopsworks.offline.plan import (
    EPOCH,
    MOST_SECONDS,
    Column,
    Condition,
    Filter,
    Join,
    Logic,
    Plan,
    Value,
)

ROWS = "rows"  # what present.py calls the table of a scan
_Expression = sa.ColumnElement[Any]
# Other styles double per cent signs
_DIALECT = DefaultDialect(paramstyle="qmark", supports_native_boolean=True)
_TIMES = ("timestamp", "date")
_LARGEST_WHOLE = sa.Numeric(MOST_DIGITS, 0)
_COMPARISONS: dict[str, Callable[[_Expression, _Expression], _Expression]] = {
    "EQUALS": operator.eq,
    "NOT_EQUALS": operator.ne,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LIKE": lambda left, pattern: left.like(pattern),
}


def alias(table: int) -> str:
    """The name under which run.py registers the table at this position of the plan."""
    return f"fg{table}"


def to_sql(plan: Plan) -> str:
    """The SELECT statement of a plan, in DuckDB's dialect."""
    source: sa.FromClause = sa.table(alias(0))
    for join in plan.joins:
        source = _Joined(source, join)
    select = sa.select(
        *(_expression(column).label(quoted_name(name, True)) for column, name in plan.columns)
    )
    select = select.select_from(source).order_by(
        *(_expression(column).nulls_first() for column in plan.order)
    )
    if plan.condition:
        select = select.where(_condition(plan.condition))
    return text(select.limit(plan.limit))


def text(select: sa.Select[Any]) -> str:
    """A SELECT statement with its values in it; names are quoted and values escaped."""
    return str(select.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


def to_scan(
    columns: Sequence[tuple[Column, str]], bounds: Sequence[Filter], missing: Collection[str]
) -> str:
    """The SELECT statement, in DataFusion's dialect, of these columns of the table ROWS, by these
    names, within the bounds. Columns that are missing are NULL."""

    def of(column: Column) -> _Expression:
        return sa.null() if column.name in missing else sa.column(quoted_name(column.name, True))

    select = sa.select(
        *(of(column).label(quoted_name(name, True)) for column, name in columns)
    ).select_from(sa.table(ROWS))
    comparisons = [
        _COMPARISONS[bound.condition](of(bound.column), _bound(bound.value)) for bound in bounds
    ]
    if comparisons:
        # DataFusion estimates how many rows remain, and stops with an error if the column reaches
        # from one end of 64 bits to the other. It estimates nothing where it sees IS TRUE.
        comparisons.append(comparisons[0].is_(sa.true()))
    select = select.where(*comparisons)
    return text(select)


def _bound(value: object) -> _Expression:
    # As Delta has it; nanoseconds, which text would mean, end in 2262
    if isinstance(value, datetime.datetime):
        microseconds = (value - EPOCH) // datetime.timedelta(microseconds=1)
        return sa.func.arrow_cast(microseconds, "Timestamp(Microsecond, None)")
    return (
        sa.cast(sa.literal(value.isoformat()), sa.Date)
        if isinstance(value, datetime.date)
        else sa.literal(value)
    )


class _Joined(sa.Join):
    """What stands left and the table of a Join. SQLAlchemy itself has neither RIGHT nor CROSS nor
    ASOF."""

    inherit_cache = False

    def __init__(self, left: sa.FromClause, join: Join) -> None:
        right: sa.FromClause = sa.table(alias(join.table))
        if join.condition:
            chosen = sa.select(sa.text("*")).select_from(right).where(_condition(join.condition))
            right = chosen.subquery(alias(join.table))
        for nested in join.joins:
            right = _Joined(right, nested)
        on = [operator.eq(*_comparable(*keys)) for keys in join.on]
        if join.event_times:
            on.append(_event_time(join, 0) >= _event_time(join, 1))
        super().__init__(left, right, sa.and_(sa.true(), *on))
        self.onclause = self.onclause if on else None
        self.keyword = ("ASOF " if join.event_times else "") + join.type.upper()


@compiles(_Joined)
def _compile_joined(joined: _Joined, compiler: SQLCompiler, **options: Any) -> str:
    options |= {"asfrom": True, "from_linter": None}
    text = (
        f"{compiler.process(joined.left, **options)} {joined.keyword} JOIN "
        f"{compiler.process(joined.right, **options)}"
    )
    return (
        text
        if joined.onclause is None
        else f"{text} ON {compiler.process(joined.onclause, **options)}"
    )


class _Reference(sa.ColumnElement[Any]):
    """A column of a table, wherever that table stands: SQLAlchemy's own would add the table to FROM
    once more."""

    inherit_cache = False

    def __init__(self, column: Column) -> None:
        self.column = column


@compiles(_Reference)
def _compile_reference(reference: _Reference, compiler: SQLCompiler, **options: Any) -> str:
    name = compiler.preparer.quote_identifier(reference.column.name)
    return f"{alias(reference.column.table)}.{name}"


def _expression(column: Column) -> _Expression:
    reference = _Reference(column)
    return reference if column.default is None else sa.func.coalesce(reference, _default(column))


def _default(column: Column) -> _Expression:
    """What rows have that were stored earlier, in the column's own type: DuckDB would widen it."""
    literal = _literal(column.default)
    if column.type == "float":
        return sa.cast(literal, sa.REAL)
    exact = None if column.type in INTEGER_DIGITS else digits(column.type)
    return literal if exact is None else sa.cast(literal, sa.Numeric(*exact))


def _event_time(join: Join, side: int) -> _Expression:
    assert join.event_times
    types = {event_time.type for event_time in join.event_times}
    column = join.event_times[side]
    if types <= set(_TIMES):
        return _expression(column)
    return _milliseconds(column) if types == {"bigint"} else _microseconds(column)


def _milliseconds(column: Column) -> _Expression:
    """A bigint event time, which is in seconds or in milliseconds, in ms since 1970."""
    event_time = _expression(column)
    are_seconds = event_time.between(-MOST_SECONDS, MOST_SECONDS)
    return sa.case((are_seconds, event_time * 1000), else_=event_time)


def _microseconds(column: Column) -> _Expression:
    """An event time of any type since 1970. Of a bigint they may need more than 64 bits."""
    if column.type in _TIMES:
        return sa.func.epoch_us(_expression(column))
    return sa.cast(_milliseconds(column), _LARGEST_WHOLE) * 1000


def _condition(condition: Condition) -> _Expression:
    if isinstance(condition, Logic):
        join = sa.or_ if condition.operator == "OR" else sa.and_
        return join(*(_condition(part) for part in condition.parts))
    return _filter(condition)


def _filter(filter_: Filter) -> _Expression:
    left = _expression(filter_.column)
    if isinstance(filter_.value, Column):
        return _COMPARISONS[filter_.condition](*_comparable(filter_.column, filter_.value))
    if isinstance(filter_.value, tuple):
        return (
            left.in_([_literal(value) for value in filter_.value]) if filter_.value else sa.false()
        )
    if filter_.value is None:
        return left.is_not(None) if filter_.condition == "NOT_EQUALS" else left.is_(None)
    return _COMPARISONS[filter_.condition](left, _literal(filter_.value))


def _comparable(left: Column, right: Column) -> tuple[_Expression, _Expression]:
    """Both columns, in a type that holds the values of both."""
    sides = _expression(left), _expression(right)
    shared = _shared_type(left.type, right.type)
    return sides if shared is None else (sa.cast(sides[0], shared), sa.cast(sides[1], shared))


def _shared_type(left: str, right: str) -> sa.types.TypeEngine[Any] | None:
    """None where DuckDB itself compares the types well. It compares whole numbers with `float` in
    single precision, and fails for a decimal that has not enough digits for the other side."""
    if left == right or {left, right} <= set(INTEGER_DIGITS):
        return None
    if not {left, right}.isdisjoint(("float", "double")):
        return sa.Double()
    sides = [digits(type_) for type_ in (left, right)]
    whole = max((side.precision - side.scale for side in sides if side), default=0)
    scale = max((side.scale for side in sides if side), default=0)
    if not whole + scale:
        return None  # times
    fits = whole + scale <= MOST_DIGITS
    return sa.Numeric(whole + scale, scale) if fits else sa.Double()


class _TimestampWithTimeZone(UserDefinedType[datetime.datetime]):
    def get_col_spec(self, **options: Any) -> str:
        return "TIMESTAMP WITH TIME ZONE"


def _literal(value: Value) -> _Expression:
    if isinstance(value, float):  # as text, so that infinity and NaN need no special case
        return sa.cast(sa.literal(repr(value), sa.String), sa.Double)
    if isinstance(value, datetime.datetime):
        # Without a zone in the end (run.py works in UTC): DuckDB compares it as it is with a column
        # that has none, and with one that has. So it reaches the files' statistics, and a narrow
        # window reads only the files it lies in
        return sa.cast(
            sa.cast(sa.literal(value.isoformat(), sa.String), _TimestampWithTimeZone), sa.TIMESTAMP
        )
    if isinstance(value, datetime.date):
        return sa.cast(sa.literal(value.isoformat(), sa.String), sa.Date)
    if isinstance(value, decimal.Decimal):  # never with an exponent, which would make it a float
        return sa.literal_column(format(value, "f"))
    if isinstance(value, bytes):
        return sa.func.from_hex(value.hex())
    return sa.literal(value)
