"""The monitor app: what it shows of the stored predictions, and how an open page follows them."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta

import pytest
import requests
from playwright.sync_api import expect
from scipy.stats import binomtest

from .made import monitor_json, predictions
from .modules import MONITOR

HOSTILE = (
    "<script>window.caught=1</script><img src=x onerror=window.caught=1>${window.caught=1}{{a}}"
)
WATCH = (sys.executable, MONITOR / "watch.py")


@pytest.fixture
def put(hopsworks, tmp_path_factory):
    """Store a monitor.json where batch inference does, and beside it pictures as its latest
    prediction wants them."""
    files = hopsworks.home / "projects" / hopsworks.project / "Models" / "titanic" / "1" / "Files"
    outcomes = {code: (files / f"{code}.png").read_bytes() for code in (0, 1)}

    def store(where, content):
        newest = next(iter(content["latest"]), {})
        pictures = {
            "latest_passenger_prediction.png": outcomes[newest.get("prediction", 1)],
            "actual_passenger_outcome.png": outcomes[newest.get("label", 0)],
            "df_recent.png": outcomes[0],
        }
        if len(content["latest"]) > 1:
            pictures["confusion_matrix.png"] = (files / "confusion_matrix.png").read_bytes()
        drafts = tmp_path_factory.mktemp("images")
        for name, data in {**pictures, "monitor.json": json.dumps(content).encode()}.items():
            (drafts / name).write_bytes(data)
            (drafts / name).replace(images_of(where) / name)

    return store


def images_of(hopsworks):
    """Resources/images in dataset storage, as it lies on disk."""
    folder = hopsworks.home / "projects" / hopsworks.project / "Resources" / "images"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def stored_in(hopsworks):
    return json.loads((images_of(hopsworks) / "monitor.json").read_text())


def numbers(page):
    return page.get_by_role("region", name="Numbers")


@pytest.fixture(scope="module")
def predicted(hopsworks):
    """The Hopsworks with 24 synthetic passengers and their predictions, by the real pipelines."""
    hopsworks.program("titanic_feature_pipeline.py", SEED="14", PASSENGERS="24")
    hopsworks.program("titanic_batch_inference_pipeline.py")
    return hopsworks


def test_the_form_of_made_predictions_is_that_of_stored_ones(predicted):
    """So that what the other tests show is what the pipeline stores."""
    stored, made = stored_in(predicted), monitor_json(predictions(30))
    assert stored.keys() == made.keys()
    assert stored["latest"][0].keys() == made["latest"][0].keys()
    assert stored["model"].keys() == made["model"].keys()
    assert stored["model"]["metrics"].keys() >= made["model"]["metrics"].keys()
    assert stored["words"] == json.loads(json.dumps(made["words"]))
    for feature, shares in json.loads(json.dumps(made["shares_in_training"])).items():
        # Of those that are not for testing only
        assert stored["shares_in_training"][feature] == pytest.approx(shares, abs=0.03)


def test_a_new_prediction_appears_in_the_open_page(predicted, start_app, open_page, look):
    page = open_page(start_app(MONITOR, **predicted.login).url)
    expect(numbers(page)).to_contain_text("24 predictions")
    predicted.program("titanic_feature_pipeline.py", SEED="9")
    predicted.program("titanic_batch_inference_pipeline.py")
    expect(numbers(page)).to_contain_text("25 predictions")
    stored = stored_in(predicted)
    correct = stored["confusion_matrix"][0][0] + stored["confusion_matrix"][1][1]
    interval = binomtest(correct, 25).proportion_ci(method="wilson")
    expect(numbers(page)).to_contain_text(f"{correct / 25:.0%}")
    expect(numbers(page)).to_contain_text(f"95% interval {interval.low:.0%} to {interval.high:.0%}")
    expect(numbers(page)).to_contain_text("Too few to tell")
    newest = stored["latest"][0]
    latest = page.get_by_role("region", name="Latest passenger")
    expect(latest).to_contain_text(newest["words"][1:])
    expect(latest).to_contain_text(f"{100 * newest['survival_probability']:.0f}% for survival")
    match = newest["prediction"] == newest["label"]
    expect(latest).to_contain_text("✓ Match" if match else "✗ Mismatch")
    for caption, outcome in (("Predicted", newest["prediction"]), ("Actual", newest["label"])):
        name = f"{caption}: {['died', 'survived'][outcome]}"
        expect(latest.get_by_role("img", name=name)).to_be_visible()
    recent = page.get_by_role("table", name="Four most recent predictions")
    rows = recent.get_by_role("row").all()[1:]
    for each, row in zip(stored["latest"][:4], rows, strict=True):
        expect(row).to_contain_text(each["words"])
    for image in page.locator("main img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") > 0
    look(page, "monitor_few_predictions")


@pytest.fixture(scope="module")
def watched(make_hopsworks, start_app):
    """A Hopsworks for made predictions, and its app."""
    hopsworks = make_hopsworks()
    return hopsworks, start_app(MONITOR, **hopsworks.login)


def test_the_first_prediction_is_shown(watched, put, open_page, look):
    hopsworks, app = watched
    page = open_page(app.url)
    empty = page.get_by_role("status").filter(has_text="No predictions yet")
    expect(empty).to_contain_text("make run")
    look(page, "monitor_empty")
    put(hopsworks, monitor_json(predictions(1)))
    expect(numbers(page)).to_contain_text("1 prediction")
    expect(numbers(page)).to_contain_text("Too few to tell")
    expect(page.get_by_role("region", name="Accuracy over time")).to_contain_text("prediction 20")
    pictures = page.get_by_role("region", name="Pictures")
    expect(pictures).to_contain_text("drawn once both outcomes have been predicted")
    look(page, "monitor_first_prediction")


def test_two_hundred_predictions_are_drawn_on_the_page(watched, put, open_page, look):
    hopsworks, app = watched
    rows = predictions(260)
    rows.loc[180:, "model_version"] = 3
    rows.loc[:179, "model_version"] = 2
    put(hopsworks, monitor_json(rows))
    page = open_page(app.url)
    expect(numbers(page)).to_contain_text("Fine")
    parts = [
        "Latest passenger",
        "Confusion matrix",
        "Four most recent predictions",
        "Accuracy over time",
        "Latest predictions, one by one",
        "Passengers now and in training",
        "Pictures",
    ]
    for name in parts:
        expect(page.get_by_role("region", name=name)).to_be_visible()
    matrix = page.get_by_role("table", name="Confusion matrix")
    died = rows[rows["label"] == 0]
    of_died = (died["prediction"] == 0).sum()
    cell = matrix.get_by_role("row", name="actually died").get_by_role("cell").first
    expect(cell).to_have_text(re.compile(rf"\s*{of_died}\s+{100 * of_died / len(died):.0f}%\s*"))
    curve = page.get_by_role("region", name="Accuracy over time")
    expect(curve.get_by_role("img")).to_have_accessible_name(
        re.compile("from prediction 61 to 260")
    )
    for text in ("version 2", "version 3", "260", "No drop in accuracy"):
        expect(curve.get_by_text(text).first).to_be_visible()
    sexes = page.get_by_role("table", name="Gender")
    women = rows.tail(200)["sex"].mean()
    expect(sexes.get_by_role("row", name="female")).to_contain_text(f"{women:.0%}")
    expect(sexes.get_by_role("row", name="female")).to_contain_text("35%")
    look(page, "monitor_fine")


def test_each_of_the_latest_sixty_is_told_by_hover_and_by_keyboard(watched, put, open_page):
    hopsworks, app = watched
    put(hopsworks, monitor_json(predictions(80, seed=5)))
    page = open_page(app.url)
    strip = page.get_by_role("region", name="Latest predictions, one by one")
    expect(numbers(page)).to_contain_text("80 predictions")
    buttons = strip.get_by_role("button")
    expect(buttons).to_have_count(60)
    told = strip.locator(".told")
    buttons.nth(7).hover()
    expect(told).to_have_text(buttons.nth(7).get_attribute("aria-label"))
    page.get_by_role("link", name="Download").first.focus()
    page.keyboard.press("Shift+Tab")
    expect(buttons.last).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(buttons.nth(58)).to_be_focused()
    expect(told).to_have_text(buttons.nth(58).get_attribute("aria-label"))
    page.keyboard.press("Home")
    expect(buttons.first).to_be_focused()
    assert buttons.first.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"


def test_the_stored_pictures_can_be_downloaded(watched, put, open_page, hopsworks):
    home, app = watched
    put(home, monitor_json(predictions(30)))
    page = open_page(app.url)
    pictures = page.get_by_role("region", name="Pictures")
    expect(pictures.get_by_role("link")).to_have_count(4)
    with page.expect_download() as download:
        pictures.get_by_role("link", name="Download confusion_matrix.png").click()
    assert download.value.suggested_filename == "confusion_matrix.png"
    files = hopsworks.home / "projects" / hopsworks.project / "Models" / "titanic" / "1" / "Files"
    stored = (files / "confusion_matrix.png").read_bytes()
    assert download.value.path().read_bytes() == stored
    assert requests.get(f"{app.url}pictures/secret.png", timeout=60).status_code == 404


@pytest.mark.long
def test_an_open_page_follows_what_is_stored(make_hopsworks, start_app, open_page, put, look):
    """Hopsworks down, to be checked and stale, hostile, broken, down again: all in one document."""
    hopsworks = make_hopsworks()
    hopsworks.stop()
    page = open_page(start_app(MONITOR, **hopsworks.login).url)
    notice, latest = page.get_by_role("status"), page.get_by_role("region", name="Latest passenger")
    unreachable = notice.filter(has_text="cannot be reached")
    expect(unreachable).to_contain_text("make apps")
    look(page, "monitor_unreachable")
    hopsworks.start()

    old = predictions(260, flipped_from=200)
    old[["datetime", "event_time"]] -= timedelta(days=4)
    put(hopsworks, monitor_json(old))
    stale = notice.filter(has_text="made 4 days ago")
    expect(stale).to_contain_text("make passengers predict")
    expect(numbers(page)).to_contain_text("Check the model")
    expect(numbers(page)).to_contain_text("4 days ago")
    check = notice.filter(has_text="Check the model:")
    expect(check).to_contain_text("at least 80% were to be expected")
    look(page, "monitor_check_the_model")

    content = monitor_json(predictions(70))
    content["latest"][0]["words"] = HOSTILE
    put(hopsworks, content)
    expect(latest).to_contain_text(HOSTILE)
    expect(stale).to_have_count(0)
    expect(check).to_have_count(0)
    expect(numbers(page)).to_contain_text("Fine")
    assert page.evaluate("window.caught") is None

    for wrong in ({**content, "format": 1}, {**content, "latest": []}, {**content, "model": {}}):
        put(hopsworks, wrong)
        broken = notice.filter(has_text="monitor.json cannot be used")
        expect(broken).to_contain_text("This is what was stored at")
        expect(latest).to_contain_text(HOSTILE)  # the last good state
        put(hopsworks, content)
        expect(broken).to_have_count(0)

    hopsworks.stop()
    expect(unreachable).to_contain_text("This is what was stored at")
    expect(latest).to_contain_text(HOSTILE)
    look(page, "monitor_hopsworks_gone")
    hopsworks.start()
    expect(unreachable).to_have_count(0)
    content["latest"][0]["words"] = "1st class, female, child, high fare"
    put(hopsworks, content)
    expect(latest).to_contain_text("1st class, female, child, high fare")


def test_without_a_key_the_page_says_so(start_app, open_page):
    page = open_page(start_app(MONITOR, SPACE_ID="olga/titanic-monitor").url)
    notice = page.get_by_role("status").filter(has_text="HOPSWORKS_API_KEY is not set")
    expect(notice).to_contain_text("Add it to the secrets of this Space.")


@pytest.mark.parametrize(("flipped_from", "status"), [(None, 0), (200, 1)])
def test_watch_prints_the_verdict_of_what_is_stored(watched, put, run, flipped_from, status):
    """The daily check runs it, and fails with it when the model is to be checked."""
    hopsworks, _ = watched
    put(hopsworks, monitor_json(predictions(260, flipped_from=flipped_from)))
    done = run(*WATCH, env=hopsworks.login)
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("Check the model: Since " if status else "Fine: No drop")
    assert done.stdout.count("\n") == 1 and done.stderr == ""


def test_watch_tells_a_missing_verdict_from_a_bad_one(make_hopsworks, run):
    empty = make_hopsworks()
    done = run(*WATCH, env=empty.login)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("No predictions yet.")
    empty.stop()
    assert "cannot be reached" in run(*WATCH, env=empty.login).stderr
    empty.start()
