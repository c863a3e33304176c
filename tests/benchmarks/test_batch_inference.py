"""What a run of the batch inference pipeline costs after 1e2, 1e4 and 1e6 predictions.

It reads both feature groups whole, so a run takes longer as they grow; this shows by how much. Each
run finds one new passenger. Prints ratios and asserts none.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORE_PREDICTED = Path(__file__).parent / "programs" / "store_predicted.py"
SIZES = (100, 10_000, 1_000_000)
ROUNDS = 3


@pytest.mark.timeout(1800)
def test_cost_of_a_run_against_the_history(environment, trained, tmp_path, report):
    def run(store, *command, **toggles):
        variables = environment | {"LOCAL_HOPSWORKS_HOME": str(store)} | toggles
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *map(str, command)],
            env=variables,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - start

    fastest = {}
    for size in SIZES:
        folder = tmp_path / str(size)
        shutil.copytree(trained, folder)
        run(folder / "store", STORE_PREDICTED, size)
        seconds = []
        for _ in range(ROUNDS):
            run(folder / "store", ROOT / "titanic_feature_pipeline.py")
            seconds.append(run(folder / "store", ROOT / "titanic_batch_inference_pipeline.py"))
        fastest[size] = min(seconds)
    for size in SIZES[1:]:
        smallest = fastest[SIZES[0]]
        title = "batch inference after as many predictions"
        report(title, size, fastest[size], f"after {SIZES[0]}", smallest)
