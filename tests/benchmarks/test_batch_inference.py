"""What a run of the batch inference pipeline costs after 1e2, 1e4 and 1e6 predictions, as a ratio to the smallest.

    pytest tests/benchmarks/test_batch_inference.py -o addopts=--import-mode=importlib -s

Prints ratios and asserts none. Each history is stored in bulk, a passenger a minute up to three days ago; a run finds
one new passenger, predicts it and publishes. Beside it a run that has lost monitor.json and reads the whole history.
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
def test_cost_of_a_run_against_the_history(environment, tmp_path, capsys):
    path, measured = os.pathsep.join([environment["PYTHONPATH"], str(TESTS)]), {}

    def measure(size):
        (folder := tmp_path / str(size)).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(size), "5"], cwd=folder, capture_output=True, text=True, timeout=900,
            env={**environment, "LOCAL_HOPSWORKS_HOME": str(folder / "store"), "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        *runs, stored = json.loads(done.stdout.split("MEASURED")[1])
        # wall and CPU seconds of one new passenger, and of everything read again; bytes of monitor.json
        measured[size] = [*(statistics.median(column) for run in runs for column in zip(*run, strict=True)), stored]

    for size in SIZES:
        measure(size)
    with capsys.disabled():
        print("\npredictions   one new passenger     everything read        monitor.json   (ratios to the smallest)")
        for size, values in measured.items():
            ratios = [value / smallest for value, smallest in zip(values, measured[SIZES[0]], strict=True)]
            print("{:11,}   wall {:4.2f} CPU {:4.2f}   wall {:4.2f} CPU {:5.2f}   {:4.2f}".format(size, *ratios))
        wall, cpu, *_, stored = measured[SIZES[0]]
        print(f"the smallest: {wall:.1f} s, {cpu:.1f} s of CPU, {stored} bytes")
