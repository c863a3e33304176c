"""The monitor app: what it shows of the stored predictions, and how an open page follows them."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import re
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect
from scipy.stats import binomtest

from .conftest import MONITOR, REPOSITORY

# Passengers of whom some are predicted to survive, some to die, and one wrongly. `make screenshots`
# wants more of them
SEEDS = [*range(20, 20 + int(os.environ.get("MORE_PASSENGERS", "0"))), 1, 14, 18]
UPLOAD = """
import pathlib
api = project.get_dataset_api()
if not api.exists("Resources/images"):
    api.mkdir("Resources/images")
for path in sorted(pathlib.Path(sys.argv[1]).iterdir(), key=lambda path: path.suffix == ".json"):
    api.upload(str(path), "Resources/images", overwrite=True)
"""


@pytest.fixture(scope="module")
def predicted(hopsworks):
    """The Hopsworks with a model, a synthetic passenger and its prediction."""
    hopsworks.program("titanic_feature_pipeline.py", SEED="9")
    hopsworks.program("titanic_batch_inference_pipeline.py")
    return hopsworks


@pytest.fixture(scope="module")
def app(predicted, start_app):
    return start_app(MONITOR, **predicted.login)


@pytest.fixture
def page(app, open_page):
    return open_page(app.url)


@pytest.fixture(scope="module")
def monitor():
    """The app's own file, as a module."""
    specification = importlib.util.spec_from_file_location("monitor_app", MONITOR / "app.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pictures(predicted):
    """PNGs as the pipelines draw them, by name."""
    files = predicted.home / "projects" / "local"
    drawn = {
        path.name: path.read_bytes() for path in (files / "Resources" / "images").glob("*.png")
    }
    matrix = (files / "Models" / "titanic" / "1" / "Files" / "confusion_matrix.png").read_bytes()
    outcomes = {"latest_passenger_prediction": "1", "actual_passenger_outcome": "0"}
    outcomes = {
        f"{name}.png": (REPOSITORY / "assets" / f"{one}.png").read_bytes()
        for name, one in outcomes.items()
    }
    return {**drawn, **outcomes, "confusion_matrix.png": matrix}


@pytest.fixture
def put(pictures, tmp_path_factory):
    """Store a state: a passenger of four days ago, predicted wrong, the last of 70 with 40 right;
    or as told."""

    def store(hopsworks, leave_out=(), torn=False, newest=None, **told):
        folder = tmp_path_factory.mktemp("images")
        content = {name: png for name, png in pictures.items() if name not in leave_out}
        at = datetime.now(timezone.utc) - timedelta(days=4, hours=1)
        passenger = {
            "words": "adult man, 3rd class, low fare",
            "pclass": 3,
            "sex": 0,
            "age_bin": 2,
            "fare_bin": 0,
        }
        passenger |= {
            "passenger_id": 10**9 + 7,
            "prediction": 1,
            "label": 0,
            "survival_probability": 0.5432,
        }
        state = {
            "format": 1,
            "model": {
                "name": "titanic",
                "version": 3,
                "cv_accuracy": 0.82,
                "sex_alone_accuracy": 0.787,
            },
            "predictions": 70,
            "correct": 40,
            "confusion_matrix": [[30, 20], [10, 10]],
            "watch": {
                "verdict": "Look",
                "why": ["Since Monday <b>40 of 70</b>.", "Of the 200 91% are female."],
            },
            "recent": [
                {**passenger, "model_version": 3, "datetime": at.isoformat(), **(newest or {})}
            ],
            "pictures": {name: hashlib.sha256(png).hexdigest() for name, png in content.items()},
        }
        for name, png in content.items():
            (folder / name).write_bytes(png + b" of another time" if torn else png)
        (folder / "monitor.json").write_text(json.dumps({**state, **told}))
        hopsworks.sdk(UPLOAD, folder)

    return store


def stored_in(hopsworks):
    return json.loads((hopsworks.home / "projects/local/Resources/images/monitor.json").read_text())


def numbers(page):
    return page.get_by_role("region", name="Numbers")


def test_a_new_prediction_appears_in_the_open_page(predicted, page, screenshot):
    latest = page.get_by_role("region", name="Latest passenger")
    expect(numbers(page)).to_contain_text("1 prediction")
    expect(numbers(page)).to_contain_text("Too few to tell")
    expect(latest.get_by_role("img")).to_have_count(2)
    screenshot(page, "monitor_first_prediction")
    before = page.get_by_role("img", name="Newest first").get_attribute("src")

    for seed in SEEDS:
        predicted.program("titanic_feature_pipeline.py", SEED=str(seed))
    predicted.program("titanic_batch_inference_pipeline.py")
    total = 1 + len(SEEDS)
    expect(numbers(page)).to_contain_text(f"{total} predictions")
    stored = stored_in(predicted)
    newest = stored["recent"][0]
    match = newest["prediction"] == newest["label"]
    expect(latest).to_contain_text(newest["words"].capitalize())
    expect(latest).to_contain_text(f"{newest['survival_probability']:.0%} for survival")
    expect(latest).to_contain_text("✓ Match" if match else "✗ Mismatch")
    for caption, outcome in (("Predicted", newest["prediction"]), ("Actual", newest["label"])):
        expect(
            latest.get_by_role("img", name=f"{caption}: {['died', 'survived'][outcome]}")
        ).to_be_visible()
    interval = binomtest(stored["correct"], total).proportion_ci(method="wilson")
    expect(numbers(page)).to_contain_text(f"{stored['correct'] / total:.0%}")
    expect(numbers(page)).to_contain_text(f"95% interval {interval.low:.0%} to {interval.high:.0%}")
    expect(numbers(page)).to_contain_text("Just now")
    recent = page.get_by_role("img", name="Newest first")
    for each in stored["recent"]:
        expect(recent).to_have_accessible_name(re.compile(re.escape(each["words"])))
    assert recent.get_attribute("src") != before
    expect(page.get_by_role("img", name="Accuracy after each prediction")).to_be_visible()
    if "confusion_matrix.png" in stored["pictures"]:
        expect(page.get_by_role("img", name="Of those who died")).to_be_visible()
    for image in page.get_by_role("main").get_by_role("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    screenshot(page, "monitor_desktop_light")


def test_on_a_phone_in_the_dark_the_recent_predictions_are_a_table(
    app, predicted, open_page, screenshot
):
    page = open_page(app.url, width=390, scheme="dark")
    table = page.get_by_role("table", name="Four most recent predictions")
    expect(table.get_by_role("row")).to_have_count(1 + len(stored_in(predicted)["recent"]))
    expect(page.get_by_role("img", name="Newest first")).to_be_hidden()
    screenshot(page, "monitor_phone_dark")


def test_parts_have_roles_and_names(page):
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Titanic predictions and what happened"
    )
    parts = [
        "Numbers",
        "Latest passenger",
        "Confusion matrix",
        "Four most recent predictions",
        "Accuracy over time",
    ]
    for name in parts:
        expect(page.get_by_role("region", name=name)).to_be_visible()
    matrix = page.get_by_role("region", name="Confusion matrix")
    text = "Of those who died"  # as the picture's alt text, or instead of it
    expect(matrix.get_by_text(text).or_(matrix.get_by_role("img", name=text))).to_be_visible()


def test_an_open_page_follows_what_is_stored(make_hopsworks, start_app, open_page, put, screenshot):
    """Hopsworks down, nothing stored, stale, hostile, torn, broken, down again: all in one
    document."""
    hopsworks = make_hopsworks()
    hopsworks.stop()
    page = open_page(start_app(MONITOR, **hopsworks.login).url)
    notice, latest = page.get_by_role("status"), page.get_by_role("region", name="Latest passenger")
    unreachable = notice.filter(has_text="cannot be reached")
    expect(unreachable).to_contain_text("make monitor-app")
    screenshot(page, "monitor_unreachable")
    hopsworks.start()
    empty = notice.filter(has_text="No predictions yet")
    expect(empty).to_contain_text("python titanic_feature_pipeline.py")
    expect(empty).to_contain_text("python titanic_batch_inference_pipeline.py")
    screenshot(page, "monitor_empty")

    put(hopsworks)
    stale = notice.filter(has_text="made 4 days ago")
    expect(stale).to_contain_text("python titanic_batch_inference_pipeline.py")
    expect(latest).to_contain_text("✗ Mismatch")
    expect(numbers(page)).to_contain_text("Look")
    look = notice.filter(has_text="Look:")
    expect(look).to_contain_text("Since Monday <b>40 of 70</b>.")  # only text
    expect(look).to_contain_text("91% are female")
    expect(numbers(page)).to_contain_text("4 days ago")
    screenshot(page, "monitor_stale")

    hostile = "<script>window.caught=1</script><img src=x onerror=window.caught=1>${window.caught=1}{{value}}{words}"
    now = datetime.now(timezone.utc).isoformat()
    newest = {"words": hostile, "datetime": now}
    fine = {"verdict": "Fine", "why": ["No drop in accuracy."]}
    put(hopsworks, leave_out=["confusion_matrix.png"], newest=newest, watch=fine)
    expect(latest).to_contain_text(hostile)
    expect(stale).to_have_count(0)
    expect(numbers(page)).to_contain_text("Fine")
    expect(look).to_have_count(0)
    expect(page.get_by_role("region", name="Accuracy over time")).to_contain_text(
        "No drop in accuracy."
    )
    expect(page.get_by_role("region", name="Confusion matrix")).to_contain_text(
        "once both were predicted"
    )
    assert page.evaluate("window.caught") is None
    screenshot(page, "monitor_no_matrix_yet")

    put(
        hopsworks, torn=True, newest=newest
    )  # it is whole for a moment of the next upload, which brings the pictures
    torn = notice.filter(has_text="do not belong to the stored monitor.json")
    expect(torn).to_contain_text("This is what was stored at")
    expect(latest).to_contain_text(hostile)  # the last good state
    put(hopsworks, format=2)
    expect(notice.filter(has_text="format is 2")).to_be_visible()
    put(hopsworks, recent=[])
    expect(notice.filter(has_text="monitor.json cannot be used")).to_be_visible()
    expect(latest).to_contain_text(hostile)
    put(hopsworks, newest={"datetime": now})
    expect(notice.filter(has_text="This is what was stored")).to_have_count(0)
    expect(latest).to_contain_text("Adult man, 3rd class, low fare")

    hopsworks.stop()
    expect(unreachable).to_contain_text("This is what was stored at")
    expect(latest).to_contain_text("Adult man")
    screenshot(page, "monitor_hopsworks_gone")
    hopsworks.start()
    expect(unreachable).to_have_count(0)
    put(hopsworks, newest={"datetime": now, "words": "girl, 1st class, high fare"})
    expect(latest).to_contain_text("Girl, 1st class, high fare")


def test_without_a_key_the_page_says_so(start_app, open_page):
    page = open_page(start_app(MONITOR).url)
    notice = page.get_by_role("status").filter(has_text="HOPSWORKS_API_KEY is not set")
    expect(notice).to_contain_text("make monitor-app")


def test_hopsworks_is_asked_once_per_refresh_however_many_pages_look(monitor, monkeypatch):
    read = []
    monkeypatch.setattr(monitor, "REFRESH_SECONDS", 0.2)
    monkeypatch.setattr(
        monitor, "connect", lambda: type("Project", (), {"get_dataset_api": lambda self: None})()
    )
    monkeypatch.setattr(monitor, "read_view", lambda *_: read.append(time.monotonic()))
    latest = monitor.LatestView()
    end = time.monotonic() + 1.1

    def look():
        while time.monotonic() < end:
            latest.ask()
            time.sleep(0.01)

    pages = [threading.Thread(target=look) for _ in range(20)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    assert 4 <= len(read) <= 7
    assert all(later - earlier >= 0.19 for earlier, later in itertools.pairwise(read))
    time.sleep(0.6)
    assert len(read) <= 8  # nobody looks, nobody is asked


@pytest.mark.parametrize(
    ("correct", "total"), [(0, 1), (1, 1), (11, 12), (49, 60), (300, 365), (10_000, 12_345)]
)
def test_the_interval_is_wilsons(monitor, correct, total):
    interval = binomtest(correct, total).proportion_ci(confidence_level=0.95, method="wilson")
    assert monitor.wilson(correct, total) == pytest.approx((interval.low, interval.high), abs=1e-6)
