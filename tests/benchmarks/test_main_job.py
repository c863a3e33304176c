"""How long `make run` takes and what that is spent on, and what the embedded Hopsworks adds to the
pipelines: the same scripts, embedded, and at a server of another process.

The latter two do the main job with two synthetic passengers, each in a store of its own, in turns;
the fastest run counts. What remains when the server is elsewhere is the SDK's own time and the
work.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_hopsworks import Server

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
JOB = [
    ("titanic_feature_pipeline.py", {"BACKFILL": "True"}),
    ("titanic_training_pipeline.py", {}),
    *[("titanic_feature_pipeline.py", {"SEED": "1"}), ("titanic_batch_inference_pipeline.py", {})],
    *[("titanic_feature_pipeline.py", {"SEED": "2"}), ("titanic_batch_inference_pipeline.py", {})],
]
ROUNDS = 3


def run_job(environment):
    """Seconds of each script's process."""
    return [seconds_of(environment | toggles, ROOT / script) for script, toggles in JOB]


def seconds_of(environment, program):
    """Of the process of a Python program."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, program], env=environment, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - start


@pytest.mark.timeout(1800)
def test_make_run(environment, tmp_path, report):
    """The first time and the second; beside the first, what it has to do in any case."""
    environment = environment | {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    seconds_of(environment, PROGRAMS / "import_packages.py")  # which compiles them
    imports = seconds_of(environment, PROGRAMS / "import_packages.py")
    log_in = seconds_of(environment, PROGRAMS / "log_in.py") - imports
    fits = seconds_of(environment, PROGRAMS / "fit_and_cross_validate.py") - imports
    first = seconds_of(environment, ROOT / "tools" / "main_job.py")
    second = seconds_of(environment, ROOT / "tools" / "main_job.py")
    slept = sleeps(environment, tmp_path)
    report("make run, first time", None, first, "second time", second)
    report("make run, first time", None, first, "importing its packages", imports)
    report("make run, first time", None, first, "starting Hopsworks, login", log_in)
    report("make run, first time", None, first, "training, cross-validating", fits)
    report("make run, first time", None, first, "sleeping in the SDK", slept)


def sleeps(environment, tmp_path):
    """Seconds that the SDK does nothing while it reads, and until it looks for the new model."""
    done = subprocess.run(
        [sys.executable, PROGRAMS / "sleeps_of_sdk.py"],
        env=environment | {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "another")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


@pytest.mark.timeout(1800)
def test_what_the_server_adds(environment, tmp_path, report):
    embedded, elsewhere = [], []
    for number in range(ROUNDS):
        with Server(tmp_path / f"elsewhere{number}") as server:
            elsewhere.append(run_job(environment | server.environment))
        embedded.append(
            run_job(environment | {"LOCAL_HOPSWORKS_HOME": str(tmp_path / f"embedded{number}")})
        )
    fastest = [
        [min(column) for column in zip(*side, strict=True)] for side in (embedded, elsewhere)
    ]
    for (script, toggles), ours, theirs in zip(JOB, *fastest, strict=True):
        title = f"main job: BACKFILL {script}" if "BACKFILL" in toggles else f"main job: {script}"
        report(title, None, ours, "a server elsewhere", theirs)
    ours, theirs = (min(map(sum, side)) for side in (embedded, elsewhere))
    report("main job, all of it", None, ours, "a server elsewhere", theirs)
