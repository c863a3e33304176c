"""How often the monitoring raises a false alarm, and how soon it notices a drop in accuracy.

    pytest tests/benchmarks/test_watching.py -o addopts=--import-mode=importlib -s

Prints rates and asserts none; tests/apps/test_watch.py asserts as much as a few streams can show.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.apps.made import METRICS
from tests.apps.modules import MONITOR, load

watch = load(MONITOR, "watch")
STREAMS = 200
LATEST = 200  # predictions that monitor.json holds
HEALTHY = 200  # right as promised before the accuracy drops
PROMISED = METRICS["cv_accuracy"]


def first_alarm(accuracies: list[float], seed: int) -> int | None:
    """After how many predictions of these accuracies there is an alarm; None if never."""
    right = np.random.default_rng(seed).random(len(accuracies)) < accuracies
    times = pd.date_range("2026-01-01", periods=len(accuracies), freq="D", tz="UTC")
    rows = pd.DataFrame({"right": right, "event_time": times})
    expected = watch.expected_accuracy(METRICS)
    for number in range(1, len(rows) + 1):
        if watch.drop_in_accuracy(rows.iloc[max(0, number - LATEST) : number], expected):
            return number
    return None


@pytest.mark.timeout(1800)
def test_false_alarms_and_delays(capsys):
    alarms = [first_alarm([PROMISED] * 1000, seed) for seed in range(STREAMS)]
    raised = sum(alarm is not None for alarm in alarms)
    lines = [f"healthy streams of 1,000 predictions with a false alarm: {raised / STREAMS:.1%}"]
    for accuracy, what in ((0.35, "sex is mixed up"), (PROMISED - watch.DROP, "15 points less")):
        stream = [PROMISED] * HEALTHY + [accuracy] * 600
        delays = []
        for seed in range(STREAMS):
            alarm = first_alarm(stream, seed)
            if alarm is None:
                delays.append(np.inf)
            elif alarm > HEALTHY:
                delays.append(alarm - HEALTHY)
        half, most = np.quantile(delays, [0.5, 0.9], method="higher")
        lines.append(
            f"{what}: half are noticed within {half:.0f} predictions, 9 of 10 in {most:.0f}"
        )
    with capsys.disabled():
        print("", *lines, sep="\n")
