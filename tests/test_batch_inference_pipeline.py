"""The batch inference pipeline: whom it predicts, how fast, what it shows, and what it leaves
alone."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from tests.pipelines import FEATURES, REPOSITORY, Scripts, historical_encoding, load

pytestmark = pytest.mark.timeout(
    900
)  # the first test waits for all runs of the pipelines, maybe on a busy machine
LOOK = """
import hashlib, json, os, sys
from local_hopsworks import login
project = login()
files, registry = project.get_dataset_api(), project.get_model_registry()
def rows(name):
    group = project.get_feature_store().get_feature_group(name, 1)
    return json.loads(group.read().astype({"survival_probability": float} if name != "titanic" else {}).to_json(
        orient="records", date_format="iso", date_unit="us", double_precision=15))
stored = {"titanic": rows("titanic"), "predictions": rows("passenger_outcome_predictions"), "images": {}}
for name in map(os.path.basename, files.list("Resources/images")):
    content = files.read_content("/Resources/images/" + name).content
    stored["images"][name] = hashlib.sha256(content).hexdigest()
    open(name, "wb").write(content)
stored["monitor"] = json.load(open("monitor.json"))
stored["models"] = {}
for model in registry.get_models("titanic"):
    os.mkdir(str(model.version))
    folder = model.download(os.path.abspath(str(model.version)))
    stored["models"][model.version] = {"metrics": model.training_metrics, "folder": folder}
