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

from tests.processes import wait

from .conftest import PATIENCE
from .made import METRICS
from .modules import PREDICT

LINKS = {"MONITOR_URL": "http://127.0.0.1:1/", "REPOSITORY_URL": "https://example.org/titanic"}


@pytest.fixture(scope="module")
def model_folder(hopsworks, tmp_path_factory):
    """The registered model, downloaded."""
    folder = tmp_path_factory.mktemp("model")
    hopsworks.sdk("download.py", folder)
    return folder


@pytest.fixture(scope="module")
def encoding(model_folder):
    return json.loads((model_folder / "encoding.json").read_text())


@pytest.fixture(scope="module")
def app(hopsworks, start_app):
    return start_app(PREDICT, **hopsworks.login, **LINKS)


@pytest.fixture
def page(app, open_page):
    return open_page(app.url)


@pytest.fixture
def result(page):
    return page.get_by_role("region", name="Prediction")


def ask(app, *passenger):
    return requests.post(f"{app.url}gradio_api/run/predict", json={"data": passenger}, timeout=60)


def register(hopsworks, folder, **metrics):
    """Register the files of a folder as the next version of the model."""
    hopsworks.sdk("register.py", folder, json.dumps({**METRICS, **metrics}))


def test_a_default_passenger_is_shown_at_once_with_the_reasons(page, result, model_folder, look):
    expect(result).to_contain_text("Male, 22 (adult), 3rd class, low fare")
    expect(result).to_contain_text("died")
    counted = pd.DataFrame(json.loads((model_folder / "passengers.json").read_text()))
    (like,) = counted.query("pclass == 3 and sex == 0 and age_bin == 2 and fare_bin == 0").to_dict(
        "records"
    )
    expect(result).to_contain_text(
        f"{like['passengers']} passengers like this, {like['survived']} survived"
    )
    expect(result.get_by_role("img", name="died")).to_be_visible()
    expect(page.get_by_text("Model version 1, trained on")).to_contain_text("sex alone is right")
    expect(page.get_by_text("Age group:")).to_have_text(
        "Age group: adult, over 18 and up to 55 years"
    )
    look(page, "predict")


def test_the_reasons_add_up_to_the_chance(page, result):
    page.get_by_role("button", name="A lady in 1st class, 38").click()
    expect(result).to_contain_text("Female, 38 (adult), 1st class, high fare")
    why = page.get_by_role("region", name="Why?")
    for name in ("Class: 1st class", "Gender: female", "Age: adult", "Fare type: high"):
        expect(why).to_contain_text(name)
    chance = int(result.get_by_role("meter").get_attribute("aria-valuenow"))
    expect(why).to_contain_text(f"lead to {chance}%")
    average = int(re.search(r"chance of (\d+)%", why.inner_text())[1])
    changes = [
        text.replace("−", "-").replace("±", "") for text in why.locator(".change").all_inner_texts()
    ]
    assert len(changes) == 4
    assert average + sum(map(int, changes)) == chance


def test_every_change_is_predicted_at_once(page, result):
    expect(result.get_by_role("img")).to_have_accessible_name("A tombstone under the moon: died")
    page.get_by_role("radio", name="1st class").check()
    page.get_by_role("radio", name="Female").check()
    page.get_by_role("radio", name="High · over £31").check()
    age = page.get_by_role("spinbutton", name="Age in years")
    age.fill("38")
    age.blur()
    expect(result).to_contain_text("Female, 38 (adult), 1st class, high fare")
    expect(result).to_contain_text("Almost certainly survived")
    expect(result.get_by_role("img")).to_have_accessible_name(
        "A cheerful passenger in a lifebuoy: survived"
    )
    chance = result.get_by_role("meter", name="Chance of survival").get_attribute("aria-valuenow")
    assert int(chance) > 90


def test_the_last_choice_is_shown_however_late_the_answers_of_before_come(app, browser):
    held = []

    def hold_the_first(route):
        is_default = route.request.post_data_json["data"] == [3, "male", 22, "low"]
        held.append(route) if is_default else route.continue_()

    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.route("**/gradio_api/run/*", hold_the_first)
        page.goto(app.url)
        wait(lambda: page.wait_for_timeout(50) or held)
        page.get_by_role("radio", name="2nd class").check()
        while held:
            page.wait_for_timeout(500)  # for what comes without the others' answers
            held.pop(0).continue_()
        page.unroute("**/gradio_api/run/*")
        page.wait_for_timeout(500)
        expect(page.get_by_role("region", name="Prediction")).to_contain_text("2nd class")


