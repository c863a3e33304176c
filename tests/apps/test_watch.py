"""Watching: streams of passengers that are as they should be are not called otherwise, and others
are, soon."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from .made import METRICS, predictions, shares_in_training
from .modules import MONITOR, load

watch = load(MONITOR, "watch")
MODEL = {"name": "titanic", "version": 3, "metrics": METRICS}
LATEST = 200  # as batch inference stores them


def verdict_after(rows: pd.DataFrame, number: int):
    """What is said of a stream once so many predictions are there."""
    return watch.judge(rows.head(number).tail(LATEST), MODEL, shares_in_training())


def first_alarm(rows: pd.DataFrame, numbers: range) -> int | None:
    """After which of these numbers of predictions the model is first to be checked."""
    for number in numbers:
        if verdict_after(rows, number).words == watch.CHECK:
            return number
    return None


def passengers_needed(good: float, bad: float, false_alarms: float, missed: float) -> int:
    """The textbook's power calculation: how many predictions tell one accuracy from another."""
    beyond, within = NormalDist().inv_cdf(1 - false_alarms), NormalDist().inv_cdf(1 - missed)
    spread = beyond * math.sqrt(good * (1 - good)) + within * math.sqrt(bad * (1 - bad))
    return math.ceil((spread / (good - bad)) ** 2)


def test_a_healthy_stream_of_a_thousand_is_fine_once_there_are_enough():
    rows = predictions(1000)
    for number in (1, 30, watch.FEW - 1):
        assert verdict_after(rows, number).words == watch.TOO_FEW
    for number in range(watch.FEW, 1001, 20):
        assert verdict_after(rows, number).words == watch.FINE


def test_few_healthy_streams_raise_a_false_alarm():
    """At most one in 2,000 predictions is promised, and these are 4,000, looked at now and then."""
    alarms = [first_alarm(predictions(400, seed), range(20, 401, 20)) for seed in range(10)]
    assert sum(alarm is not None for alarm in alarms) <= 1, alarms


@pytest.mark.parametrize("healthy", [0, 150])
def test_mistaken_sex_is_noticed_as_soon_as_can_be_expected(healthy):
    """Accuracy falls from .8 to .35. To miss that one time in 100 takes so many passengers where
    the moment is known from which to count; here it is not, so bad luck may take twice as many."""
    needed = passengers_needed(0.80, 0.35, watch.FALSE_ALARM, 1 / 100)
    assert needed == 30
    delays, off = [], []
    for seed in range(6):
        rows = predictions(healthy + 3 * needed, seed, flipped_from=healthy)
        alarm = first_alarm(rows, range(healthy + 5, len(rows) + 1))
        delays.append(alarm - healthy)
        (reason,) = verdict_after(rows, alarm).reasons
        began = [reason.startswith(f"Since {watch.when(time)} ") for time in rows["event_time"]]
        off.append(abs(began.index(True) - healthy))
    assert np.mean(delays) <= needed and max(delays) <= 2 * needed, delays
    assert np.median(off) <= 5, off


def test_the_reason_says_how_many_were_right_and_what_was_expected():
    rows = predictions(100, flipped_from=40)
    (reason,) = watch.judge(rows, MODEL, shares_in_training()).reasons
    right, total = map(int, reason.split(" right for ")[1].split(" passengers")[0].split(" of "))
    assert right == rows.tail(total)["right"].sum()
    # 81.6% less a standard error, a quarter of the interval's width
    assert reason.endswith("at least 80% were to be expected.")


def test_other_passengers_are_noticed_though_they_are_predicted_right():
    women = predictions(200).assign(pclass=1, sex=1, age_bin=2, fare_bin=3, right=True)
    assert watch.judge(women.head(99), MODEL, shares_in_training()).words == watch.FINE
    told = watch.judge(women, MODEL, shares_in_training())
    assert told.words == watch.CHECK
    assert len(told.reasons) == 4  # class, sex, age and fare
    since = watch.when(women["event_time"].iloc[0])
    assert told.reasons[1].startswith(
        f"Of the 200 passengers since {since}, 100% are female, in training 35% (sex: "
    )


def test_stability_index_is_the_textbooks():
    groups = [
        {"code": 0, "words": "male", "share": 0.65},
        {"code": 1, "words": "female", "share": 0.35},
    ]
    latest = pd.DataFrame({"sex": [0, 1] * 50_000})
    index = (0.5 - 0.65) * math.log(0.5 / 0.65) + (0.5 - 0.35) * math.log(0.5 / 0.35)
    assert watch.drift(latest, groups, "sex")["index"].sum() == pytest.approx(index, abs=1e-4)


def test_a_group_that_has_nobody_makes_no_infinite_index():
    groups = [{"code": 0, "words": "a", "share": 0.0}, {"code": 1, "words": "b", "share": 1.0}]
    for codes in ([0] * 100, [1] * 100):
        shares = watch.drift(pd.DataFrame({"sex": codes}), groups, "sex")
        assert math.isfinite(shares["index"].sum())


def test_a_model_is_judged_by_its_own_predictions():
    rows = predictions(70).assign(right=[False] * 50 + [True] * 20)
    rows["model_version"] = [2] * 50 + [3] * 20
    shares = shares_in_training()
    assert watch.judge(rows, {**MODEL, "version": 2}, shares).words == watch.CHECK
    assert watch.judge(rows, MODEL, shares).words == watch.TOO_FEW
    assert watch.judge(rows.head(0), MODEL, shares).words == watch.TOO_FEW


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_a_model_that_was_always_right_or_always_wrong_can_be_judged(accuracy):
    metrics = dict.fromkeys(METRICS, accuracy)
    model = {**MODEL, "metrics": metrics}
    assert watch.judge(predictions(70), model, shares_in_training()).words


@pytest.mark.parametrize(
    ("right", "total"), [(0, 1), (1, 1), (11, 12), (49, 60), (300, 365), (10_000, 12_345)]
)
def test_the_interval_is_wilsons(right, total):
    interval = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    assert watch.wilson(right, total) == pytest.approx((interval.low, interval.high), abs=1e-6)
