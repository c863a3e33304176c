"""The predict app: what a visitor sees and does, what a program gets, and what happens when
something is missing."""

from __future__ import annotations

import itertools
import json
import re
import shutil

import joblib
import pandas as pd
import pytest
import requests
import sklearn.base
from playwright.sync_api import expect

from tests.pipelines import load

from .conftest import PREDICT

REGISTER = """
import time
time.sleep = lambda seconds: None  # the SDK would sleep 5 s before it looks whether the model is there
metrics = dict(cv_accuracy=float(sys.argv[2]), sex_alone_accuracy=0.7867, promoted=float(sys.argv[3:] != ["refused"]))
project.get_model_registry().sklearn.create_model("titanic", metrics=metrics).save(sys.argv[1])
"""


@pytest.fixture(scope="module")
def model_folder(hopsworks, tmp_path_factory):
    """The registered model, downloaded."""
    folder = tmp_path_factory.mktemp("model")
    download = 'project.get_model_registry().get_model("titanic", 1).download(sys.argv[1])'
    hopsworks.sdk(download, folder)
    return folder


@pytest.fixture(scope="module")
def encoding(model_folder):
    return json.loads((model_folder / "encoding.json").read_text())


@pytest.fixture(scope="module")
def app(hopsworks, start_app):
    return start_app(PREDICT, **hopsworks.login)


@pytest.fixture
def page(app, open_page):
    return open_page(app.url)


@pytest.fixture
def result(page):
    return page.get_by_role("region", name="Prediction")


def ask(app, *passenger):
    return requests.post(f"{app.url}gradio_api/run/predict", json={"data": passenger}, timeout=30)


def test_a_default_passenger_is_shown_at_once(page, result, model_folder, screenshot):
    expect(result).to_contain_text("Female, 29 (adult), 3rd class, low-medium fare")
    counted = json.loads((model_folder / "passengers.json").read_text())
    count, survived = next(row[4:] for row in counted if row[:4] == [3, 1, 2, 1])
    expect(result).to_contain_text(f"{count} passengers like this, {survived} survived")
    expect(result.get_by_role("img", name="died")).to_be_visible()
    expect(page.get_by_text("Model titanic, version 1, trained on")).to_contain_text("sex")
    expect(page.get_by_text("Age group:")).to_have_text(
        "Age group: adult, over 18 and up to 55 years"
    )
    screenshot(page, "predict_desktop_light")


def test_every_change_is_predicted_at_once(page, result):
    expect(result.get_by_role("img")).to_have_accessible_name("A tombstone under the moon: died")
    page.get_by_role("radio", name="1st class").check()
    page.get_by_role("radio", name="High · over £31").check()
    age = page.get_by_role("spinbutton", name="Age in years")
    age.fill("38")
    age.blur()
    expect(result).to_contain_text("Female, 38 (adult), 1st class, high fare")
    expect(result).to_contain_text("survived")
    expect(result.get_by_role("img")).to_have_accessible_name(
        "A cheerful passenger in a lifebuoy: survived"
    )
    assert (
        int(result.get_by_role("meter", name="Chance of survival").get_attribute("aria-valuenow"))
        > 90
    )
    page.get_by_role("radio", name="Male", exact=True).check()
    expect(result).to_contain_text("Male, 38 (adult), 1st class, high fare")


def test_age_group_changes_where_the_encoding_says(page, encoding):
    expect(page.get_by_text("Age group:")).to_contain_text("adult")
    age = page.get_by_role("spinbutton", name="Age in years")
    for group in encoding["age_bin"]:
        for years in (group["above"] + 1, group["up_to"]):
            age.fill(str(years))
            age.blur()
            expect(page.get_by_text("Age group:")).to_contain_text(group["label"])


@pytest.mark.parametrize(
    ("typed", "kept", "group"), [("500", "100", "elder"), ("-3", "1", "child"), ("", "1", "child")]
)
def test_an_age_that_cannot_be_becomes_one_that_can(page, result, typed, kept, group):
    expect(result).to_contain_text("Female, 29 (adult)")
    age = page.get_by_role("spinbutton", name="Age in years")
    age.fill(typed)
    expect(result).to_contain_text("Female, 29 (adult)")  # while it is typed
    age.blur()
    expect(age).to_have_value(kept)
    expect(result).to_contain_text(f"Female, {kept} ({group})")


def test_a_passenger_nobody_was_like_is_called_so(page, result, screenshot):
    page.get_by_role("radio", name="1st class").check()
    page.get_by_role("radio", name="Low · up to £7.91").check()
    expect(result).to_contain_text("No passenger like this")
    screenshot(page, "predict_nobody_like_this")


