"""The tools that a person runs now and then, each over a store with a model and passengers."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.pipelines import PROGRAMS, REPOSITORY, Done, Scripts, load

pytestmark = pytest.mark.long

TOOLS = REPOSITORY / "tools"
WATCH = REPOSITORY / "huggingface-spaces-titanic-monitor" / "watch.py"


@pytest.fixture(scope="module")
def script(run, trained: Path, tmp_path_factory) -> Scripts:
    """Over a store in which a hundred passengers are predicted."""
    over = Scripts.over_copy(run, trained, tmp_path_factory.mktemp("tools"))
    assert over("feature", PASSENGERS="100", SEED="1912").returncode == 0
    assert over("batch_inference").returncode == 0
    return over


def with_hopsworks(script: Scripts, program: Path, **variables: str) -> Done:
    """Run a program that calls plain hopsworks.login()."""
    return script.start(
        Path("-m"), "local_hopsworks", "run", "--", sys.executable, str(program), **variables
    )


@pytest.mark.parametrize("package", ["pandas", "hsfs"])
def test_interrupted_main_job_says_so_in_one_line(environment, tmp_path, package):
    """Also while the packages are imported."""
    main_job = subprocess.Popen(
        [sys.executable, PROGRAMS / "tells_import.py", package, TOOLS / "main_job.py"],
        env={**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert main_job.stdout.readline() == f"imports {package}\n"
    main_job.send_signal(signal.SIGINT)
    out, err = main_job.communicate(timeout=60)
    assert (main_job.returncode, out.splitlines()[-1], err) == (130, "Stopped.", "")


def test_interrupted_main_job_ends_though_an_import_swallows_it(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, PROGRAMS / "swallows_ctrl_c.py", "pandas", TOOLS / "main_job.py"],
        env={**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "Stopped.\n", "")


def test_main_job_ends_with_the_sentence_of_the_pipeline_that_refused(run, tmp_path):
    done = Scripts(run, tmp_path).start(TOOLS / "main_job.py", TITANIC_CSV="no/such.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("TITANIC_CSV: no/such.csv, cannot be read:")


def test_hindcast_shows_how_a_version_would_have_done(script):
    done = script.start(TOOLS / "hindcast.py")
    assert done.returncode == 0, done.stderr
    title, head, row = done.stdout.splitlines()
    state = script.look()
    assert title == f"Of {len(state['predictions'])} synthetic passengers; version 1 is in service:"
    assert head.split()[:3] == ["version", "cross-validated", "accuracy"]
    predictions = pd.DataFrame(state["predictions"])
    accuracy = (predictions["prediction"] == predictions["label"]).mean()
    assert row.split()[:3] == ["1", f"{state['models']['1']['cv_accuracy']:.3f}", f"{accuracy:.3f}"]


def test_demo_turns_the_monitors_verdict(run, trained, tmp_path):
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("feature", PASSENGERS="200", SEED="1912").returncode == 0
    assert script("batch_inference").returncode == 0
    fine = with_hopsworks(script, WATCH)
    assert (fine.returncode, "Fine" in fine.stdout) == (0, True), fine.stdout + fine.stderr
    demo = script.start(TOOLS / "demo.py")
    assert demo.stdout.startswith("Stored 60 synthetic passengers whose sex is mixed up.")
    assert script("batch_inference").returncode == 0
    alarmed = with_hopsworks(script, WATCH)
    assert alarmed.returncode == 1 and "Check the model" in alarmed.stdout, alarmed.stderr


def test_day_on_an_account_is_checked(script):
    done = with_hopsworks(script, TOOLS / "daily.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Predicted 1 new passengers." in done.stdout
    assert done.stdout.splitlines()[-1] == "Rows and pictures have changed as they should."


def test_day_without_change_is_told_by_what_has_not_changed():
    find_problems = load("daily", TOOLS).find_problems
    before = {"titanic": {1, 2}, "passenger_outcome_predictions": {1, 2}, "picture": b"old"}
    same_predictions = {"passenger_outcome_predictions": {1, 2}}
    good = {"titanic": {1, 2, 3}, "passenger_outcome_predictions": {1, 2, 3}, "picture": b"new"}
    assert find_problems(before, good) == []
    assert find_problems(before, {**good, **same_predictions}) == [
        "No passenger was added to the feature group passenger_outcome_predictions.",
        "Passenger 3 has no prediction.",
    ]
    assert find_problems(before, {**good, "picture": b"old"}) == [
        "Resources/images/df_recent.png has not changed."
    ]


def test_without_a_key_the_day_is_not_spent_on_a_hopsworks_of_its_own(script):
    done = script.start(TOOLS / "daily.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "HOPSWORKS_API_KEY is not set: daily checks a Hopsworks account.\n"


@pytest.mark.parametrize(
    "schedule",
    ["0 0 25 * * ?", "0 0 5 * *", "0 0 5 * * *", "0 0 5 ? * ?", "every day", "0 0 5 32 * ?"],
)
def test_schedule_that_cannot_be_is_refused_before_anything_is_made(run, tmp_path, schedule):
    script = Scripts(run, tmp_path)
    done = script("feature", LOCAL="no", SCHEDULE=schedule)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"SCHEDULE is {schedule!r}, which is not a Quartz cron")
    assert not script.store.exists()


def test_job_that_ran_on_its_schedule_leaves_a_prediction(run, trained, tmp_path, serve):
    """Two pipelines as jobs of a served Hopsworks, the second handed over twice."""
    script = Scripts.over_copy(run, trained, tmp_path)
    options = {"LOCAL": "False", "SCHEDULE": "* * * * * ?"}
    for name in ("feature", "batch_inference", "batch_inference"):
        done = script(name, **options)
        assert done.returncode == 0, done.stderr
        last = "The embedded Hopsworks runs its jobs while it serves: make serve"
        assert done.stdout.splitlines()[-1] == last
    serve("--home", script.store)
    monitor = script.file("Resources/images/monitor.json")
    end = time.monotonic() + 200
    while not monitor.exists():
        assert time.monotonic() < end, "no job has predicted a passenger"
        time.sleep(0.2)
    assert json.loads(monitor.read_text())["latest"]


def test_clean_up_removes_what_is_ours_after_showing_it_and_nothing_else(run, trained, tmp_path):
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("feature").returncode == 0
    assert script("batch_inference").returncode == 0
    script.file("Resources/images/holiday.png").write_bytes(b"not ours")
    asked = script.start(TOOLS / "clean_hopsworks.py")
    listed = re.findall(r"^  (.*)$", asked.stdout, re.MULTILINE)
    assert asked.returncode == 1 and "Nothing was removed.\n" in asked.stderr
    for thing in (
        "model titanic 1",
        "feature view titanic 1, with its training data",
        "feature group titanic 1",
        "file Resources/titanic_encoding.json",
        "file Resources/images/monitor.json",
    ):
        assert thing in listed
    assert not [each for each in listed if "holiday" in each or "folder Resources/images" in each]
    done = script.start(TOOLS / "clean_hopsworks.py", YES="1")
    assert re.findall(r"^Removed (.*)\.$", done.stdout, re.MULTILINE) == listed, done.stderr
    images = script.file("Resources/images")
    assert [path.name for path in images.iterdir()] == ["holiday.png"]
    state = script.look()
    assert (state["titanic"], state["predictions"], state["models"]) == ([], [], {})


def test_make_schedule_hands_over_all_three(script):
    environment = Path(sys.executable).parent.parent
    done = subprocess.run(
        ["make", "-s", "-n", f"VENV={environment}", "schedule"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "for name in feature training batch_inference" in done.stdout
    assert "LOCAL=False" in done.stdout