def test_age_group_changes_where_the_encoding_says(page, encoding):
    expect(page.get_by_text("Age group:")).to_contain_text("adult")
    age = page.get_by_role("spinbutton", name="Age in years")
    for code, words in encoding["words"]["age_bin"].items():
        above, up_to = encoding["age_edges"][int(code) :][:2]
        for years in (above + 1, up_to):
            age.fill(str(years))
            age.blur()
            told = f"{words}, over {above} and up to {up_to} years"
            expect(page.get_by_text("Age group:")).to_contain_text(told)


def test_an_age_that_cannot_be_is_called_so_and_the_old_verdict_dimmed(page, result, look):
    verdict = result.locator(".verdict")
    expect(verdict).to_be_visible()
    before = verdict.evaluate("part => getComputedStyle(part).color")
    age = page.get_by_role("spinbutton", name="Age in years")
    age.fill("101")
    wrong = page.get_by_role("alert").filter(has_text="Age is 101, but must be over 0")
    expect(wrong).to_be_visible()
    expect(verdict).not_to_have_css("color", before)
    look(page, "predict_age_101")
    age.fill("")
    expect(page.get_by_role("alert").filter(has_text="Age is missing")).to_be_visible()
    age.fill("500")
    age.blur()  # the slider takes the nearest age that can be
    expect(result).to_contain_text("Male, 100 (elder)")
    expect(page.get_by_role("alert").filter(has_text="Age is")).to_have_count(0)


def test_a_passenger_has_an_address_that_can_be_copied(app, open_page):
    page = open_page(f"{app.url}?pclass=1&sex=female&age=38&fare=high")
    result = page.get_by_role("region", name="Prediction")
    expect(result).to_contain_text("Female, 38 (adult), 1st class, high fare")
    page.get_by_role("radio", name="2nd class").check()
    expect(page).to_have_url(f"{app.url}?pclass=2&sex=female&age=38&fare=high")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    result.get_by_role("button", name="Copy link").click()
    expect(result.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("pclass=first", "pclass is 'first', but must be one of 1, 2, 3."),
        ("sex=<img src=x onerror=window.caught=1>&age=3", "onerror=window.caught=1>'"),
        ("age=nan", "age is nan, but must be over 0"),
    ],
)
def test_a_wrong_address_is_called_so(app, open_page, query, sentence):
    page = open_page(f"{app.url}?{query}")
    notice = page.get_by_role("status").filter(has_text="The address of this page describes no")
    expect(notice).to_contain_text(sentence)
    expect(page.get_by_role("region", name="Prediction")).to_contain_text("Male, 22")
    assert page.evaluate("window.caught") is None


def test_a_passenger_nobody_was_like_is_called_so(page, result, look):
    page.get_by_role("radio", name="1st class").check()
    page.get_by_role("radio", name="Female").check()
    expect(result).to_contain_text("No passenger like this")
    look(page, "predict_nobody_like_this")


@pytest.mark.parametrize(
    "button", ["A lady in 1st class, 38", "A woman in 3rd class, 29", "A boy in 2nd class, 6"]
)
def test_examples_fill_the_form_and_are_predicted(page, result, button):
    page.get_by_role("button", name=button).click()
    description, years = button.split(", ")
    expect(page.get_by_role("radio", name=description.split(" in ")[1])).to_be_checked()
    expect(page.get_by_role("spinbutton", name="Age in years")).to_have_value(years)
    expect(result).to_contain_text(f", {years} (")


def test_works_by_keyboard_alone(page, result):
    expect(result).to_contain_text("Male, 22")
    page.get_by_role("radio", name="3rd class").focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="2nd class")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Male", exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_role("spinbutton", name="Age in years")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("slider", name="Age in years")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Low ·")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(result).to_contain_text("Female, 23 (adult), 2nd class, low-medium fare")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(result).to_contain_text("Female, 38 (adult), 1st class, high fare")


