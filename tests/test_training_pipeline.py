"""The training pipeline: what it learns from, how well, what it registers, and what it refuses."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.pipelines import FEATURES, REPOSITORY, Scripts, load

pytestmark = pytest.mark.timeout(
    900
)  # the first test waits for all runs of the pipelines, maybe on a busy machine
LOOK = """
import json, os
from local_hopsworks import login
project = login()
models, rows = {}, project.get_feature_store().get_feature_group("titanic", 1).read()
encoding = json.loads(project.get_dataset_api().read_content("/Resources/titanic/encoding.json").content)
for model in project.get_model_registry().get_models("titanic"):
    view = model.get_feature_view()
    os.mkdir(str(model.version))
    folder = model.download(os.path.abspath(str(model.version)))
    models[model.version] = {"metrics": model.training_metrics, "folder": folder,
        "schema": model.model_schema, "example": model.input_example, "view": [view.name, view.version]}
stored = {"rows": rows.drop(columns="event_time").to_dict("records"), "encoding": encoding, "models": models}
stored["training_data"] = [one.version for one in view.get_training_datasets()]
print("STATE" + json.dumps(stored))
"""


feature_pipeline, pipeline = load("feature"), load("training")


class Assets(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def job(run, environment, tmp_path_factory, backfilled) -> SimpleNamespace:
    """The script before and after a backfill, again, and told to retrain: what each run answered,
    what is stored."""
    folder = tmp_path_factory.mktemp("training_pipeline")
    (folder / "empty").mkdir()
    job = SimpleNamespace(too_early=Scripts(run, folder / "empty")("training"))
    shutil.copytree(backfilled, folder, dirs_exist_ok=True)
    script = Scripts(run, folder)
    assets = functools.partial(Assets, directory=str(REPOSITORY / "assets"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), assets) as server:
        (thread := threading.Thread(target=server.serve_forever)).start()
        job.first = script("training", ASSETS_URL=f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
        thread.join()
    assert script("feature").returncode == 0
    job.second = script("training")
    # The second training is a job that a served Hopsworks runs by itself; nothing of this
    # repository lies beside it
    job.handed_over = script("training", LOCAL="False", RETRAIN="True", SCHEDULE="* * * * * ?")
    command = [sys.executable, "-m", "local_hopsworks", "serve"]
    logs = script.store / "projects" / "local" / "Logs" / "Python" / "titanic_training_pipeline"
    alone = {**environment, "PYTHONPATH": environment["PYTHONPATH"].split(os.pathsep)[0]}
    alone["LOCAL_HOPSWORKS_HOME"] = str(script.store)
    with subprocess.Popen(command, env=alone, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as served:
        job.retraining, end = "", time.monotonic() + 300
        while "Next:" not in job.retraining and time.monotonic() < end:
            job.retraining = "".join(log.read_text() for log in logs.glob("*/std*.log"))
            time.sleep(0.2)
        served.terminate()
    vars(job).update(script.look(LOOK))
    return job


@pytest.fixture(scope="module")
def registered(job) -> dict:
    return job.models["1"]


@pytest.fixture(scope="module")
def folder(registered) -> Path:
    return Path(registered["folder"])


@pytest.fixture(scope="module")
def model(folder):
    return joblib.load(folder / "model.joblib")


def test_before_the_backfill_the_command_is_named(job):
    assert job.too_early.returncode == 1 and "Traceback" not in job.too_early.stderr
    sentence = "No historical passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py\n"
    assert sentence in job.too_early.stderr


def test_registered_metrics_are_those_that_can_be_expected(registered):
    metrics = registered["metrics"]
    assert 0.72 < metrics["accuracy"] < 0.9  # of 179 passengers: a wide interval
    assert 0.805 < metrics["cv_accuracy"] < 0.835 and 0 < metrics["cv_accuracy_std"] < 0.06
    assert metrics["sex_alone_accuracy"] == pytest.approx(0.787, abs=0.001)
    assert metrics["roc_auc"] > 0.84 and metrics["log_loss"] < 0.45 and metrics["brier"] < 0.14
    assert 0.8 < metrics["calibration_slope"] < 1.2


def test_model_is_the_boosting_of_a_thousand_trees(model):
    assert len(model.estimators_) == 1000 and model.random_state is not None


def test_model_directory_is_all_that_the_predict_app_needs(job, folder):
    files = {
        "model.joblib",
        "encoding.json",
        "passengers.json",
        "README.md",
        "0.png",
        "1.png",
        "confusion_matrix.png",
    }
    assert files <= {path.name for path in folder.iterdir()}
    for name in ("0.png", "1.png"):
        assert (folder / name).read_bytes() == (REPOSITORY / "assets" / name).read_bytes()
    assert json.loads((folder / "encoding.json").read_text()) == job.encoding
    with Image.open(folder / "confusion_matrix.png") as picture:
        assert picture.format == "PNG" and picture.size == (960, 960)
    card = (folder / "README.md").read_text()
    assert all(
        words in card for words in ("712", "179", "891", "cv_accuracy", "**Use:**", "**Limits:**")
    )


def test_model_is_trained_on_historical_passengers_only(job):
    rows = pd.DataFrame(job.rows)
    assert len(rows) == 892  # a synthetic one was stored before version 2 was trained
    real = rows[rows["passenger_id"] < 10**9].groupby(FEATURES)["survived"].agg(["count", "sum"])
    for version in ("1", "2"):
        counted = json.loads((Path(job.models[version]["folder"]) / "passengers.json").read_text())
        assert sum(row[4] for row in counted) == 712  # 80 % of 891
        for *cell, count, survived in counted:
            assert (
                survived <= count <= real.loc[tuple(cell), "count"]
                and survived <= real.loc[tuple(cell), "sum"]
            )
    assert (
        "Training on 712 passengers, testing on 179, cross-validating over 891 ..."
        in job.retraining
    )


def test_second_training_registers_nothing_unless_told_to(job):
    assert [done.returncode for done in (job.first, job.second, job.handed_over)] == [0, 0, 0]
    assert "Registered model titanic 1:" in job.first.stdout
    sentence = "Model titanic 1 was trained on these passengers with these settings: nothing to do."
    assert sentence in job.second.stdout and "Registered" not in job.second.stdout
    assert "Registered model titanic 2:" in job.retraining
    assert sorted(job.models) == ["1", "2"] and sorted(job.training_data) == [1, 2]


def test_model_knows_its_feature_view_training_data_schema_and_example(job):
    for version in (1, 2):
        registered = job.models[str(version)]
        assert registered["view"] == ["titanic", 1]
        assert [
            column["name"] for column in registered["schema"]["input_schema"]["columnar_schema"]
        ] == FEATURES
        assert registered["example"] is not None


def test_first_class_girl_survives_rather_than_third_class_man(model):
    girl, man = ([1, 1, 0, 3], [3, 0, 2, 0])
    chances = model.predict_proba(pd.DataFrame([girl, man], columns=FEATURES))[:, 1]
    assert chances[0] > 0.8 and chances[1] < 0.2
    for sex in (0, 1):  # the same adult in a better class has a better chance, at the going fare
        classes = pd.DataFrame([[1, sex, 2, 3], [3, sex, 2, 0]], columns=FEATURES)
        assert np.diff(model.predict_proba(classes)[:, 1])[0] < 0


def test_accuracy_on_synthetic_passengers_is_near_the_cross_validated_one(job, model, registered):
    drawn = feature_pipeline.draw(job.encoding["passengers"], 10_000, np.random.default_rng(1912))
    answers = model.predict(pd.DataFrame(drawn[:, :4], columns=FEATURES))
    assert abs((answers == drawn[:, 4]).mean() - registered["metrics"]["cv_accuracy"]) < 0.03


def test_confusion_matrix_has_died_first_and_every_cell_in_its_place(tmp_path, monkeypatch):
    seen = {}
    heatmap = pipeline.seaborn.heatmap
    monkeypatch.setattr(
        pipeline.seaborn, "heatmap", lambda table, **look: seen.update(axes=heatmap(table, **look))
    )
    pipeline.draw_confusion_matrix(np.array([[97, 10], [16, 56]]), tmp_path / "matrix.png")
    axes = seen["axes"]
    ticks = [
        [label.get_text() for label in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)
    ]
    assert ticks == [["died", "survived"]] * 2 and (axes.get_xlabel(), axes.get_ylabel()) == (
        "predicted",
        "actual",
    )
    assert [text.get_text() for text in axes.texts] == ["97\n54%", "10\n6%", "16\n9%", "56\n31%"]


@pytest.mark.parametrize("name", ["LOCAL", "RETRAIN"])
@pytest.mark.parametrize("value", ["yes", "false", "1", ""])
def test_toggle_with_another_value_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"{name} is '{value}': set it to True or False"):
        pipeline.main()


def test_argument_wins_over_the_variable(monkeypatch):
    monkeypatch.setenv("RETRAIN", "True")
    monkeypatch.setattr(sys, "argv", ["titanic_training_pipeline.py", "RETRAIN=maybe"])
    with pytest.raises(SystemExit, match="RETRAIN is 'maybe'"):
        pipeline.main()


def test_pictures_that_cannot_be_had_are_one_sentence(monkeypatch, tmp_path):
    for url in (str(tmp_path), "http://127.0.0.1:9/assets", "ftp://127.0.0.1/assets", "http://"):
        monkeypatch.setenv("ASSETS_URL", url)
        with pytest.raises(SystemExit, match=r"ASSETS_URL: .*0.png cannot be read \(\w+\)\.$"):
            pipeline.main()

    class ErrorPage(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ErrorPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("ASSETS_URL", f"http://127.0.0.1:{server.server_port}/")
        with pytest.raises(SystemExit, match=r"ASSETS_URL: .*/0.png is not a PNG picture\.$"):
            pipeline.main()
        server.shutdown()
        thread.join()
