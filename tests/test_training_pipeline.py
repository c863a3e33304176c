"""The training pipeline: who is for testing, what is registered, and what is not."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy.stats import norm
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier

from tests.pipelines import FEATURES, PROGRAMS, REPOSITORY, Scripts, load
from tests.processes import at_once

CSV = REPOSITORY / "data" / "titanic.csv"
FILES = {
    "model.joblib",
    "encoding.json",
    "passengers.json",
    "0.png",
    "1.png",
    "confusion_matrix.png",
    "README.md",
}

pipeline = load("training")


def assert_texts_fit(figure: Figure) -> None:
    """No text of a picture overlaps another."""
    figure.draw_without_rendering()
    texts = [one for one in figure.findobj(match=Text) if one.get_visible() and one.get_text()]
    boxes = [(one.get_text(), one.get_window_extent()) for one in texts]
    for place, (text, box) in enumerate(boxes):
        for other, other_box in boxes[place + 1 :]:
            assert not box.overlaps(other_box), f"{text} overlaps {other}"


@pytest.fixture(scope="module")
def passengers() -> pd.DataFrame:
    """The historical passengers, as the feature group has them."""
    feature = load("feature")
    people = feature.read_passengers(str(CSV))
    return feature.encode(people, feature.make_encoding(people))


@pytest.fixture(scope="module")
def folder(trained: Path) -> Path:
    """The registered files of version 1."""
    return trained / "store" / "projects" / "local" / "Models" / "titanic" / "1" / "Files"


@pytest.fixture(scope="module")
def model(folder: Path):
    return joblib.load(folder / "model.joblib")


def test_before_the_backfill_the_command_is_named(run, tmp_path):
    done = Scripts(run, tmp_path)("training")
    assert done.returncode == 1
    assert done.stderr == "No historical passenger is stored yet. Run: make backfill\n"


def test_model_is_boosting_of_a_thousand_trees_on_the_four_features(model):
    assert isinstance(model, GradientBoostingClassifier) and model.n_estimators_ == 1000
    assert list(model.feature_names_in_) == FEATURES


def test_passengers_whose_id_is_a_multiple_of_five_are_never_learnt_from(folder, passengers):
    counts = pd.read_json(folder / "passengers.json")
    learnt = passengers[passengers["passenger_id"] % 5 != 0]
    expected = learnt.groupby(FEATURES)["survived"].agg(passengers="size", survived="sum")
    pd.testing.assert_frame_equal(counts, expected.reset_index())
    assert counts["passengers"].sum() == 713


def test_registered_metrics_are_those_that_can_be_expected(folder, model, passengers):
    """The bounds are the repeated cross-validation of model-facts, with its interval."""
    metrics = registered_metrics(folder)
    test = passengers[passengers["passenger_id"] % 5 == 0]
    right = (model.predict(test[FEATURES]) == test["survived"]).mean()
    assert metrics["accuracy"] == pytest.approx(right, abs=1e-4)
    assert metrics["accuracy_low"] < metrics["accuracy"] < metrics["accuracy_high"]
    assert metrics["sex_alone_accuracy"] == pytest.approx(0.7868, abs=1e-4)
    assert 0.79 < metrics["cv_accuracy"] < 0.84 and 0.83 < metrics["roc_auc"] < 0.88
    assert 0.41 < metrics["log_loss"] < 0.44 < metrics["sex_alone_log_loss"] < 0.53
    assert 0.12 < metrics["brier"] < 0.14 and 0.8 < metrics["calibration_slope"] < 1.1


def registered_metrics(folder: Path) -> dict[str, float]:
    """The metrics on the model card, which are those in the registry."""
    lines = (folder / "README.md").read_text().splitlines()
    pairs = (line.removeprefix("* ").split(": ") for line in lines if line.startswith("* "))
    return {name: float(value) for name, value in pairs}


def test_interval_of_a_share_is_wilsons(passengers):
    """Against the formula of the textbook, at 11 of 12: the original report's 91.667 %."""
    right, total, z = 11, 12, norm.ppf(0.975)
    middle = (right + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * np.sqrt(right * (total - right) / total + z**2 / 4)
    found = pipeline.share("it", pd.Series([1] * right + [0]))
    expected = {"it": right / total, "it_low": middle - half, "it_high": middle + half}
    assert found == pytest.approx(expected)
    assert found["it_low"] == pytest.approx(0.646, abs=1e-3)


def test_each_passenger_is_predicted_by_a_model_that_has_not_seen_it(passengers):
    """A passenger of a kind of its own gets a chance that cannot come from its own outcome."""
    people = passengers.copy()
    people["sex"] = 0
    people.loc[0, "sex"] = 1
    people.loc[0, "survived"] = 1
    chances = pipeline.cross_validate(people)
    assert len(chances) == 891 and chances.loc[0, "sex_alone"] < 0.6


def test_registry_knows_view_schema_example_and_card(run, trained, tmp_path):
    script = Scripts.over_copy(run, trained, tmp_path)
    state = script.look()
    assert state["models"]["1"] == registered_metrics(script.file("Models/titanic/1/Files"))
    version = script.file("Models/titanic/1")
    assert {path.name for path in (version / "Files").iterdir()} == FILES
    example = json.loads((version / "input_example.json").read_text())
    assert example == [3, 0, 2, 0]  # the first passenger: a man in 3rd class
    schema = json.loads((version / "model_schema.json").read_text())
    columns = [each["name"] for each in schema["input_schema"]["columnar_schema"]]
    assert columns == FEATURES
    card = (version / "Files" / "README.md").read_text()
    assert "178 historical passengers whose id is a multiple\nof five" in card
    assert "calibration slope (1 is\nperfect) included, are cross-validated" in card


def test_second_training_registers_a_new_version_and_a_served_address_gives_the_pictures(
    run, trained, tmp_path
):
    script = Scripts.over_copy(run, trained, tmp_path)
    handler = functools.partial(QuietFiles, directory=str(REPOSITORY / "assets"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = script("training", ASSETS_URL=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "Training on 713 passengers, testing on 178 …",
        "Cross-validating over 891 passengers …",
        "Registering the model …",
        "Registered titanic version 2.",
    ]
    assert lines[4].startswith("  unseen passengers: 81.6% right (78.9% to 84.0%)")
    assert lines[-1] == "Next: make passengers"
    picture = script.file("Models/titanic/2/Files/1.png").read_bytes()
    assert picture == (REPOSITORY / "assets" / "1.png").read_bytes()


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, *_):
        pass


def find_faults(model, passengers, chances=None, rival=None):
    test = passengers[passengers["passenger_id"] % 5 == 0]
    if chances is None:
        sex_alone = passengers["sex"].map({0: 0.19, 1: 0.74})
        chances = pd.DataFrame({"model": model_chances(model, passengers), "sex_alone": sex_alone})
    return pipeline.find_faults(model, chances, passengers, test, rival)


def model_chances(model, passengers):
    return pipeline.predict_chances(model, passengers)


@pytest.mark.parametrize(
    "task, stored, said",
    [
        ("view", "backfilled", {"read 891"}),
        ("model", "trained", {"registered 2", "registered 3", "registered 4"}),
    ],
)
def test_pipelines_at_once_share_the_view_and_register_a_version_each(
    task, stored, said, request, environment, warm, tmp_path
):
    shutil.copytree(request.getfixturevalue(stored), tmp_path, dirs_exist_ok=True)
    command = [sys.executable, PROGRAMS / "trains_at_once.py", task]
    variables = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    results = at_once([command] * 3, variables, start=warm.start)
    for done in results:
        assert done.returncode == 0, done.stderr[-2000:]
    assert {done.stdout.splitlines()[-1] for done in results} == said


def test_fit_model_has_no_faults_also_beside_itself(model, passengers):
    assert find_faults(model, passengers) == []
    assert find_faults(model, passengers, rival=model) == []


def test_model_that_contradicts_common_knowledge_is_not_fit(passengers):
    """A model that has learnt the opposite outcomes."""
    model = GradientBoostingClassifier(n_estimators=50, random_state=1)
    model.fit(passengers[FEATURES], 1 - passengers["survived"])
    faults = find_faults(model, passengers)
    assert "it gives no better chance to a girl in 1st class than to a man in 3rd" in faults
    assert len(faults) == len(pipeline.LIKELIER) + 1  # and it is worse than sex alone


def test_model_that_is_no_better_than_sex_alone_is_not_fit(model, passengers):
    sex_alone = passengers["sex"].map({0: 0.19, 1: 0.74})
    chances = pd.DataFrame({"model": sex_alone, "sex_alone": sex_alone})
    faults = find_faults(model, passengers, chances)
    assert faults == ["it is not better than a guess from the sex alone"]


def test_model_that_is_worse_than_the_one_in_service_is_not_fit(model, passengers):
    """The comparison is on the test passengers; a rival that knows them is clearly better."""
    test = passengers[passengers["passenger_id"] % 5 == 0]
    rival = GradientBoostingClassifier(n_estimators=300, random_state=1)
    rival.fit(test[FEATURES], test["survived"])
    faults = find_faults(model, passengers, rival=rival)
    assert faults == ["it is worse on the test passengers than the version in service"]


def test_constant_model_in_service_never_blocks_a_better_one(model, passengers):
    rival = DummyClassifier(strategy="prior").fit(passengers[FEATURES], passengers["survived"])
    assert find_faults(model, passengers, rival=rival) == []


def test_unfit_model_is_refused_with_reasons_and_nothing_is_registered(run, trained, tmp_path):
    """A second list of passengers, in which the outcomes are exchanged."""
    script = Scripts.over_copy(run, trained, tmp_path)
    people = pd.read_csv(CSV)
    people["Survived"] = 1 - people["Survived"]
    people.to_csv(tmp_path / "exchanged.csv", index=False)
    backfill = script("feature", BACKFILL="True", TITANIC_CSV=tmp_path / "exchanged.csv")
    assert backfill.returncode == 0, backfill.stderr
    done = script("training")
    assert done.returncode == 1
    assert done.stderr.startswith("Not registered: it gives no better chance to a girl in 1st")
    assert "'log_loss': " in done.stderr and done.stderr.count("\n") == 1
    assert list(script.look()["models"]) == ["1"]


@pytest.mark.long
def test_version_that_cannot_be_loaded_is_said_and_not_compared(run, trained, tmp_path):
    script = Scripts.over_copy(run, trained, tmp_path)
    script.file("Models/titanic/1/Files/model.joblib").write_bytes(b"no pickle")
    done = script("training")
    assert done.returncode == 0, done.stderr
    assert "Version 1 cannot be loaded, so it is not compared: " in done.stdout
    assert "Registered titanic version 2" in done.stdout


def test_too_few_passengers_are_one_sentence(run, tmp_path):
    few = pd.read_csv(CSV).head(40)
    assert few["Survived"].sum() == 19
    few.to_csv(tmp_path / "few.csv", index=False)
    script = Scripts(run, tmp_path)
    assert script("feature", BACKFILL="1", TITANIC_CSV=tmp_path / "few.csv").returncode == 0
    done = script("training")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Training needs 20 passengers who died and 20 who survived.\n"


@pytest.mark.parametrize("assets_url", ["http://127.0.0.1:9", "s3://bucket/assets"])
def test_pictures_that_cannot_be_had_are_one_sentence(tmp_path, assets_url):
    with pytest.raises(SystemExit) as refusal:
        pipeline.copy_pictures(assets_url, tmp_path, tmp_path)
    assert str(refusal.value).startswith(f"ASSETS_URL: {assets_url} has no picture 0.png: ")


def test_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "0.png").write_text("not a picture")
    with pytest.raises(SystemExit, match=r"has no picture 0\.png: cannot identify image"):
        pipeline.copy_pictures(str(tmp_path), tmp_path, tmp_path)


def test_confusion_matrix_has_died_first(tmp_path, monkeypatch):
    figures = []

    def keep(**options):
        figures.append(Figure(**options))
        return figures[-1]

    monkeypatch.setattr(pipeline, "Figure", keep)
    survived = pd.Series([0] * 10 + [1] * 4)
    predicted = np.array([0] * 9 + [1] + [0] + [1] * 3)
    pipeline.draw_confusion_matrix(survived, predicted, tmp_path / "matrix.png")
    (axes,) = figures[0].axes
    cells = [text.get_text() for text in axes.texts]
    assert cells == ["9", "1", "1", "3"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["died", "survived"]
    assert axes.get_title() == "12 of 14 test passengers predicted right"
    assert_texts_fit(figures[0])
    with Image.open(tmp_path / "matrix.png") as picture:
        assert picture.width > 800
