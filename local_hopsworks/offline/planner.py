"""Query JSON, as the SDK builds it, to a Plan: every table, column and value looked up and checked.

What cannot be planned is refused with a sentence before anything is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local_hopsworks.errors import HopsworksError, NotEmbedded
from local_hopsworks.offline import comparisons
from local_hopsworks.offline.errors import (
    AMBIGUOUS_FEATURE,
    FEATURE_DOES_NOT_EXIST,
    ILLEGAL_QUERY,
    NO_JOINING_KEYS,
)
from local_hopsworks.offline.plan import (
    Column,
    Condition,
    Filter,
    Join,
    Logic,
    Plan,
    Table,
    columns_in,
    conjuncts,
)

DEEPEST_FILTER = 100
MOST_JOINS = 50
# In ms since 1970: the beginning and the end of all that Python can write
EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999
NO_LIMIT = 2**62  # of rows; a limit has the rows ordered by their keys, this one does nothing else
_JOIN_TYPES = {
    "INNER": "inner",
    "LEFT": "left",
    "RIGHT": "right",
    "FULL": "full",
    "OUTER": "full",
    "CROSS": "cross",
}
# What the SDK says of a feature that stands in the place of a value
_OF_A_FEATURE = {"name", "type", "primary", "partition", "featureGroupId", "useFullyQualifiedName"}

FeatureGroup = dict[str, Any]  # the DTO


def make_plan(
    query: dict[str, Any], find_group: Callable[[int], FeatureGroup], project: str
) -> Plan:
    """The plan of a Query DTO.

    `find_group(id)` returns the stored feature group's DTO or raises HopsworksError; what the
    client says of a group beyond its id (types, location) is not believed. Raises HopsworksError
    for an unknown feature, a value that does not fit its column, names that collide, or too deep a
    nesting.
    """
    return _Planner(find_group, project).plan(query)


class _Planner:
    def __init__(self, find_group: Callable[[int], FeatureGroup], project: str) -> None:
        self._find_group, self._project = find_group, project
        self._groups: list[FeatureGroup] = []  # beside Plan.tables
        self._result = Plan()

    def plan(self, query: dict[str, Any]) -> Plan:
        for unsupported in ("lookback", "spine"):
            if query.get(unsupported):
                raise NotEmbedded(f"a query with {unsupported}")
        self._add(query, prefix="")
        names = [name for _, name in self._result.columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise HopsworksError(
                f"Two features of the query are called {twice[0]!r}; give a join a prefix: "
                "join(..., prefix='right_').",
                AMBIGUOUS_FEATURE,
            )
        if not names:
            raise HopsworksError("The query selects no feature.", ILLEGAL_QUERY)
        if (limit := query.get("limit")) is not None:
            self._result.limit = max(0, _whole(limit)) if limit != NO_LIMIT else None
        if self._result.joins or limit is not None:
            self._result.order = self._order()
        return self._result

    def _order(self) -> list[Column]:
        """The columns to order rows by: neither a join nor a merge into a table leaves them in an
        order. A point-in-time join finds at most one row for each, so the first table's keys do."""
        first = self._keys(0)
        is_point_in_time = all(
            join.event_times is not None and not join.joins for join in self._result.joins
        )
        if first and is_point_in_time:
            return first
        return [column for table in range(len(self._groups)) for column in self._keys(table)]

    def _keys(self, table: int) -> list[Column]:
        """The primary key and the event time of a table."""
        group = self._groups[table]
        return [
            self._column(table, feature["name"])
            for feature in group["features"]
            if feature.get("primary") or feature["name"] == group.get("eventTime")
        ]

    def _add(self, query: dict[str, Any], prefix: str) -> int:
        """Add a (sub)query's table, its columns, its filter and its joins; returns the table's
        position."""
        table = self._table(query)
        group = self._groups[table]
        for feature in query.get("leftFeatures") or []:
            column = self._column(table, feature.get("name"))
            qualified = f"{self._project}_{group['name']}_{group['version']}_{column.name}"
            self._result.columns.append(
                (
                    column,
                    qualified if feature.get("useFullyQualifiedName") else prefix + column.name,
                )
            )
        for join in query.get("joins") or []:
            self._join(table, join)
        self._result.condition = both(
            self._result.condition, self._condition(query.get("filter"), table)
        )
        return table

    def _table(self, query: dict[str, Any]) -> int:
        if len(self._groups) > MOST_JOINS:
            raise HopsworksError(
                f"A query joins at most {MOST_JOINS} feature groups.", ILLEGAL_QUERY
            )
        try:
            group = self._find_group(_whole(query["leftFeatureGroup"]["id"]))
        except (KeyError, TypeError) as error:
            raise HopsworksError("The query names no feature group.", ILLEGAL_QUERY) from error
        until, since = query.get("leftFeatureGroupEndTime"), query.get("leftFeatureGroupStartTime")
        self._groups.append(group)
        self._result.tables.append(
            Table(
                group["id"],
                f"{group['name']}_{group['version']}",
                group["location"],
                None if until is None else _time(until),
                None if since is None else _time(since),
                tuple((feature["name"], str(feature.get("type"))) for feature in group["features"]),
                bool(group.get("onlineEnabled")),
            )
        )
        return len(self._groups) - 1

    def _join(self, left: int, join: dict[str, Any]) -> None:
        kind = _JOIN_TYPES.get(str(join.get("type") or "INNER").upper())
        if kind is None:
            raise HopsworksError(
                f"There is no join of type {str(join.get('type'))[:40]!r}; use "
                f"{', '.join(sorted(_JOIN_TYPES))}.",
                ILLEGAL_QUERY,
            )
        if join["query"].get("limit") is not None:
            raise HopsworksError(
                "Only a whole query can have a limit, not one side of a join.", ILLEGAL_QUERY
            )
        before = self._result.columns.copy()
        outer, self._result.condition = self._result.condition, None
        siblings, self._result.joins = self._result.joins, []
        right = self._add(join["query"], join.get("prefix") or "")
        nested, self._result.joins = self._result.joins, siblings
        on = self._join_keys(left, right, join) if kind != "cross" else ()
        event_times = self._event_times(left, right) if kind in ("inner", "left") else None
        # Like Hopsworks, a filter on the right side holds in the result, and also chooses among the
        # right side's rows before the latest of them is taken (unless the right side has joins of
        # its own and so is more than a table).
        inner = self._result.condition
        choice = _about(right, inner) if event_times and not nested else None
        self._result.joins.append(Join(right, kind, on, event_times, choice, tuple(nested)))
        self._result.condition = both(outer, inner)
        added = self._result.columns[len(before) :]
        shared = {theirs.name for ours, theirs in on if ours.name == theirs.name}
        if event_times:
            shared.add(event_times[1].name)
        names = {name for _, name in before}
        self._result.columns = before + self._named(right, added, names, shared, join.get("prefix"))

    def _event_times(self, left: int, right: int) -> tuple[Column, Column] | None:
        """The event times of two tables, if both have one."""
        ours, theirs = self._event_time(left), self._event_time(right)
        return (ours, theirs) if ours and theirs else None

    def _named(
        self,
        right: int,
        added: list[tuple[Column, str]],
        names: set[str],
        shared: set[str],
        prefix: str | None,
    ) -> list[tuple[Column, str]]:
        """The columns that a join adds to those with these `names`. Both sides have the `shared`
        keys they are joined on, and the event time; like Hopsworks, return the left side's."""
        columns = [
            (column, name)
            for column, name in added
            if not (column.table == right and column.name in shared and name in names)
        ]
        are_ambiguous = any(column.table == right and name in names for column, name in columns)
        if prefix or not are_ambiguous:
            return columns
        # the prefix that the SDK's warning about ambiguous features announces
        own = f"{self._groups[right]['name']}_"
        return [(column, own + name if column.table == right else name) for column, name in columns]

    def _join_keys(
        self, left: int, right: int, join: dict[str, Any]
    ) -> tuple[tuple[Column, Column], ...]:
        both_sides = _names(join.get("on"))
        left_names, right_names = (
            _names(join.get("leftOn")) or both_sides,
            _names(join.get("rightOn")) or both_sides,
        )
        if not left_names and not right_names:
            left_keys, right_keys = self._primary_key(left), self._primary_key(right)
            left_names = right_names = [key for key in left_keys if key in right_keys]
            # The larger key may hold columns that are plain features on the other side
            if not left_names:
                left_features = {feature["name"] for feature in self._groups[left]["features"]}
                left_names = right_names = [key for key in right_keys if key in left_features]
        if not left_names or len(left_names) != len(right_names):
            groups = f"{self._groups[left]['name']} and {self._groups[right]['name']}"
            raise HopsworksError(
                f"{groups} share no primary key to join on; use on=, or left_on= and "
                "right_on= of equal length.",
                NO_JOINING_KEYS,
            )
        keys = tuple(
            (self._column(left, a), self._column(right, b))
            for a, b in zip(left_names, right_names, strict=True)
        )
        for ours, theirs in keys:
            if ours.type != theirs.type and not comparisons.have_order(ours, theirs):
                raise HopsworksError(
                    f"{ours.name!r} is {ours.type[:80]} and {theirs.name!r} is "
                    f"{theirs.type[:80]}, which cannot be joined on; give both the same type.",
                    ILLEGAL_QUERY,
                )
        return keys

    def _primary_key(self, table: int) -> list[str]:
        return [
            feature["name"] for feature in self._groups[table]["features"] if feature.get("primary")
        ]

    def _event_time(self, table: int) -> Column | None:
        name = self._groups[table].get("eventTime")
        return self._column(table, name) if name else None

    def _column(self, table: int, name: object) -> Column:
        group = self._groups[table]
        for feature in group["features"]:
            if feature["name"] == name:
                type_, default = (
                    str(feature.get("type") or "string").lower(),
                    feature.get("defaultValue"),
                )
                return Column(
                    table,
                    feature["name"],
                    type_,
                    comparisons.typed(default, type_, feature["name"]),
                )
        known = ", ".join(feature["name"] for feature in group["features"])
        raise HopsworksError(
            f"Feature group {group['name']} version {group['version']} has no feature "
            f"{str(name)[:80]!r}, but {known}.",
            FEATURE_DOES_NOT_EXIST,
        )

    def _condition(
        self, node: dict[str, Any] | None, table: int, depth: int = 0
    ) -> Condition | None:
        """A Filter or Logic DTO; a feature that names no group is looked for in `table` first."""
        if not node:
            return None
        if depth > DEEPEST_FILTER:
            raise HopsworksError(
                f"The filter is nested more than {DEEPEST_FILTER} deep.", ILLEGAL_QUERY
            )
        if "condition" in node:
            return self._filter(node, table)
        sides = (
            node.get(side) for side in ("leftFilter", "leftLogic", "rightFilter", "rightLogic")
        )
        parts = tuple(
            part for side in sides if (part := self._condition(side, table, depth + 1)) is not None
        )
        operator = str(node.get("type"))
        if not parts or operator not in ("AND", "OR", "SINGLE"):
            raise HopsworksError(
                f"A filter joins conditions by AND or OR, not by {operator[:40]!r}.", ILLEGAL_QUERY
            )
        return parts[0] if len(parts) == 1 else Logic("OR" if operator == "OR" else "AND", parts)

    def _filter(self, node: dict[str, Any], table: int) -> Filter:
        feature, condition = node.get("feature") or {}, node["condition"]
        column = self._filter_column(feature, table)
        if "value" not in node:  # it may be null
            raise HopsworksError(f"The filter on {feature['name']!r} has no value.", ILLEGAL_QUERY)
        value = node["value"]
        if condition not in comparisons.CONDITIONS:
            raise HopsworksError(
                f"There is no condition {str(condition)[:40]!r}; use "
                f"{', '.join(comparisons.CONDITIONS)}.",
                ILLEGAL_QUERY,
            )
        other = _feature_in(value)
        if other is not None and condition != "IN":
            return comparisons.with_feature(column, condition, self._filter_column(other, table))
        return comparisons.with_value(column, condition, value)

    def _filter_column(self, feature: dict[str, Any], table: int) -> Column:
        group_id, name = feature.get("featureGroupId"), feature.get("name")
        order = [table, *(position for position in range(len(self._groups)) if position != table)]
        for position in order:
            group = self._groups[position]
            if (group_id is None or group["id"] == group_id) and any(
                stored["name"] == name for stored in group["features"]
            ):
                return self._column(position, name)
        if group_id is not None and all(group["id"] != group_id for group in self._groups):
            raise HopsworksError(
                f"The filter is about {str(name)[:80]!r} of a feature group that the query "
                "does not read.",
                FEATURE_DOES_NOT_EXIST,
            )
        return self._column(table, name)  # raises, naming what there is


def both(a: Condition | None, b: Condition | None) -> Condition | None:
    """The conjunction of two conditions either of which may be missing."""
    return Logic("AND", (a, b)) if a and b else a or b


def _about(table: int, condition: Condition | None) -> Condition | None:
    """What the condition demands of this table alone."""
    found: Condition | None = None
    for part in conjuncts(condition):
        if all(column.table == table for column in columns_in(part)):
            found = both(found, part)
    return found


def _feature_in(value: Any) -> dict[str, Any] | None:
    """The feature that a filter compares with, which the SDK writes as JSON; None for a value."""
    if not isinstance(value, str) or not value.startswith("{"):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() >= _OF_A_FEATURE else None


def _names(features: list[dict[str, Any]] | None) -> list[str]:
    return [feature["name"] for feature in features or []]


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise HopsworksError(
            f"The query needs a whole number where it has {str(value)[:80]!r}.", ILLEGAL_QUERY
        )
    return value


def _time(value: Any) -> int:
    """A time in ms since 1970."""
    if not EARLIEST <= _whole(value) <= LATEST:
        raise HopsworksError(f"{value} is no time in milliseconds since 1970.", ILLEGAL_QUERY)
    return _whole(value)
