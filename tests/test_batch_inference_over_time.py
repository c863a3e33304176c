"""Batch inference day after day: what a run reads and keeps, and that nobody is missed or counted
twice."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.timeout(600)  # the first test waits for the whole scenario
SCENARIO = """
import hashlib
from history import *
from sklearn.linear_model import LogisticRegression
from hsfs.feature_view import FeatureView

read, get_batch_data = [], FeatureView.get_batch_data
def counted(*arguments, **options):
    rows = get_batch_data(*arguments, **options)
    read.append(len(rows))
    return rows
FeatureView.get_batch_data = counted

happened = []
def then(name, **said):
    predictions = store.get_feature_group(**batch.PREDICTIONS).read()[["passenger_id", "prediction", "label"]]
    state = {"monitor": monitor(), "predictions": predictions.to_dict("records"), "read": list(read)}
    happened.append((name, {**state, **said}))
    read.clear()

register(cv_accuracy=0.8)
arrive(people(300), [ago(f"{10 * (300 - each)}h") for each in range(300)])  # the last one ten hours ago
then("first", said=run(batch))
arrive(people(1, 1), ago("0s"))
arrive(people(1, 2), ago("20h"))  # stored late
then("next_day", said=run(batch))
arrive(people(1, 3), ago("3d"))  # later than any run looks back
then("too_late", said=run(batch))

settled = monitor()["settled"] | {"read_in_full": "2020-01-01T00:00:00+00:00"}
fits = {"settled": settled, "settled_digest": batch.digest(json.dumps(settled).encode())}
put("monitor.json", json.dumps(monitor() | fits))
then("a_week_later", said=run(batch))
put("monitor.json", json.dumps(monitor() | {"settled": monitor()["settled"] | {"confusion_matrix": [[7, 0], [0, 0]]}}))
then("altered", said=run(batch))
put("monitor.json", json.dumps(monitor())[:700])
then("truncated", said=run(batch))
files.remove(f"{batch.IMAGES}/df_recent.png")
then("picture_gone", said=run(batch))
then("nothing_new", said=run(batch))

publish = batch.publish
batch.publish = lambda *_: (_ for _ in ()).throw(SystemExit("killed"))
arrive(people(1, 4), ago("0s"))
killed = run(batch)
batch.publish = publish
then("killed", said=killed + run(batch))

# Models: one that behaves oddly, a good one, one of another kind, one that knows other codes
training.SETTINGS = {"n_estimators": 1, "min_samples_leaf": 400}  # everybody dies
odd = run(training)
odd_tag = registry.get_model("titanic", 2).get_tag("not_promoted")
then("odd", said=odd + run(batch), tag=odd_tag, description=registry.get_model("titanic", 2).description)
training.SETTINGS = {"n_estimators": 60, "random_state": 0}
promoted = run(training)
arrive(people(1, 5), ago("0s"))
then("promoted", said=promoted + run(batch))
register(LogisticRegression())
others = json.loads(json.dumps(encoding))
others["fare_bin"][0]["up_to"] = others["fare_bin"][1]["above"] = 9.5
register(codes=others)
then("hindcast", said=run(batch, HINDCAST="True"))
arrive(people(1, 6), ago("0s"))
then("other_codes", said=run(batch))
registry.get_model("titanic", 5).delete()
register(cv_accuracy=0.75)  # fit, but not the best
then("another_kind", said=run(batch))
mistaken = people(60, 7)
arrive(mistaken.assign(sex=1 - mistaken["sex"]), ago("0s"))
then("mistaken", said=run(batch))

jobs = []
for _ in range(2):
    jobs.append([run(pipeline, LOCAL="False", SCHEDULE="* * * * * ?") for pipeline in (feature, batch)])
    created = project.get_job_api().get_jobs()
    schedules = [job.job_schedule for job in created]
    jobs[-1] += [[job.config, job.creation_time] for job in created]
    jobs[-1] += [[schedule.id, schedule.cron_expression] for schedule in schedules]
