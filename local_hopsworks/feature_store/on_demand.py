"""The on-demand transformation functions of a feature view: those of its feature groups that
compute features it has, and those that compute what they need."""

from __future__ import annotations

from typing import Any

Function = dict[str, Any]  # the DTO


def functions(group: dict[str, Any], selected: set[str], prefix: str) -> list[Function]:
    """The functions behind the `selected` features of a group (its DTO), in the group's order, for
    a view that has the group's features under `prefix`."""
    attached = group.get("transformationFunctions") or []
    needed = set(selected)
    chosen: set[int] = set()
    for _ in attached:  # each round finds the functions that make the arguments of the last one's
        for position, function in enumerate(attached):
            if needed.intersection(_outputs(function)):
                chosen.add(position)
                needed.update(function["hopsworksUdf"].get("transformationFeatures") or [])
    return [_prefixed(attached[position], prefix) for position in sorted(chosen)]


def function_of(feature: str, chosen: list[Function]) -> Function | None:
    """The one of the functions that computes a feature of their group."""
    return next((function for function in chosen if feature in _outputs(function)), None)


def _outputs(function: Function) -> list[str]:
    return function["hopsworksUdf"].get("outputColumnNames") or []


def _prefixed(function: Function, prefix: str) -> Function:
    udf = {**function["hopsworksUdf"], "featureNamePrefix": prefix or None}
    return {**function, "hopsworksUdf": udf}
