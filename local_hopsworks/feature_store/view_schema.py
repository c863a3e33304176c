"""What a feature view consists of: its features with their roles, its feature groups, its keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from local_hopsworks.feature_store import feature_groups, on_demand, queries
from local_hopsworks.feature_store.serving_keys import ServingKey, join_prefixes, serving_keys
from local_hopsworks.http.calls import Call
from local_hopsworks.offline.plan import Column, Plan

LABEL, INFERENCE_HELPER, TRAINING_HELPER = "label", "inferenceHelperColumn", "trainingHelperColumn"
ROLES = (LABEL, INFERENCE_HELPER, TRAINING_HELPER)


@dataclass(frozen=True)
class ViewFeature:
    """A feature of a feature view, and where it comes from."""

    name: str  # in the view
    column: Column  # of its feature group
    roles: frozenset[str]  # some of ROLES; none for a plain feature

    def has(self, *roles: str) -> bool:
        """Whether it has one of these roles."""
        return bool(self.roles.intersection(roles))


@dataclass(frozen=True)
class ViewSchema:
    """A feature view as it is now; tables are numbered as in the plan of its query."""

    plan: Plan
    features: tuple[ViewFeature, ...]
    groups: dict[int, dict[str, Any]]  # the DTOs by id
    join_prefixes: list[str]  # as the query has them, by table

    def group(self, table: int) -> dict[str, Any]:
        """The DTO of the feature group that is read as this table."""
        return self.groups[self.plan.tables[table].group]

    def of_table(self, table: int) -> list[ViewFeature]:
        """The features that come from this table."""
        return [feature for feature in self.features if feature.column.table == table]

    def primary_key(self, table: int) -> list[str]:
        """The names of the table's keys."""
        return [each["name"] for each in self.group(table)["features"] if each.get("primary")]

    def prefix(self, table: int) -> str:
        """What stands before the names of the table's features in the view."""
        for feature in self.of_table(table):
            return feature.name.removesuffix(feature.column.name)
        return self.join_prefixes[table]

    @cached_property
    def serving_keys(self) -> list[ServingKey]:
        """The keys that a feature vector is asked for with."""
        tables = range(len(self.plan.tables))
        only_labels = {
            table
            for table in tables
            if (features := self.of_table(table)) and all(each.has(LABEL) for each in features)
        }
        primary_keys = [self.primary_key(table) for table in tables]
        return serving_keys(self.plan, self.join_prefixes, primary_keys, only_labels)

    def on_demand_functions(self, table: int) -> list[on_demand.Function]:
        """The functions that compute features of this table."""
        selected = {feature.column.name for feature in self.of_table(table)}
        return on_demand.functions(self.group(table), selected, self.prefix(table))


def schema(call: Call, row: sa.Row[Any]) -> ViewSchema:
    """The schema of a stored feature view. Raises NotFound with the code of a missing feature group
    when one of the query's was deleted."""
    query = row.document["query"]
    groups = {
        key: feature_groups.document(call, feature_groups.find(call, key))
        for key in feature_groups.group_ids(query)
    }
    plan = queries.plan(call.db, call.store, call.project, query)
    roles: dict[tuple[int, str], set[str]] = {}
    for role in row.document["roles"]:  # a label that is a helper column too is named twice
        of = roles.setdefault((role["featureGroupId"], role["name"]), set())
        of |= {each for each in ROLES if role.get(each)}
    features = []
    for column, name in plan.columns:
        own = roles.get((plan.tables[column.table].group, column.name), ())
        features.append(ViewFeature(name, column, frozenset(own)))
    return ViewSchema(plan, tuple(features), groups, join_prefixes(query))