then("handed_over", said=jobs)
store.create_feature_group("somebody_elses", 1, primary_key=["passenger_id"]).insert(people(3))
put("holiday.png", "a picture of somebody else")
print("HAPPENED" + json.dumps([dict(happened), group.read()[["passenger_id", "event_time"]].to_json(orient="values")]))
"""


@pytest.fixture(scope="module")
def happened(run, environment, tmp_path_factory) -> SimpleNamespace:
    """What was stored after each run of the scenario, all in one process and one store."""
    folder = tmp_path_factory.mktemp("over_time")
    env = {"LOCAL_HOPSWORKS_HOME": str(folder / "store")}
    env["PYTHONPATH"] = os.pathsep.join(
        [environment["PYTHONPATH"], str(Path(__file__).resolve().parent)]
    )
    done = run(sys.executable, "-c", SCENARIO, env=env, cwd=folder, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    states, passengers = json.loads(done.stdout.split("HAPPENED")[1].splitlines()[0])
    times = dict(json.loads(passengers))
    return SimpleNamespace(
        times=times,
        folder=folder,
        **{name: SimpleNamespace(**state) for name, state in states.items()},
    )


@pytest.mark.parametrize(
    ("moment", "total"),
    [
        ("first", 300),
        ("next_day", 302),
        ("too_late", 302),
        ("a_week_later", 303),
        ("altered", 303),
        ("killed", 304),
        ("another_kind", 306),
    ],
)
def test_monitor_tells_of_everybody_once(happened, moment, total):
    state = getattr(happened, moment)
    rows = pd.DataFrame(state.predictions)
    assert len(rows) == total and rows["passenger_id"].is_unique
    rows = rows.iloc[rows["passenger_id"].map(happened.times).argsort(kind="stable")]
    hits = (rows["prediction"] == rows["label"]).to_numpy()
    assert (state.monitor["predictions"], state.monitor["correct"]) == (total, hits.sum())
    matrix = pd.crosstab(rows["label"], rows["prediction"]).to_numpy().tolist()
    assert state.monitor["confusion_matrix"] == matrix
    assert [one["passenger_id"] for one in state.monitor["recent"]] == rows[
        "passenger_id"
    ].tolist()[:-5:-1]


def test_a_run_reads_the_last_day_and_not_the_history(happened):
    assert happened.first.read == [300]
    assert happened.next_day.read == [
        5
    ]  # the new one, the late one, and those of the last 34 hours
    assert len(happened.next_day.monitor["settled"]["recent"]) == 4


def test_who_is_stored_a_day_late_is_predicted_at_once_and_who_is_later_still_within_a_week(
    happened,
):
    assert "Newly predicted: 2" in happened.next_day.said
    assert "Nothing new" in happened.too_late.said
    assert "Newly predicted: 1" in happened.a_week_later.said


def test_sums_that_are_damaged_are_made_anew(happened):
    for state in (happened.altered, happened.truncated):
        assert "Nothing new" in state.said and state.read == [303]
        shown = ("predictions", "correct", "confusion_matrix", "recent", "model")
        assert [state.monitor[name] for name in shown] == [
            happened.a_week_later.monitor[name] for name in shown
        ]
        assert state.monitor["pictures"] == happened.a_week_later.monitor["pictures"]


def test_what_a_killed_run_predicted_is_published_by_the_next(happened):
    assert happened.killed.said.startswith("killed") and "Nothing new" in happened.killed.said
    assert len(happened.killed.predictions) == happened.killed.monitor["predictions"] == 304


def test_nothing_new_changes_nothing_and_says_so(happened):
    assert (
        happened.nothing_new.said.startswith("Nothing new: ")
        or "\nNothing new: " in happened.nothing_new.said
    )
    assert (
        happened.nothing_new.monitor == happened.picture_gone.monitor == happened.truncated.monitor
    )
    assert "Uploading" not in happened.nothing_new.said


def test_a_model_that_behaves_oddly_is_registered_with_the_reasons_and_does_not_serve(happened):
    for reason in (
        "no better chance for a girl in 1st class than a man in 3rd",
        "cv_accuracy below 0.7836",
    ):
        assert (
            reason in happened.odd.tag
            and reason in happened.odd.said
            and reason in happened.odd.description
        )
    assert (
        happened.odd.monitor["model"]["version"] == 1 and "It does not serve" in happened.odd.said
    )
    assert "It does not serve" not in happened.promoted.said
    assert happened.promoted.monitor["model"]["version"] == 3
    assert happened.promoted.monitor["recent"][0]["model_version"] == 3


def test_a_model_of_another_kind_serves_and_one_of_other_codes_is_refused(happened):
    assert (
        "Model titanic 5 knows other codes than are stored: delete it and train again."
        in happened.other_codes.said
    )
    assert happened.another_kind.monitor["recent"][0]["model_version"] == 4
    assert happened.other_codes.monitor == happened.promoted.monitor


def test_a_stream_that_goes_wrong_is_said_to_be_looked_at(happened):
    assert (
        happened.first.monitor["watch"]["verdict"] == "Fine"
        and "Watch: Fine. " in happened.first.said
    )
    assert happened.another_kind.monitor["watch"]["verdict"] == "Too few to tell"  # of version 4
    watch = happened.mistaken.monitor["watch"]
    assert watch["verdict"] == "Look" and "the model has been right about" in watch["why"][0]
    assert f"Watch: Look. {watch['why'][0]}" in happened.mistaken.said


def test_hindcast_shows_every_version_side_by_side_and_changes_nothing(happened):
    _, said = happened.hindcast.said.split("Of 305 synthetic passengers:\n")
    title, *rows = said.splitlines()
    assert title.split() == [
        "version",
        "cross-validated",
        "accuracy",
        "log",
        "loss",
        "Brier",
        "score",
        "in",
        "service",
    ]
    rows = [row.split() for row in rows]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"] and [row[5:] for row in rows] == [
        [],
        [],
        [],
        [],
    ]
    synthetic = pd.DataFrame(happened.hindcast.predictions)
    everybody_dies = (synthetic["label"] == 0).mean()
    assert [row[1:3] for row in rows[:2]] == [
        ["0.800", rows[0][2]],
        ["0.616", f"{everybody_dies:.3f}"],
    ]
    assert all(float(row[2]) > 0.7 for row in (rows[0], *rows[2:]))
    assert "Model titanic 5 knows other codes" in happened.hindcast.said
    assert happened.hindcast.monitor == happened.promoted.monitor


def make(target, happened, run, *through, **variables):
    """A target of the Makefile, with this environment as it is, in the store of the scenario."""
    environment, env = (
        Path(sys.executable).parent.parent,
        {"LOCAL_HOPSWORKS_HOME": str(happened.folder / "store")},
    )
    given = ["-o", "requirements.txt", "-o", f"{environment}/.installed", f"VENV={environment}"]
    return run(
        *through,
        "make",
        "-s",
        *given,
        target,
        env={**env, **variables},
        cwd=REPOSITORY,
        timeout=400,
    )


def test_a_day_on_an_account_changes_rows_and_pictures(happened, run):
    done = make("daily", happened, run, sys.executable, "-m", "local_hopsworks", "run", "--")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Newly predicted: 1" in done.stdout
    assert done.stdout.splitlines()[-1] == "Rows and pictures have changed as they should."


def test_a_job_that_ran_on_its_schedule_leaves_a_new_passenger_and_its_prediction(happened, serve):
    """Both pipelines as jobs of a served Hopsworks, in which nothing else happens."""
    first, second = happened.handed_over.said
    assert first[2:] == second[2:] and "Job created" in first[1] and "Job created" not in second[1]
    assert (
        "Hopsworks runs titanic_batch_inference_pipeline by itself (* * * * * ?): https://127.0.0.1"
        in second[1]
    )
    monitor = (
        happened.folder / "store" / "projects" / "local" / "Resources" / "images" / "monitor.json"
    )
    before = json.loads(monitor.read_text())
    serve("--home", happened.folder / "store")
    end = time.monotonic() + 300
    while (after := json.loads(monitor.read_text()))["predictions"] == before["predictions"]:
        assert time.monotonic() < end, "no job has predicted anybody"
        time.sleep(0.2)
    assert after["recent"][0]["passenger_id"] not in happened.times


def test_make_schedule_hands_over_all_three(happened, run):
    done = make("schedule", happened, run)
    assert done.returncode == 0, done.stderr[-2000:]
    told = re.findall(
        r"^Hopsworks runs titanic_(\w+)_pipeline by itself \((.*)\): https",
        done.stdout,
        re.MULTILINE,
    )
    assert told == [
        ("feature", "0 0 5 * * ?"),
        ("training", "0 20 5 * * ?"),
        ("batch_inference", "0 40 5 * * ?"),
    ]


def test_clean_hopsworks_removes_what_is_ours_after_showing_it_and_nothing_else(happened, run):
    # Last in this file: the others want the store
    asked = make("clean-hopsworks", happened, run)
    listed = re.findall(r"^  (.*)$", asked.stdout, re.MULTILINE)
    assert (
        asked.returncode != 0
        and "EOF" not in asked.stderr
        and "Nothing was removed." in asked.stderr
    )
    ours = [
        "job titanic_training_pipeline",
        "model titanic 4",
        "feature view titanic 1, with its training data",
    ]
    ours += [
        "feature group titanic 1",
        "file Resources/titanic/0.png",
        "file Resources/images/monitor.json",
    ]
    for thing in ours:
        assert thing in listed
    assert not any(
        "holiday" in each or "somebody" in each or "folder Resources/images" in each
        for each in listed
    )
    done = make("clean-hopsworks", happened, run, YES="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.findall(r"^Removed (.*)\.$", done.stdout, re.MULTILINE) == listed
    files = happened.folder / "store" / "projects" / "local"
    assert [path.name for path in (files / "Resources" / "images").iterdir()] == ["holiday.png"]
    assert (
        not (files / "Resources" / "titanic").exists()
        and list((files / "Models").glob("titanic/*")) == []
    )
    tables = [
        path.name for path in (happened.folder / "store" / "featurestore" / "local").iterdir()
    ]
    assert [name.rsplit("_", 2)[0] for name in tables] == ["somebody_elses"]