print("STATE" + json.dumps(stored))
"""


feature_pipeline, pipeline = load("feature"), load("batch_inference")


def seed_for(pclass: int, sex: int, survived: int) -> str:
    """The first SEED that makes up an adult of this class, sex and outcome."""
    counted = historical_encoding(feature_pipeline)["passengers"]
    drawn = (
        feature_pipeline.draw(counted, 1, np.random.default_rng(seed))[0].tolist()
        for seed in range(1000)
    )
    return next(
        str(seed)
        for seed, one in enumerate(drawn)
        if [*one[:3], one[4]] == [pclass, sex, 2, survived]
    )


@pytest.fixture(scope="module")
def job(run, tmp_path_factory, backfilled, trained) -> SimpleNamespace:
    """The script from the empty store on: what each run answered, and what was stored at some
    moments."""
    folder = tmp_path_factory.mktemp("batch_inference_pipeline")

    def scripts(name: str, start: Path | None = None) -> Scripts:
        shutil.copytree(start, folder / name) if start else (folder / name).mkdir()
        return Scripts(run, folder / name)

    job = SimpleNamespace(no_backfill=scripts("empty")("batch_inference"))
    job.no_model = scripts("backfilled", backfilled)("batch_inference")
    script = scripts("trained", trained)
    job.no_passenger = script("batch_inference")

    def look(moment: str) -> SimpleNamespace:
        (folder / moment).mkdir()
        return SimpleNamespace(**script.look(LOOK, folder / moment), folder=folder / moment)

    # One man is predicted wrongly: labels that strayed from their passengers would show
    died, survived, woman = (
        {"SEED": seed_for(*whom)} for whom in ((3, 0, 0), (3, 0, 1), (1, 1, 1))
    )
    men = script.together(("feature", died), ("feature", died), ("feature", survived))
    assert [done.returncode for done in men] == [0, 0, 0]
    job.at_once = script.together(("batch_inference", {}), ("batch_inference", {}))
    assert [done.returncode for done in job.at_once] == [0, 0], [
        done.stderr for done in job.at_once
    ]
    job.one_outcome = look("one_outcome")
    job.woman = script("feature", **woman)
    (pictures := folder / "pictures").mkdir()
    for name in ("0.png", "1.png"):  # others than those of the model
        (pictures / name).write_bytes((REPOSITORY / "assets" / name).read_bytes() + b"mine")
    job.both = script("batch_inference", ASSETS_URL=pictures)
    job.both_outcomes = look("both_outcomes")
    return job


@pytest.fixture(scope="module")
def model(job):
    return joblib.load(Path(job.one_outcome.models["1"]["folder"]) / "model.joblib")


def test_scoring_distinct_rows_is_bit_identical_and_much_faster(model):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({name: rng.integers(low, high, 1_000_000) for name, low, high in
                         [("pclass", 1, 4), ("sex", 0, 2), ("age_bin", 0, 4), ("fare_bin", 0, 4)]})  # fmt: skip
    rows.index = rows.index[::-1]  # answers go by position within the frame, whatever its index
    start = time.perf_counter()
    answers = pipeline.predict(model, rows)
    through_distinct = time.perf_counter() - start
    some = rows.head(20_000)
    start = time.perf_counter()
    prediction, chance = model.predict(some), model.predict_proba(some)[:, 1]
    directly = (time.perf_counter() - start) * len(rows) / len(some)
    print(
        f"a million rows: {directly / through_distinct:.0f} times as fast through the distinct ones"
    )
    assert answers.index.equals(rows.index)
    assert np.array_equal(answers["prediction"].head(20_000), prediction)
    assert answers["survival_probability"].head(20_000).to_numpy().tobytes() == chance.tobytes()
    for position in range(96):  # and row by row
        assert (
            answers["survival_probability"].iloc[position]
            == model.predict_proba(rows.iloc[[position]])[0, 1]
        )


def test_before_passengers_or_a_model_exist_the_command_is_named(job):
    for done, sentence in [
        (
            job.no_backfill,
            "No passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py\n",
        ),
        (job.no_model, "No model is registered yet. Run: python titanic_training_pipeline.py\n"),
        (
            job.no_passenger,
            "Run again: python titanic_feature_pipeline.py && python titanic_batch_inference_pipeline.py\n",
        ),
    ]:
        assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr


def test_pictures_that_cannot_be_had_are_one_sentence(monkeypatch, tmp_path):
    for url in (str(tmp_path), "http://127.0.0.1:9/assets", "http://"):
        monkeypatch.setenv("ASSETS_URL", url)
        with pytest.raises(SystemExit, match=r"ASSETS_URL: .*0.png cannot be read \(\w+\)\.$"):
            pipeline.main()
    (tmp_path / "0.png").write_text("<h1>Not found</h1>")
    monkeypatch.setenv("ASSETS_URL", str(tmp_path))
    with pytest.raises(SystemExit, match=r"ASSETS_URL: .*/0.png is not a PNG picture\.$"):
        pipeline.main()


def test_same_passenger_is_predicted_once_by_pipelines_at_once(job):
    synthetic = sorted(
        one["passenger_id"] for one in job.one_outcome.titanic if one["passenger_id"] >= 10**9
    )
    assert sorted(one["passenger_id"] for one in job.one_outcome.predictions) == synthetic
    assert len(synthetic) == 3


def test_outcome_is_joined_by_passenger_and_prediction_is_the_models(job, model):
    passengers = {one["passenger_id"]: one for one in job.both_outcomes.titanic}
    assert sorted(one["label"] for one in job.both_outcomes.predictions) == [0, 0, 1, 1]
    for one in job.both_outcomes.predictions:
        passenger = passengers[one["passenger_id"]]
        row = pd.DataFrame([passenger])[FEATURES]
        assert one["label"] == passenger["survived"]
        assert one["prediction"] == model.predict(row)[0]
        assert one["survival_probability"] == pytest.approx(
            model.predict_proba(row)[0, 1], abs=1e-12
        )
        assert one["model_version"] == 1


def test_user_is_told_to_go_on_until_both_outcomes_were_predicted(job):
    last_lines = [done.stdout.strip().splitlines()[-1] for done in [*job.at_once, job.both]]
    assert [
        line.startswith("Run again: python titanic_feature_pipeline.py") for line in last_lines
    ] == [
        True,
        True,
        False,
    ]
    assert last_lines[2].startswith("Both outcomes were predicted")
    assert "confusion_matrix.png" not in job.one_outcome.images
    assert "confusion_matrix.png" in job.both_outcomes.images


@pytest.mark.parametrize("moment", ["one_outcome", "both_outcomes"])
def test_monitor_tells_what_is_stored(job, moment):
    state = getattr(job, moment)
    monitor, predictions = state.monitor, pd.DataFrame(state.predictions)
    assert monitor["format"] == 1 and monitor["predictions"] == len(predictions)
    assert monitor["correct"] == (predictions["prediction"] == predictions["label"]).sum()
    matrix = [[int(((predictions["label"] == label) & (predictions["prediction"] == prediction)).sum())
               for prediction in (0, 1)] for label in (0, 1)]  # fmt: skip
    assert monitor["confusion_matrix"] == matrix
    metrics = state.models["1"]["metrics"]
    names = ("cv_accuracy", "cv_accuracy_std", "sex_alone_accuracy")
    assert monitor["model"] == {
        "name": "titanic",
        "version": 1,
        **{name: metrics[name] for name in names},
    }
    assert monitor["pictures"] == {
        name: digest for name, digest in state.images.items() if name.endswith(".png")
    }
    times = [one["datetime"] for one in monitor["recent"]]
    assert times == sorted(times, reverse=True) and all(
        time.endswith("+00:00") and len(time) == 32 for time in times
    )
    stored = predictions.set_index("passenger_id")
    passengers = {one["passenger_id"]: one for one in state.titanic}
    for one in monitor["recent"]:
        row, passenger = stored.loc[one["passenger_id"]], passengers[one["passenger_id"]]
        assert (one["prediction"], one["label"]) == (row["prediction"], row["label"])
        assert one["survival_probability"] == round(row["survival_probability"], 4)
        assert [one[name] for name in FEATURES] == [passenger[name] for name in FEATURES]


def test_passengers_are_said_in_words(job):
    one = job.both_outcomes.monitor["recent"][0]
    assert one["words"].startswith("adult woman, 1st class, ") and one["words"].endswith(" fare")
    assert one["words"] in job.both.stdout and one["words"] in job.woman.stdout


def test_pictures_are_those_of_the_latest_passenger_and_well_formed(job):
    folder, latest = job.both_outcomes.folder, job.both_outcomes.monitor["recent"][0]
    for name, outcome in (
        ("latest_passenger_prediction", "prediction"),
        ("actual_passenger_outcome", "label"),
    ):
        expected = (REPOSITORY / "assets" / f"{latest[outcome]}.png").read_bytes() + b"mine"
        assert (folder / f"{name}.png").read_bytes() == expected
    sizes = {
        "df_recent.png": (2080, 450),
        "accuracy_over_time.png": (1440, 720),
        "confusion_matrix.png": (960, 960),
    }
    for name, size in sizes.items():
        with Image.open(folder / name) as picture:
            picture.load()
            assert picture.format == "PNG" and picture.size == size
            assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_summary_says_how_it_stands(job):
    summary = job.both.stdout.split("\nPassengers: ")[1]
    for words in (
        "891 historical, 4 synthetic",
        "Model: titanic 1;",
        "Watch: Too few to tell.",
        "Resources/images",
    ):
        assert words in summary


def test_sums_are_the_same_in_parts_and_stay_small():
    rng, encoding = (
        np.random.default_rng(7),
        feature_pipeline.make_encoding([7.9104, 14.4542, 31.0]),
    )
    rows = pd.DataFrame({name: rng.integers(1, 3, 20_000) for name in FEATURES}).assign(
        sex=1, model_version=1
    )
    rows = rows.assign(
        prediction=rng.integers(0, 2, 20_000),
        label=rng.integers(0, 2, 20_000),
        passenger_id=rows.index,
    )
    rows["event_time"] = rows["datetime"] = pd.date_range(
        "2026-11-23", periods=len(rows), freq="min", tz="UTC"
    )
    rows["survival_probability"] = 0.5
    at_once = pipeline.add(pipeline.NOTHING, rows, encoding)
    parts, ends = (
        pipeline.NOTHING,
        [0, 1, 2, 3, 255, 256, 257, 258, *np.sort(rng.integers(258, 20_000, 50)), 20_000],
    )
    for start, end in itertools.pairwise(ends):
        parts = pipeline.add(parts, rows[start:end], encoding)
        so_far = rows[:end]
        assert parts["curve"][-1] == [end, (so_far["prediction"] == so_far["label"]).sum()]
    assert parts == at_once and len(json.dumps(parts)) < 15_000
    assert pipeline.add(at_once, rows[:0], encoding) == at_once


@pytest.mark.parametrize("count", [1, 2, 60, 500])
def test_no_text_of_a_picture_overlaps_another_or_leaves_it(tmp_path, monkeypatch, count):
    figures = []
    draw = pipeline.Figure
    monkeypatch.setattr(
        pipeline, "Figure", lambda **options: figures.append(draw(**options)) or figures[-1]
    )
    hits = np.random.default_rng(count).random(count) < 0.8
    with matplotlib.rc_context(pipeline.STYLE):
        curve = np.array([np.arange(count) + 1, hits.cumsum()]).T
        pipeline.draw_accuracy(
            curve, {"cv_accuracy": 0.816, "sex_alone_accuracy": 0.787}, tmp_path / "accuracy.png"
        )
        pipeline.draw_confusion_matrix(
            np.array([[count, count // 3], [count // 5, count]]), tmp_path / "matrix.png"
        )
        one = {
            "prediction": 1,
            "label": 1,
            "survival_probability": 1.0,
            "datetime": "2026-11-23T05:00:00.000001+00:00",
        }
        words = (
            "elderly woman, 2nd class, high-medium fare",
            "teenage girl, 3rd class, high-medium fare",
        )
        recent = [{**one, "words": words[number % 2]} for number in range(min(count, 4))]
        pipeline.draw_table(pipeline.make_table(recent), tmp_path / "recent.png")
    for figure in figures:
        figure.draw_without_rendering()
        hidden = {
            label
            for axes in figure.axes
            for axis in (axes.xaxis, axes.yaxis)
            for tick in axis.get_major_ticks()
            for label in (tick.label1, tick.label2)
            if not axes.axison
            or not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        }
        texts = [
            one
            for one in figure.findobj(match=Text)
            if one.get_visible() and one.get_text().strip()
        ]
        boxes = [(one.get_text(), one.get_window_extent()) for one in texts if one not in hidden]
        for place, (text, box) in enumerate(boxes):
            inside = (
                box.x0 >= 0
                and box.y0 >= 0
                and box.x1 <= figure.bbox.x1
                and box.y1 <= figure.bbox.y1
            )
            assert inside, f"{text} leaves the picture"
            for other, other_box in boxes[place + 1 :]:
                assert not box.overlaps(other_box), f"{text} overlaps {other}"


def test_digests_in_the_monitor_are_those_of_the_files(job):
    for name, digest in job.both_outcomes.monitor["pictures"].items():
        assert hashlib.sha256((job.both_outcomes.folder / name).read_bytes()).hexdigest() == digest
    names = {
        "accuracy_over_time",
        "actual_passenger_outcome",
        "confusion_matrix",
        "df_recent",
        "latest_passenger_prediction",
    }
    assert set(job.both_outcomes.monitor["pictures"]) == {f"{name}.png" for name in names}
    stored = json.loads((job.both_outcomes.folder / "monitor.json").read_text())
    assert stored == job.both_outcomes.monitor
