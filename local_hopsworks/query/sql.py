"""A Plan as DuckDB SQL, built as a tree with sqlglot: names are quoted and values escaped by it, never by hand."""

from __future__ import annotations

import datetime
import decimal

from sqlglot import exp

from local_hopsworks.query.plan import Column, Condition, Filter, Join, Logic, Plan, Value

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "EQUALS": exp.EQ,
    "NOT_EQUALS": exp.NEQ,
    "LESS_THAN": exp.LT,
    "LESS_THAN_OR_EQUAL": exp.LTE,
    "GREATER_THAN": exp.GT,
    "GREATER_THAN_OR_EQUAL": exp.GTE,
    "LIKE": exp.Like,
}
# A bigint event time is in seconds or in milliseconds; as in the SDK, more than ten digits are milliseconds.
_MOST_SECONDS = 9_999_999_999


def alias(table: int) -> str:
    """The name under which run.py registers the table at this position of the plan."""
    return f"fg{table}"


def to_sql(plan: Plan) -> str:
    """The SELECT statement of a plan, in DuckDB's dialect."""
    select = exp.select(*(exp.alias_(_expression(column), name, quoted=True) for column, name in plan.columns)).from_(
        _table(0)
    )
    for join in plan.joins:
        select = select.join(_join(join))
    if plan.condition:
        select = select.where(_condition(plan.condition))
    if plan.order:
        select = select.order_by(*(exp.Ordered(this=_expression(column), nulls_first=True) for column in plan.order))
    if plan.limit is not None:
        select = select.limit(plan.limit)
    return select.sql(dialect="duckdb")


def _table(table: int) -> exp.Table:
    return exp.to_table(alias(table))


def _join(join: Join) -> exp.Join:
    right: exp.Expr = _table(join.table)
    if join.condition:
        right = exp.select("*").from_(right).where(_condition(join.condition)).subquery(alias(join.table))
    if join.joins:
        right.set("joins", [_join(nested) for nested in join.joins])
        right = exp.Subquery(this=right)
    on: list[exp.Expr] = [
        exp.EQ(this=_expression(left), expression=_expression(right_key)) for left, right_key in join.on
    ]
    if join.event_times:
        on.append(exp.GTE(this=_event_time(join, 0), expression=_event_time(join, 1)))
    return exp.Join(
        this=right,
        on=exp.and_(*on) if on else None,
        method="ASOF" if join.event_times else None,
        side=join.type.upper() if join.type in ("left", "right", "full") else None,
        kind="CROSS" if join.type == "cross" else None,
    )


def _event_time(join: Join, side: int) -> exp.Expr:
    assert join.event_times
    types = {event_time.type for event_time in join.event_times}
    comparable = len(types) == 1 and types <= {"timestamp", "date"}  # a bigint may be in seconds or milliseconds
    return _expression(join.event_times[side]) if comparable else _milliseconds(join.event_times[side])


def _expression(column: Column) -> exp.Expr:
    reference = exp.column(column.name, table=alias(column.table), quoted=True)
    return reference if column.default is None else exp.Coalesce(this=reference, expressions=[_literal(column.default)])


def _milliseconds(column: Column) -> exp.Expr:
    """An event time of any type in ms since 1970."""
    reference = _expression(column)
    if column.type in ("timestamp", "date"):
        return exp.func("epoch_ms", reference)
    is_seconds = exp.LTE(this=exp.Abs(this=reference.copy()), expression=exp.Literal.number(_MOST_SECONDS))
    in_seconds = exp.Mul(this=reference.copy(), expression=exp.Literal.number(1000))
    return exp.Case(ifs=[exp.If(this=is_seconds, true=in_seconds)], default=reference)


def _condition(condition: Condition) -> exp.Expr:
    if isinstance(condition, Logic):
        join = exp.or_ if condition.operator == "OR" else exp.and_
        return join(*(_condition(part) for part in condition.parts))
    return _filter(condition)


def _filter(filter_: Filter) -> exp.Expr:
    left = _expression(filter_.column)
    if isinstance(filter_.value, tuple):
        return (
            exp.In(this=left, expressions=[_literal(value) for value in filter_.value])
            if filter_.value
            else exp.false()
        )
    if filter_.value is None:
        missing = exp.Is(this=left, expression=exp.Null())
        return exp.Not(this=missing) if filter_.condition == "NOT_EQUALS" else missing
    return _COMPARISONS[filter_.condition](this=left, expression=_literal(filter_.value))


def _literal(value: Value) -> exp.Expr:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, int):
        return exp.Literal.number(value)
    if isinstance(value, float):  # as text, so that infinity and NaN need no special case
        return exp.cast(exp.Literal.string(repr(value)), "DOUBLE")
    if isinstance(value, decimal.Decimal):
        return exp.Literal.number(format(value, "f"))
    if isinstance(value, datetime.datetime):
        return exp.cast(exp.Literal.string(value.isoformat()), "TIMESTAMPTZ")
    if isinstance(value, datetime.date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.Literal.string(value)