def test_the_focus_is_seen_on_every_control(page, result):
    """Each stop of the Tab key has an outline, on itself or on the label around it."""
    expect(result).to_contain_text("Male, 22")
    outlined = """() => [document.activeElement, document.activeElement.closest("label")]
        .some(part => part && getComputedStyle(part).outlineStyle === "solid"
            && parseFloat(getComputedStyle(part).outlineWidth) >= 2)"""
    stops = 0
    while True:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        stops += 1
        shown = page.evaluate("document.activeElement.outerHTML")
        assert page.evaluate(outlined), f"the focus is not seen on {shown}"
    assert stops >= 10  # four parts of the form, three examples, a button, the footer


def test_parts_have_roles_and_names(page):
    for name in ("Class", "Gender", "Fare type"):
        expect(page.get_by_role("radiogroup", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Passenger")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Would they have survived the Titanic?"
    )


def test_on_a_phone_the_verdict_stays_in_sight(app, open_page):
    page = open_page(app.url, width=390)
    verdict = page.get_by_role("region", name="Prediction").locator(".verdict-card")
    page.get_by_role("radio", name="High · over £31").check()
    expect(verdict).to_contain_text("high fare")
    expect(verdict).to_be_in_viewport(ratio=1)


def test_links_lead_to_the_monitor_and_the_repository(page):
    """Where their addresses are known; without them there are none, as with no key below."""
    links = page.get_by_role("navigation", name="Related pages")
    for name, address in LINKS.items():
        link = links.get_by_role("link", name=name.removesuffix("_URL").capitalize())
        expect(link).to_have_attribute("href", address)


def test_a_link_preview_tells_what_the_page_is(app):
    head = requests.get(app.url, timeout=60).text.split("</head>")[0]
    previews = re.findall(
        r'<meta (?:property|name)="(?:og|twitter):(\w+)" content="([^"]*)">', head
    )
    assert ("title", "Would they have survived the Titanic?") in previews
    assert ("description", re.search(r'name="description" content="([^"]*)"', head)[1]) in previews
    assert not [content for _, content in previews if "gradio" in content.lower()]
    assert head.count('property="og:title"') == 1


def test_nobody_can_store_a_file(app, page, result):
    # A session, of which a deep link would store the state
    expect(result).to_contain_text("Male, 22")
    file = {"files": ("a.txt", b"x" * 1000)}
    for path in ("upload", "process_recording", "component_server"):
        refused = requests.post(f"{app.url}gradio_api/{path}", files=file, timeout=60)
        assert (refused.status_code, refused.text) == (403, '{"detail":"This app takes no files."}')
    stored = requests.get(f"{app.url}gradio_api/deep_link?session_hash=x", timeout=60)
    assert stored.status_code == 403


def test_all_inputs_are_answered_as_by_the_registered_model(app, model_folder, encoding):
    model = joblib.load(model_folder / "model.joblib")
    words = encoding["words"]
    fares = ["low", "low-medium", "high-medium", "high"]
    inputs = list(itertools.product((1, 2, 3), range(2), range(4), range(4)))
    rows = pd.DataFrame(inputs, columns=list(words))
    answers = []
    for pclass, sex, age_bin, fare_bin in inputs:
        age = encoding["age_edges"][age_bin + 1]
        passenger = (pclass, words["sex"][str(sex)], age, fares[fare_bin])
        answers.append(ask(app, *passenger).json()["data"][0])
    answers = pd.DataFrame(answers)
    assert len(answers) == 96
    assert answers["survived"].tolist() == model.predict(rows).tolist()
    assert answers["survival_probability"].tolist() == model.predict_proba(rows)[:, 1].tolist()
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
        ((3, "male", None, "low"), "age is missing, but must be over 0 and at most 100 years."),
        (
            (3, "male", 22, 7.25),
            "fare type is 7.25, but must be one of 'low', 'low-medium', 'high-medium', 'high'.",
        ),
    ],
)
def test_wrong_values_get_a_sentence(app, passenger, sentence):
    answer = ask(app, *passenger)
    assert answer.status_code == 500
    assert answer.json()["error"] == sentence


