"""Where the wall time of each script goes: imports (with the start and end of Python), the SDK's
sleeping, our server, and the rest, which is work."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {
    "feature pipeline, BACKFILL": ("titanic_feature_pipeline.py", {"BACKFILL": "True"}),
    "training pipeline": ("titanic_training_pipeline.py", {}),
    "feature pipeline, one passenger": ("titanic_feature_pipeline.py", {"SEED": "1"}),
    "batch inference pipeline": ("titanic_batch_inference_pipeline.py", {}),
}
WHAT = {"imports": "imports", "waiting": "the SDK sleeps", "server": "our server", "work": "work"}
ROUNDS = 3


@pytest.mark.timeout(900)
def test_where_the_time_goes(environment, tmp_path, report):
    def run(number, script, toggles):
        env = {**environment, **toggles, "LOCAL_HOPSWORKS_HOME": str(tmp_path / f"store{number}")}
        command = [sys.executable, str(Path(__file__).with_name("split.py")), str(ROOT / script)]
        start = time.perf_counter()
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
        wall = time.perf_counter() - start
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout.split("MEASURED")[1].splitlines()[0])
        found["imports"] += wall - found.pop("all")
        return {**found, "work": wall - sum(found.values()), "wall": wall}

    rounds = [
        {title: run(number, *how) for title, how in SCRIPTS.items()} for number in range(ROUNDS)
    ]
    for title in SCRIPTS:
        median = sorted((each[title] for each in rounds), key=lambda found: found["wall"])[
            ROUNDS // 2
        ]
        for what, named in WHAT.items():
            report(f"{title}: {named}", None, median[what], "its wall time", median["wall"])
