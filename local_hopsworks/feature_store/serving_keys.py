"""The keys that a feature vector is asked for with: those of every feature group of the view.

As in Hopsworks (`FeatureViewController.getServingKeys`): a key that the view joins on a key of its
first feature group need not be given, it is taken from there (`joinOn`). Any other is required,
under the prefix of its join; a name that is taken already gets a number before it. A group of which
the view has nothing but labels needs no key, unless another group's is taken from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local_hopsworks.offline.plan import Column, Join, Plan


@dataclass(frozen=True)
class ServingKey:
    """A key by which a feature vector is looked up."""

    table: int  # position in Plan.tables, which is also the number of the join
    name: str  # of the feature in its group
    prefix: str
    required: bool
    join_on: str | None  # the feature of the first group that has its value

    @property
    def entry(self) -> str:
        """What the value is called in the entry of a request."""
        if self.required or self.join_on is None:
            return self.prefix + self.name
        return self.join_on


def serving_keys(
    plan: Plan,
    prefixes: Sequence[str],
    primary_keys: Sequence[Sequence[str]],
    only_labels: set[int],
) -> list[ServingKey]:
    """The serving keys of a feature view. `prefixes` and `primary_keys` are those of its tables, by
    position; `only_labels` are the tables that it has only labels of."""
    joined_on = {join.table: join.on for join in all_joins(plan.joins)}
    taken: set[str] = set()
    keys = []
    for table, names in enumerate(primary_keys):
        left = {right.name: left for left, right in joined_on.get(table, ())}
        for name in names:
            key = _serving_key(table, name, prefixes[table], left.get(name), primary_keys[0], taken)
            taken.add(key.prefix + key.name)
            keys.append(key)
    taken_from = {key.join_on for key in keys}
    return [
        key
        for key in keys
        if key.table not in only_labels or key.prefix + key.name in taken_from
    ]  # fmt: skip


def _serving_key(
    table: int,
    name: str,
    prefix: str,
    left: Column | None,
    root_key: Sequence[str],
    taken: set[str],
) -> ServingKey:
    is_known = left is not None and left.table == 0 and left.name in root_key
    if not is_known:
        prefix = _free(prefix, name, taken)
    return ServingKey(table, name, prefix, not is_known, left.name if left else None)


def _free(prefix: str, name: str, taken: set[str]) -> str:
    """The prefix, with a number before it if its name would be another's."""
    number, free = 0, prefix
    while free + name in taken:
        free = f"{number}_{prefix}"
        number += 1
    return free


def all_joins(joins: Sequence[Join]) -> Iterator[Join]:
    """The joins of a plan with those inside of them."""
    for join in joins:
        yield join
        yield from all_joins(join.joins)


def join_prefixes(query: dict[str, Any]) -> list[str]:
    """The prefix of each table of a Query DTO, by the table's position in the plan."""
    prefixes = [""]
    for join in query.get("joins") or []:
        prefixes += [join.get("prefix") or "", *join_prefixes(join["query"])[1:]]
    return prefixes
