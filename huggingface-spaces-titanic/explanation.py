"""Why this chance? Exact Shapley values of the four features.

A passenger's chance differs from the average chance of the historical passengers. The Shapley value
of a feature is its share of that difference: what setting this feature to the passenger's own value
changes, on average over all orders in which the four can be set (Lundberg and Lee, "A unified
approach to interpreting model predictions", 2017). Only 96 passengers are possible, so nothing has
to be sampled.
"""

from itertools import permutations
from typing import NamedTuple

import pandas as pd


class Explanation(NamedTuple):
    """average: chance of survival over the historical passengers. shares: {feature: Shapley value};
    they add up from the average to the passenger's own chance."""

    average: float
    shares: dict[str, float]


def average_chance(table: pd.DataFrame, known: dict[str, int]) -> float:
    """The average chance if every historical passenger had the codes in `known`.

    table: one row per possible passenger, its index their codes; columns survival_probability, and
    passengers, the number of such historical passengers.
    """
    changed = table.index.to_frame().assign(**known)
    chances = table.loc[pd.MultiIndex.from_frame(changed), "survival_probability"].to_numpy()
    passengers = table["passengers"].to_numpy()
    return float((chances * passengers).sum() / passengers.sum())


def explain(table: pd.DataFrame, passenger: dict[str, int]) -> Explanation:
    """Why the passenger with these codes, {feature: code}, has the chance that the table says."""
    chances = {}
    for number in range(2 ** len(passenger)):
        known = [name for place, name in enumerate(passenger) if number >> place & 1]
        values = {name: passenger[name] for name in known}
        chances[frozenset(known)] = average_chance(table, values)

    orders = list(permutations(passenger))
    shares = dict.fromkeys(passenger, 0.0)
    for order in orders:
        for place, feature in enumerate(order):
            before = chances[frozenset(order[:place])]
            after = chances[frozenset(order[: place + 1])]
            shares[feature] += (after - before) / len(orders)
    return Explanation(chances[frozenset()], shares)