@pytest.mark.parametrize(
    "button", ["A lady in 1st class, 38", "A man in 3rd class, 22", "A boy in 2nd class, 6"]
)
def test_examples_fill_the_form_and_are_predicted(page, result, button):
    page.get_by_role("button", name=button).click()
    description, years = button.split(", ")
    expect(page.get_by_role("radio", name=description.split(" in ")[1])).to_be_checked()
    expect(page.get_by_role("spinbutton", name="Age in years")).to_have_value(years)
    expect(result).to_contain_text(f", {years} (")


def test_works_by_keyboard_alone(page, result):
    expect(result).to_contain_text("Female, 29")
    page.get_by_role("radio", name="3rd class").focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="2nd class")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Female")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(page.get_by_role("spinbutton", name="Age in years")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("slider", name="Age in years")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Low-medium")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(result).to_contain_text("Male, 30 (adult), 2nd class, high-medium fare")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(result).to_contain_text("Female, 38 (adult), 1st class, high fare")


def test_parts_have_roles_and_names(page):
    for name in ("Class", "Gender", "Fare type"):
        expect(page.get_by_role("radiogroup", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Passenger")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Would they have survived the Titanic?"
    )


def test_on_a_phone_in_the_dark_the_prediction_stays_in_sight(app, open_page, screenshot):
    page = open_page(app.url, width=390, scheme="dark")
    result = page.get_by_role("region", name="Prediction")
    expect(result).to_contain_text("Female, 29")
    screenshot(page, "predict_phone_dark")
    page.get_by_role("radio", name="High · over £31").check()
    expect(result).to_contain_text("high fare")
    expect(result).to_be_in_viewport(ratio=1)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 40


def test_all_inputs_are_answered_as_by_the_registered_model_and_the_batch_pipeline(
    app, model_folder, encoding
):
    model = joblib.load(model_folder / "model.joblib")
    inputs = list(itertools.product(*(encoding[name] for name in encoding["features"])))
    rows = pd.DataFrame(
        [[each["code"] for each in one] for one in inputs], columns=encoding["features"]
    )
    answers = []
    for pclass, sex, age_bin, fare_bin in inputs:
        answers.append(
            ask(app, pclass["code"], sex["label"], age_bin["up_to"], fare_bin["label"]).json()[
                "data"
            ][0]
        )
    answers = pd.DataFrame(answers)
    assert len(answers) == 96
    assert answers["survived"].tolist() == model.predict(rows).tolist()
    assert answers["survival_probability"].tolist() == model.predict_proba(rows)[:, 1].tolist()
    by_batch = load("batch_inference").predict(model, rows)
    assert answers["survived"].tolist() == by_batch["prediction"].tolist()
    assert answers["survival_probability"].tolist() == by_batch["survival_probability"].tolist()
    assert answers["model_version"].unique().tolist() == [1]


def test_clients_of_gradio_are_answered(app):
    from gradio_client import Client

    answer = Client(app.url, verbose=False).predict(
        pclass=3, sex="male", age=22, fare_type="low", api_name="/predict"
    )
    assert answer["survived"] == 0
    assert answer["age_group"] == "adult"
    assert 0 < answer["survival_probability"] < 0.5
    assert 0 < answer["of_them_survived"] < answer["passengers_like_this"]


@pytest.mark.parametrize(
    ("passenger", "sentence"),
    [
        ((4, "male", 22, "low"), "pclass is 4, but must be one of 1, 2, 3."),
        ((True, "male", 22, "low"), "pclass is True, but must be one of 1, 2, 3."),
        ((3, "<script>", 22, "low"), "sex is '<script>', but must be one of 'male', 'female'."),
        ((3, ["male"], 22, "low"), "sex is ['male'], but must be one of 'male', 'female'."),
        ((3, "male", 0, "low"), "age is 0, but must be over 0 and at most 100 years."),
        ((3, "male", 100.5, "low"), "age is 100.5, but must be over 0 and at most 100 years."),
        ((3, "male", "22", "low"), "age is '22', but must be over 0 and at most 100 years."),
        ((3, "male", None, "low"), "age is None, but must be over 0 and at most 100 years."),
        (
            (3, "male", 22, 7.25),
            "fare_type is 7.25, but must be one of 'low', 'low_med', 'high_med', 'high'.",
        ),
    ],
)
def test_wrong_values_get_a_sentence(app, passenger, sentence):
    answer = ask(app, *passenger)
    assert answer.status_code == 500
    assert answer.json()["error"] == sentence


def test_without_a_key_the_page_says_so_and_how_to_start(start_app, open_page, screenshot):
    app = start_app(PREDICT)
    page = open_page(app.url)
    notice = page.get_by_role("status").filter(has_text="HOPSWORKS_API_KEY is not set")
    expect(notice).to_contain_text("make predict-app")
    assert ask(app, 3, "male", 22, "low").json()["error"].startswith("HOPSWORKS_API_KEY is not set")
    screenshot(page, "predict_no_key")


def test_a_wrong_key_is_called_wrong(hopsworks, start_app, open_page):
    page = open_page(
        start_app(PREDICT, **{**hopsworks.login, "HOPSWORKS_API_KEY": "wrong.key"}).url
    )
    expect(page.get_by_role("status").filter(has_text="lets nobody in")).to_contain_text(
        "HOPSWORKS_API_KEY"
    )


def test_an_open_page_follows_what_happens(
    make_hopsworks, model_folder, start_app, open_page, tmp_path, screenshot
):
    """No model, a model, no Hopsworks, Hopsworks again, a newer model, models that cannot be used:
    one document."""
    hopsworks = make_hopsworks()
    page = open_page(start_app(PREDICT, **hopsworks.login).url)
    notice, result = page.get_by_role("status"), page.get_by_role("region", name="Prediction")
    expect(notice.filter(has_text="No model is registered yet")).to_contain_text(
        "python titanic_training_pipeline.py"
    )
    expect(result).to_have_count(0)
    screenshot(page, "predict_no_model")

    hopsworks.sdk(REGISTER, model_folder, "0.8")
    expect(result).to_contain_text("Female, 29 (adult), 3rd class")
    expect(page.get_by_text("version 1,")).to_be_visible()
    expect(notice.filter(has_text="No model")).to_have_count(0)
    page.get_by_role("radio", name="2nd class").check()
    expect(result).to_contain_text("2nd class")

    hopsworks.stop()
    expect(notice.filter(has_text="cannot be reached")).to_contain_text("make predict-app")
    page.get_by_role("radio", name="Male", exact=True).check()
    expect(result).to_contain_text("Male, 29 (adult), 2nd class")
    screenshot(page, "predict_hopsworks_gone")
    hopsworks.start()
    expect(notice.filter(has_text="cannot be reached")).to_have_count(0)

    newer = shutil.copytree(model_folder, tmp_path / "newer")
    mark = "2nd <script>window.caught=1</script><img src=x onerror=window.caught=1>${window.caught=1}{{value}}{who}"
    encoding = json.loads((newer / "encoding.json").read_text())
    encoding["pclass"][1]["label"] = mark
    (newer / "encoding.json").write_text(json.dumps(encoding))
    hopsworks.sdk(REGISTER, newer, "0.9")
    expect(page.get_by_text("version 2,")).to_be_visible()
    expect(result).to_contain_text(
        f"Male, 29 (adult), {mark}"
    )  # the visitor's choices stay; a label is only text
    assert page.evaluate("window.caught") is None

    hopsworks.sdk(REGISTER, model_folder, "0.85", "refused")  # newer, but training found it unfit
    (newer / "model.joblib").write_bytes(b"no model")
    hopsworks.sdk(REGISTER, newer, "0.91")
    expect(notice.filter(has_text="Version 4 of the model cannot be used")).to_contain_text(
        "RETRAIN=True"
    )
    expect(page.get_by_text("version 2,")).to_be_visible()  # goes on with the one it has

    model = joblib.load(model_folder / "model.joblib")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.base, "__version__", "1.0.2")
        joblib.dump(model, newer / "model.joblib")
    hopsworks.sdk(REGISTER, newer, "0.92")
    made = notice.filter(
        has_text=f"made with scikit-learn 1.0.2, but this app has {sklearn.__version__}"
    )
    expect(made).to_be_visible()
    screenshot(page, "predict_model_unusable")

    encoding["format"] = 2
    (newer / "encoding.json").write_text(json.dumps(encoding))
    hopsworks.sdk(REGISTER, newer, "0.93")
    expect(notice.filter(has_text="encoding.json has format 2")).to_be_visible()
    (newer / "passengers.json").unlink()
    hopsworks.sdk(REGISTER, newer, "0.94")
    expect(notice.filter(has_text="FileNotFoundError")).to_contain_text("passengers.json")
