"""What a run of the batch inference pipeline costs after 1e2, 1e4 and 1e6 predictions, as a ratio
to the smallest.

    pytest tests/benchmarks/test_batch_inference.py -o addopts=--import-mode=importlib -s

Prints ratios and asserts none. Each history is stored in bulk, a passenger a minute up to three
days ago; a run finds one new passenger, predicts it and publishes. Beside it a run that has lost
monitor.json and reads the whole history.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
SIZES = (100, 10_000, 1_000_000)
WHAT = ("", ", CPU", ", all read again", ", all read again, CPU", ", monitor.json")
MEASURE = """
import sys
from history import *

size, rounds = int(sys.argv[1]), int(sys.argv[2])
register()
passengers = people(size)
times = ago("3d") - np.arange(size)[::-1] * np.timedelta64(60, "s")
arrive(passengers, times)
predicted = pd.DataFrame({"prediction": passengers["sex"], "label": passengers[label], "model_version": 1})
predicted = predicted.assign(passenger_id=passengers["passenger_id"], datetime=times, survival_probability=0.5)
store.get_or_create_feature_group(**batch.PREDICTIONS, primary_key=["passenger_id"]).insert(predicted[batch.COLUMNS])

def measure(after):
    after()
    wall, cpu = time.perf_counter(), time.process_time()
    run(batch)
    return time.perf_counter() - wall, time.process_time() - cpu

new, forgotten = lambda: run(feature), lambda: files.remove(f"{batch.IMAGES}/monitor.json")
measure(new)
window, everything = ([measure(after) for _ in range(rounds)] for after in (new, forgotten))
stored = len(json.dumps(monitor()))
print("MEASURED" + json.dumps([window, everything, stored]))
"""


@pytest.mark.timeout(1800)
def test_cost_of_a_run_against_the_history(environment, tmp_path, report):
    path, measured = os.pathsep.join([environment["PYTHONPATH"], str(TESTS)]), {}

    def measure(size):
        (folder := tmp_path / str(size)).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(size), "5"], cwd=folder, capture_output=True, text=True, timeout=900,
            env={**environment, "LOCAL_HOPSWORKS_HOME": str(folder / "store"), "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        *runs, stored = json.loads(done.stdout.split("MEASURED")[1])
        seconds = (statistics.median(column) for run in runs for column in zip(*run, strict=True))
        measured[size] = [*seconds, stored / 1000]

    for size in SIZES:
        measure(size)
    for size in SIZES[1:]:
        for what, ours, smallest in zip(WHAT, measured[size], measured[SIZES[0]], strict=True):
            unit = ("kB",) if "monitor.json" in what else ()
            report(
                f"batch inference after as many predictions{what}",
                size,
                ours,
                f"after {SIZES[0]}",
                smallest,
                *unit,
            )
