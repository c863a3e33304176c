"""The batch inference pipeline: who is predicted, by which model, and what is stored for people."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.pipelines import FEATURES, PROGRAMS, REPOSITORY, Done, Scripts, load
from tests.processes import at_once
from tests.test_training_pipeline import assert_texts_fit

IMAGES = "Resources/images"
PICTURES = {
    "latest_passenger_prediction.png",
    "actual_passenger_outcome.png",
    "df_recent.png",
    "confusion_matrix.png",
}

pipeline = load("batch_inference")


@dataclass
class Batch:
    """Sixty passengers made up at once and predicted by one pipeline, and what is stored then."""

    script: Scripts
    done: Done
    state: dict[str, Any]


@pytest.fixture(scope="module")
def batch(run, trained: Path, tmp_path_factory) -> Batch:
    script = Scripts.over_copy(run, trained, tmp_path_factory.mktemp("batch"))
    made = script("feature", PASSENGERS="60")
    assert made.returncode == 0, made.stderr
    return Batch(script, script("batch_inference"), script.look())


@pytest.fixture(scope="module")
def model(batch: Batch):
    return joblib.load(batch.script.file("Models/titanic/1/Files/model.joblib"))


def test_before_a_model_or_a_passenger_is_there_the_command_is_named(run, trained, tmp_path):
    nothing = Scripts(run, tmp_path / "nothing")
    nothing.folder.mkdir()
    done = nothing("batch_inference")
    assert (done.returncode, done.stderr) == (
        1,
        "No model is registered yet. Run: make train\n",
    )
    untouched = Scripts.over_copy(run, trained, tmp_path / "untouched")
    done = untouched("batch_inference")
    assert (done.returncode, done.stderr) == (
        1,
        "No synthetic passenger is stored yet. Run: make passengers\n",
    )
    assert untouched.look()["predictions"] == []


def test_every_passenger_is_predicted_once_however_often_the_pipeline_runs(batch):
    done, state = batch.done, batch.state
    assert "Predicted 60 new passengers." in done.stdout, done.stderr
    assert len(state["predictions"]) == 60
    again = batch.script("batch_inference")
    assert "Predicted 0 new passengers." in again.stdout, again.stderr
    later = batch.script.look()
    assert later["predictions"] == state["predictions"]
    assert later["monitor"] == state["monitor"]


def test_pipelines_at_once_predict_every_passenger_once(run, trained, tmp_path):
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("feature", PASSENGERS="5").returncode == 0
    for done in script.together(("batch_inference", {}), ("batch_inference", {})):
        assert done.returncode == 0, done.stderr
    state = script.look()
    ids = [one["passenger_id"] for one in state["predictions"]]
    synthetic = [one["passenger_id"] for one in state["titanic"] if one["passenger_id"] >= 10**9]
    assert sorted(ids) == sorted(synthetic) and len(ids) == 5


def test_pipelines_that_store_pictures_at_once_leave_whole_ones(environment, warm, tmp_path):
    # Both make the folder, and each removes what the other is about to replace
    texts = ["a" * 40_000, "b" * 70_000]
    commands = [[sys.executable, PROGRAMS / "stores_pictures_at_once.py", text] for text in texts]
    variables = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    for done in at_once(commands, variables, start=warm.start):
        assert done.returncode == 0, done.stderr[-2000:]
    images = tmp_path / "store" / "projects" / "local" / IMAGES
    for name in ("monitor.json", "df_recent.png"):
        assert (images / name).read_text() in texts


def test_prediction_is_the_models_and_outcome_is_the_passengers_own(batch, model):
    passengers = {one["passenger_id"]: one for one in batch.state["titanic"]}
    for one in batch.state["predictions"]:
        passenger = passengers[one["passenger_id"]]
        assert one["label"] == passenger["survived"] and one["model_version"] == 1
        row = pd.DataFrame([passenger])[FEATURES]
        chance = model.predict_proba(row)[0, 1]
        assert one["survival_probability"] == pytest.approx(chance)
        assert one["prediction"] == model.predict(row)[0] == (chance >= 0.5)


def test_monitor_tells_what_is_stored_newest_first(batch):
    monitor, predictions = batch.state["monitor"], batch.state["predictions"]
    for actual in (0, 1):
        for predicted in (0, 1):
            cell = [
                one
                for one in predictions
                if (one["label"], one["prediction"]) == (actual, predicted)
            ]
            assert monitor["confusion_matrix"][actual][predicted] == len(cell)
    times = [one["event_time"] for one in monitor["latest"]]
    assert len(times) == 60 and times == sorted(times, reverse=True)
    assert times[0].endswith("Z") and monitor["latest"][0]["datetime"].endswith("Z")
    assert monitor["model"]["version"] == 1
    assert monitor["model"]["metrics"] == batch.state["models"]["1"]


def test_passengers_are_said_in_words(batch):
    words = batch.state["encoding"]["words"]
    assert batch.state["monitor"]["words"] == words
    for one in batch.state["monitor"]["latest"]:
        assert one["words"] == ", ".join(words[name][str(one[name])] for name in FEATURES)


def test_shares_in_training_are_of_the_passengers_that_the_model_learnt_from(batch):
    historical = pd.DataFrame(batch.state["titanic"])
    learnt = historical[
        (historical["passenger_id"] < 10**9) & (historical["passenger_id"] % 5 != 0)
    ]
    shares = batch.state["monitor"]["shares_in_training"]
    assert list(shares) == FEATURES
    for name in FEATURES:
        expected = learnt[name].value_counts(normalize=True)
        assert shares[name] == pytest.approx({str(code): share for code, share in expected.items()})


def test_stored_pictures_are_those_of_the_latest_passenger(batch):
    latest = batch.state["monitor"]["latest"][0]
    folder = batch.script.file(IMAGES)
    assert {path.name for path in folder.glob("*.png")} == PICTURES
    for name, outcome in (
        ("latest_passenger_prediction.png", latest["prediction"]),
        ("actual_passenger_outcome.png", latest["label"]),
    ):
        picture = REPOSITORY / "assets" / f"{outcome}.png"
        assert (folder / name).read_bytes() == picture.read_bytes()


def test_report_ends_with_what_to_do_next(batch):
    lines = batch.done.stdout.splitlines()
    assert len(lines) == 7  # one sentence, a header, four passengers, what to do
    assert lines[-1] == "Both outcomes have been predicted. Now: make apps"


def test_user_is_told_to_go_on_until_both_outcomes_have_been_predicted(run, trained, tmp_path):
    """Passengers of which the model predicts only one outcome: men in third class."""
    script = Scripts.over_copy(run, trained, tmp_path)
    men = REPOSITORY / "tests" / "programs" / "store_men.py"
    assert script.start(men).returncode == 0
    done = script("batch_inference")
    assert done.returncode == 0, done.stderr
    expected = "Run it again until both outcomes have been predicted: make passengers predict"
    assert done.stdout.splitlines()[-1] == expected
    names = {path.name for path in script.file(IMAGES).glob("*.png")}
    assert names == PICTURES - {"confusion_matrix.png"}


@pytest.mark.long
def test_newest_registered_version_serves_and_deleting_it_goes_back(run, trained, tmp_path):
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("training").returncode == 0
    assert script("feature").returncode == 0
    assert script("batch_inference").returncode == 0
    assert script.look()["predictions"][0]["model_version"] == 2
    assert script.start(REPOSITORY / "tests" / "programs" / "delete_newest.py").returncode == 0
    assert script("feature").returncode == 0
    assert script("batch_inference").returncode == 0
    state = script.look()
    assert sorted(one["model_version"] for one in state["predictions"]) == [1, 2]
    assert state["monitor"]["model"]["version"] == 1


def test_model_that_cannot_be_loaded_is_one_sentence_and_nothing_is_predicted(
    run, trained, tmp_path
):
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("feature").returncode == 0
    script.file("Models/titanic/1/Files/model.joblib").write_bytes(b"no pickle")
    done = script("batch_inference")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Model titanic version 1 cannot be loaded (")
    assert "delete that version in the model registry" in done.stderr
    assert script.look()["predictions"] == []


def test_without_assets_the_pictures_of_the_model_are_taken(run, trained, tmp_path):
    """As in a job of Hopsworks, which has no such folder."""
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("feature").returncode == 0
    done = script("batch_inference", "--assets-url", str(tmp_path / "absent"))
    assert done.returncode == 0, done.stderr
    stored = (script.file(IMAGES) / "actual_passenger_outcome.png").read_bytes()
    assert stored in [(REPOSITORY / "assets" / name).read_bytes() for name in ("0.png", "1.png")]


def test_recent_predictions_are_drawn_as_a_table_that_fits(tmp_path, monkeypatch):
    figures = []

    def keep(**options):
        figures.append(Figure(**options))
        return figures[-1]

    monkeypatch.setattr(pipeline, "Figure", keep)
    recent = pd.DataFrame(
        {
            "words": ["3rd class, female, teenager, high-medium fare"] * 4,
            "prediction": [1, 0, 1, 0],
            "label": [1, 1, 0, 0],
            "survival_probability": [0.5, 0.25, 1.0, 0.0],
        }
    )
    table = pipeline.tabulate(recent)
    assert table["predicted"].tolist() == ["survived", "died", "survived", "died"]
    assert table["actual"].tolist() == ["survived", "survived", "died", "died"]
    pipeline.draw_table(table, tmp_path / "table.png")
    assert_texts_fit(figures[0])
    pipeline.draw_confusion_matrix(np.array([[900, 100], [250, 750]]), tmp_path / "matrix.png")
    assert_texts_fit(figures[1])
    for name in ("table.png", "matrix.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 800


def test_copied_folder_of_a_script_is_enough(run, trained, tmp_path):
    """A job of Hopsworks has the file alone."""
    script = Scripts.over_copy(run, trained, tmp_path)
    assert script("feature").returncode == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    copy = shutil.copy(REPOSITORY / "titanic_batch_inference_pipeline.py", alone)
    done = script.start(Path(copy))
    assert done.returncode == 0, done.stderr
    assert "Predicted 1 new passengers." in done.stdout
