"""The statement of `read(online=True)` and `show(online=True)`: a query's plan in MySQL's words.

The online store has the latest row of each key, so a join is one of keys and nothing else; the
event times of a query are for the offline store.
"""

from __future__ import annotations

from typing import Any

from local_hopsworks.offline.plan import Column, Condition, Filter, Join, Logic, Plan
from local_hopsworks.online.statements import literal, name

_OPERATORS = {
    "EQUALS": "=",
    "NOT_EQUALS": "<>",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
    "LIKE": "LIKE",
}


def read_statement(plan: Plan, project: str) -> str:
    """The SELECT statement of a plan over the online tables of a project."""
    columns = ", ".join(f"{_column(column)} AS {name(shown)}" for column, shown in plan.columns)
    text = f"SELECT {columns} FROM {_table(plan, 0, project)}"
    for join in plan.joins:
        text += _join(plan, join, project)
    if plan.condition:
        text += f" WHERE {_condition(plan.condition)}"
    return text if plan.limit is None else f"{text} LIMIT {plan.limit}"


def _join(plan: Plan, join: Join, project: str) -> str:
    right = _table(plan, join.table, project)
    if join.joins:
        nested = "".join(_join(plan, each, project) for each in join.joins)
        right = f"({right}{nested})"
    text = f" {join.type.upper()} JOIN {right}"
    if not join.on:
        return text
    keys = [f"{_column(left)} = {_column(right_key)}" for left, right_key in join.on]
    return f"{text} ON {' AND '.join(keys)}"


def _table(plan: Plan, table: int, project: str) -> str:
    return f"{name(project, plan.tables[table].name)} AS {name(_alias(table))}"


def _alias(table: int) -> str:
    return f"fg{table}"


def _column(column: Column) -> str:
    return name(_alias(column.table), column.name)


def _condition(condition: Condition) -> str:
    if isinstance(condition, Logic):
        parts = [_condition(part) for part in condition.parts]
        return f"({f' {condition.operator} '.join(parts)})"
    return _filter(condition)


def _filter(filter_: Filter) -> str:
    column, value = _column(filter_.column), filter_.value
    if isinstance(value, Column):
        return f"{column} {_OPERATORS[filter_.condition]} {_column(value)}"
    if isinstance(value, tuple):
        return (
            f"({column}) IN ({_list(value)})"
            if value
            else f"({column} IS NULL AND {column} IS NOT NULL)"
        )
    if value is None:
        return f"{column} IS {'NOT ' if filter_.condition == 'NOT_EQUALS' else ''}NULL"
    return f"{column} {_OPERATORS[filter_.condition]} {literal(value)}"


def _list(values: tuple[Any, ...]) -> str:
    return ", ".join(literal(value) for value in values)
