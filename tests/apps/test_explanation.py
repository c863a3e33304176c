"""Why a passenger has their chance: Shapley values, compared with what their definition says."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pandas as pd
import pytest

from .made import FEATURES, WORDS, historical_passengers
from .modules import PREDICT, load

explanation = load(PREDICT, "explanation")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The 96 possible passengers, with chances that depend on each combination of features."""
    codes = itertools.product(*(WORDS[feature] for feature in FEATURES))
    index = pd.MultiIndex.from_tuples(codes, names=FEATURES)
    chances = np.random.default_rng(0).random(len(index))
    passengers = historical_passengers().groupby(FEATURES).size().reindex(index, fill_value=0)
    return pd.DataFrame({"survival_probability": chances, "passengers": passengers})


def by_brute_force(table: pd.DataFrame, passenger: dict[str, int]) -> dict[str, float]:
    """From the definition: subsets of the other features, and historical passengers one by one."""
    people = historical_passengers()[FEATURES].to_dict("records")
    chance = table["survival_probability"].to_dict()

    def worth(known: tuple[str, ...]) -> float:
        changed = [{**person, **{name: passenger[name] for name in known}} for person in people]
        return statistics.fmean(chance[tuple(person.values())] for person in changed)

    values = {}
    for feature in FEATURES:
        others = [name for name in FEATURES if name != feature]
        values[feature] = 0.0
        for size in range(len(others) + 1):
            weight = math.factorial(size) * math.factorial(len(others) - size)
            for known in itertools.combinations(others, size):
                gain = worth((*known, feature)) - worth(known)
                values[feature] += weight / math.factorial(len(FEATURES)) * gain
    return values


@pytest.mark.parametrize("codes", [(3, 0, 2, 0), (1, 1, 2, 3), (2, 0, 3, 1)])
def test_shares_are_shapley_values(table, codes):
    passenger = dict(zip(FEATURES, codes, strict=True))
    told = explanation.explain(table, passenger)
    assert told.shares == pytest.approx(by_brute_force(table, passenger), abs=1e-12)


def test_shares_add_up_from_the_average_to_the_passengers_chance(table):
    average = np.average(table["survival_probability"], weights=table["passengers"])
    for codes, chance in table["survival_probability"].iloc[::7].items():
        told = explanation.explain(table, dict(zip(FEATURES, codes, strict=True)))
        assert told.average == pytest.approx(average)
        assert told.average + sum(told.shares.values()) == pytest.approx(chance)


def test_a_feature_that_the_model_does_not_use_has_no_share(table):
    by_sex = table.assign(survival_probability=table.index.get_level_values("sex") * 0.5 + 0.2)
    told = explanation.explain(by_sex, {"pclass": 1, "sex": 1, "age_bin": 0, "fare_bin": 3})
    assert told.shares == pytest.approx(
        {"pclass": 0, "sex": 0.7 - told.average, "age_bin": 0, "fare_bin": 0}
    )