def test_without_a_key_the_page_says_what_to_do(start_app, open_page, look):
    app = start_app(PREDICT)
    page = open_page(app.url)
    notice = page.get_by_role("status").filter(has_text="HOPSWORKS_API_KEY is not set")
    expect(notice).to_contain_text("make apps")
    expect(page.get_by_role("navigation")).to_have_count(0)
    assert ask(app, 3, "male", 22, "low").json()["error"].startswith("HOPSWORKS_API_KEY is not set")
    look(page, "predict_no_key")


def test_a_wrong_key_is_called_wrong(hopsworks, start_app, open_page):
    page = open_page(
        start_app(PREDICT, **{**hopsworks.login, "HOPSWORKS_API_KEY": "wrong.key"}).url
    )
    notice = page.get_by_role("status").filter(has_text="does not let this app in")
    expect(notice).to_contain_text("HOPSWORKS_API_KEY")


@pytest.mark.long
def test_an_open_page_follows_what_happens(
    make_hopsworks, model_folder, start_app, open_page, tmp_path, look
):
    """No model, a model, no Hopsworks, Hopsworks again, a newer model, models that cannot be used:
    one document."""
    hopsworks = make_hopsworks()
    page = open_page(start_app(PREDICT, **hopsworks.login).url)
    notice, result = page.get_by_role("status"), page.get_by_role("region", name="Prediction")
    expect(notice.filter(has_text="No model is registered yet")).to_contain_text("make run")
    expect(result).to_have_count(0)
    look(page, "predict_no_model")

    register(hopsworks, model_folder)
    expect(result).to_contain_text("Male, 22 (adult), 3rd class")
    expect(page.get_by_text("Model version 1,")).to_be_visible()
    expect(notice.filter(has_text="No model")).to_have_count(0)
    page.get_by_role("radio", name="2nd class").check()
    expect(result).to_contain_text("2nd class")

    hopsworks.stop()
    expect(notice.filter(has_text="cannot be reached")).to_contain_text("make apps")
    page.get_by_role("radio", name="Female").check()
    expect(result).to_contain_text("Female, 22 (adult), 2nd class")
    look(page, "predict_hopsworks_gone")
    hopsworks.start()
    expect(notice.filter(has_text="cannot be reached")).to_have_count(0)

    newer = shutil.copytree(model_folder, tmp_path / "newer")
    mark = (
        "<script>window.caught=1</script><img src=x onerror=window.caught=1>${window.caught=1}{{a}}"
    )
    encoding = json.loads((newer / "encoding.json").read_text())
    encoding["words"]["pclass"]["2"] = mark
    (newer / "encoding.json").write_text(json.dumps(encoding))
    register(hopsworks, newer, cv_accuracy=0.5)  # the newest serves, whatever its metrics
    expect(page.get_by_text("Model version 2,")).to_be_visible()
    expect(result).to_contain_text(f"Female, 22 (adult), {mark}")  # chosen as before, only text
    assert page.evaluate("window.caught") is None

    (newer / "model.joblib").write_bytes(b"no model")
    register(hopsworks, newer)
    expect(notice.filter(has_text="Version 3 of the model cannot be used")).to_contain_text(
        "make train"
    )
    expect(page.get_by_text("Model version 2,")).to_be_visible()  # goes on with the one it has
    look(page, "predict_model_unusable")

    model = joblib.load(model_folder / "model.joblib")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.base, "__version__", "1.0.2")
        joblib.dump(model, newer / "model.joblib")
    register(hopsworks, newer)
    made = f"made with scikit-learn 1.0.2, but this app has {sklearn.__version__}"
    expect(notice.filter(has_text=made)).to_be_visible()

    encoding["format"] = 1
    (newer / "encoding.json").write_text(json.dumps(encoding))
    shutil.copy(model_folder / "model.joblib", newer)
    register(hopsworks, newer)
    expect(notice.filter(has_text="encoding.json has format 1")).to_be_visible()
    (newer / "passengers.json").unlink()
    (newer / "encoding.json").write_text((model_folder / "encoding.json").read_text())
    register(hopsworks, newer)
    expect(notice.filter(has_text="FileNotFoundError")).to_contain_text("passengers.json")
