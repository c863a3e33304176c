"""The curve of accuracy over time."""

from __future__ import annotations

import pytest

from .made import METRICS, predictions
from .modules import MONITOR, load

accuracy = load(MONITOR, "accuracy")


def test_the_curve_counts_all_predictions_though_only_the_latest_are_stored():
    rows = predictions(300)
    curve = accuracy.over_time(rows.tail(200), predictions=300, correct=rows["right"].sum())
    assert curve["number"].tolist() == list(range(101, 301))
    for _, point in curve.iloc[::40].iterrows():
        number = int(point["number"])
        assert point["so_far"] == pytest.approx(rows["right"].head(number).mean())
    assert curve["running"].isna().sum() == accuracy.WINDOW - 1
    assert curve["running"].iloc[-1] == pytest.approx(rows["right"].tail(accuracy.WINDOW).mean())
    last = curve.iloc[-1]
    assert last["low"] < last["running"] < last["high"]


def test_there_is_no_curve_of_a_few_predictions():
    rows = predictions(accuracy.FIRST)
    assert accuracy.over_time(rows.head(19), 19, 15).empty
    assert len(accuracy.over_time(rows, 20, 16)) == 1


def test_a_model_that_is_always_right_has_a_chart_too():
    rows = predictions(20).assign(right=True)
    chart = accuracy.draw(accuracy.over_time(rows, 20, 20), dict.fromkeys(METRICS, 1.0))
    assert chart.ticks == {"90%": 100, "100%": 0}


@pytest.mark.parametrize("size", [20, 60, 200])
def test_the_chart_uses_its_height_and_nothing_leaves_it(size):
    rows = predictions(size)
    rows.loc[size // 2 :, "model_version"] = 4
    chart = accuracy.draw(accuracy.over_time(rows, size, rows["right"].sum()), METRICS)
    points = f"{chart.so_far} {chart.running} {chart.band}".split()
    places = [tuple(map(float, point.split(","))) for point in points]
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in places)
    assert 0 <= chart.promised < chart.sex_alone <= 100
    assert next(iter(chart.ticks)) != "0%"
    assert min(chart.ticks.values()) == 0 and max(chart.ticks.values()) == 100
    assert chart.versions[-1][0] == "4"
