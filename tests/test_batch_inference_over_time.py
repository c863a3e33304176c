"""Batch inference day after day: what a run reads and keeps, and that nobody is missed or counted twice."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

pytestmark = pytest.mark.timeout(600)  # the first test waits for the whole scenario
SCENARIO = """
import hashlib
from history import *
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

register()
arrive(people(300), [ago(f"{10 * (300 - each)}h") for each in range(300)])  # the last one ten hours ago
then("first", said=run(batch))
arrive(people(1, 1), ago("0s"))
arrive(people(1, 2), ago("20h"))  # stored late
then("next_day", said=run(batch))
arrive(people(1, 3), ago("3d"))  # later than any run looks back
then("too_late", said=run(batch))

settled = monitor()["settled"] | {"read_in_full": "2020-01-01T00:00:00+00:00"}
put_monitor(json.dumps(monitor() | {"settled": settled, "settled_digest": batch.digest(json.dumps(settled).encode())}))
then("a_week_later", said=run(batch))
put_monitor(json.dumps(monitor() | {"settled": settled | {"correct": 7}}))
then("altered", said=run(batch))
put_monitor(json.dumps(monitor())[:700])
then("truncated", said=run(batch))

publish = batch.publish
batch.publish = lambda *_: (_ for _ in ()).throw(SystemExit("killed"))
arrive(people(1, 4), ago("0s"))
killed = run(batch)
batch.publish = publish
then("killed", said=killed + run(batch))
print("HAPPENED" + json.dumps([dict(happened), group.read()[["passenger_id", "event_time"]].to_json(orient="values")]))
"""


@pytest.fixture(scope="module")
def happened(run, environment, tmp_path_factory) -> SimpleNamespace:
    """What was stored after each run of the scenario, all in one process and one store."""
    folder = tmp_path_factory.mktemp("over_time")
    env = {"LOCAL_HOPSWORKS_HOME": str(folder / "store")}
    env["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(Path(__file__).resolve().parent)])
    done = run(sys.executable, "-c", SCENARIO, env=env, cwd=folder, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    states, passengers = json.loads(done.stdout.split("HAPPENED")[1].splitlines()[0])
    times = dict(json.loads(passengers))
    return SimpleNamespace(times=times, **{name: SimpleNamespace(**state) for name, state in states.items()})


@pytest.mark.parametrize(
    ("moment", "total"),
    [("first", 300), ("next_day", 302), ("too_late", 302), ("a_week_later", 303), ("altered", 303), ("killed", 304)],
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
    assert [one["passenger_id"] for one in state.monitor["recent"]] == rows["passenger_id"].tolist()[:-5:-1]


def test_a_run_reads_the_last_day_and_not_the_history(happened):
    assert happened.first.read == [300, 300]  # before and after they were predicted
    assert happened.next_day.read == [5, 5]  # the new one, the late one, and those of the last 34 hours
    assert len(happened.next_day.monitor["settled"]["recent"]) == 4


def test_who_is_stored_a_day_late_is_predicted_at_once_and_who_is_later_still_within_a_week(happened):
    assert "Newly predicted: 2" in happened.next_day.said
    assert "Nothing new" in happened.too_late.said
    assert "Newly predicted: 1" in happened.a_week_later.said


def test_sums_that_are_damaged_are_made_anew(happened):
    for state in (happened.altered, happened.truncated):
        assert "Nothing new" in state.said and state.read == [303]
        shown = ("predictions", "correct", "confusion_matrix", "recent", "model")
        assert [state.monitor[name] for name in shown] == [happened.a_week_later.monitor[name] for name in shown]
        assert state.monitor["pictures"] == happened.a_week_later.monitor["pictures"]


def test_what_a_killed_run_predicted_is_published_by_the_next(happened):
    assert happened.killed.said.startswith("killed") and "Nothing new" in happened.killed.said
    assert len(happened.killed.predictions) == happened.killed.monitor["predictions"] == 304
