"""How often the watching cries wolf and how soon it notices, over simulated streams through the
pipeline's own `judge`.

    pytest tests/benchmarks/test_watching.py -o addopts=--import-mode=importlib -s

Prints rates and asserts none; tests/test_watching.py asserts as much as a few streams can show.
"""

import numpy as np
import pytest

from tests import test_watching as watching

STREAMS = 200


def simulate():
    """After how many passengers each healthy stream was flagged (None: never), and each other one
    after its change."""
    healthy = [
        watching.alarm_after(watching.stream(1000, np.random.default_rng([1, seed])))
        for seed in range(STREAMS)
    ]
    delays = []
    for seed in range(STREAMS):
        told = enumerate(
            watching.verdicts(
                watching.stream(360, np.random.default_rng([2, seed]), flipped_from=200)
            ),
            1,
        )
        delays.append(
            next(
                (
                    number - 200
                    for number, each in told
                    if number > 200 and each["verdict"] == "Look"
                ),
                160,
            )
        )
    return healthy, delays


@pytest.mark.timeout(1800)
def test_false_alarms_and_delays(capsys):
    healthy, delays = simulate()
    raised = sum(number is not None for number in healthy)
    with capsys.disabled():
        print(
            f"\nhealthy streams of 1,000 passengers with a false alarm: {raised / STREAMS:.1%} of {STREAMS}"
        )
        print(
            f"passengers per false alarm: {sum(number or 1000 for number in healthy) / max(1, raised):,.0f}"
        )
        half, most, latest = np.quantile(delays, [0.5, 0.9, 1])
        print(
            f"sex mistaken from the 201st on: half of the streams are flagged after {half:.0f} passengers, ",
            end="",
        )
        print(f"nine of ten after {most:.0f}, all after {latest:.0f}")
        needed = watching.passengers_needed(0.80, 0.35, 1 / 2000, 1 / 100)
        print(
            f"a test that knows when to begin to count needs {needed} (one false alarm in 2,000, 1 in 100 missed)"
        )
