"""Would they have survived the Titanic? Asks the model in service in the Hopsworks model registry.

    make predict-app                       # in the repository: on its own Hopsworks, or on that of HOPSWORKS_API_KEY
    HOPSWORKS_API_KEY=... python app.py    # alone; on a Hugging Face Space the key is a secret of the Space

Codes, age groups and fares come from the encoding.json beside the downloaded model: the very ones
it was trained on.
"""

import base64
import itertools
import json
import os
import sys
import tempfile
import threading
import time
import warnings
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import hopsworks
import joblib
import pandas as pd
from hopsworks.client.exceptions import ProjectException, RestAPIError
from sklearn.exceptions import InconsistentVersionWarning

TICK_SECONDS = float(
    os.environ.get("TICK_SECONDS", 5)
)  # how often an open page asks this app what is new
CHECK_SECONDS = float(
    os.environ.get("CHECK_SECONDS", 60)
)  # how often this app asks Hopsworks for a newer model
DEFAULT = (3, "female", 29, "low_med")  # class, gender, age in years, fare type
EXAMPLES = {
    "A lady in 1st class, 38": (1, "female", 38, "high"),
    "A man in 3rd class, 22": (3, "male", 22, "low"),
    "A boy in 2nd class, 6": (2, "male", 6, "high_med"),
}
PICTURES = {  # file beside the model: when it is shown, what it shows
    "0.png": ("bad", "A tombstone under the moon: died"),
    "1.png": ("good", "A cheerful passenger in a lifebuoy: survived"),
}
WAITING = "Asking Hopsworks for the model …"
START = "make predict-app"
TRAIN = "BACKFILL=True python titanic_feature_pipeline.py\npython titanic_training_pipeline.py"
RETRAIN = "RETRAIN=True python titanic_training_pipeline.py"
HEADER = """<header><h1>Would they have survived the Titanic?</h1>
<p>Describe a passenger. A model trained on the passenger list says how likely it is that they survived
the night of 14–15 April 1912.</p></header>"""
CARD = """<p class="who">{who}</p><p class="verdict {tone}">{verdict}</p>
<div class="meter {tone}" role="meter" aria-label="Chance of survival" aria-valuemin="0" aria-valuemax="100"
 aria-valuenow="{percent}" aria-valuetext="{percent}%"><i style="width:{percent}%"></i></div>
<p class="scale"><span>0%</span><span><b>{percent}%</b> chance of survival</span><span>100%</span></p>
<p class="fact"><b>{like}</b> <span>with the same class, gender, age group and fare type, among those the model learnt
from</span></p>"""
ABOUT = """<p class="about">Model {name}, version {version}, trained on {day}: right about {accuracy:.1%} of passengers
it has not seen. Who knows only their sex is right about {by_sex:.1%}.</p>"""
FONTS = [
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "sans-serif",
]  # the visitor's own: none is fetched
# For screen readers and keyboards: Gradio names neither groups of radio buttons nor columns, and
# gives each button of a group another name whenever it draws it, so that the arrow keys would not
# move between them
NAME_PARTS = """() => {
    const put = (part, name, value) => part && part.getAttribute(name) !== value && part.setAttribute(name, value);
    const namePart = (part, role, name) => { put(part, "role", role); put(part, "aria-label", name); };
    const nameParts = () => {
        for (const group of document.querySelectorAll("fieldset")) {
            const name = group.querySelector("[data-testid=block-info]").textContent.trim();
            namePart(group, "radiogroup", name);
            group.querySelectorAll("input").forEach(button => put(button, "name", name));
        }
        namePart(document.getElementById("form"), "region", "Passenger");
        namePart(document.getElementById("result"), "region", "Prediction");
        put(document.getElementById("card"), "aria-live", "polite");
    };
    new MutationObserver(nameParts).observe(document.body, {subtree: true, childList: true, attributeFilter: ["name"]});
}"""


class Unavailable(Exception):
    """args: a sentence for the page, then the commands that help, if any do."""


class Model(NamedTuple):
    id: str
    version: int
    encoding: dict
    answers: dict[
        tuple, tuple[int, float]
    ]  # codes of the features -> prediction, chance of survival
    passengers: dict[
        tuple, tuple[int, int]
    ]  # codes of the features -> how many there were, how many survived
    pictures: str  # HTML: both, of which the page shows one
    about: str  # HTML


class LatestModel:
    """The model in service as last seen. A thread of its own looks for it when a page asks, once in
    CHECK_SECONDS: no page waits for a slow Hopsworks, and Hopsworks is asked once however many
    pages are open."""

    def __init__(self) -> None:
        self.model, self.problem, self._unusable = None, None, {}
        self._wanted, self._fresh = threading.Event(), threading.Event()
        self._wanted.set()  # the first look begins before anybody asks
        threading.Thread(target=self._keep_looking, daemon=True).start()

    def ask(self) -> tuple[Model | None, Unavailable | None]:
        self._wanted.set()
        self._fresh.wait(2)
        return self.model, self.problem

    def _keep_looking(self) -> None:
        project = None
        while self._wanted.wait():
            self._wanted.clear()
            try:
                project = project or connect()
                self.model, self.problem = find_model(project, self.model, self._unusable), None
            except Unavailable as problem:
                self.problem = problem
            except (
                Exception
            ) as error:  # the SDK's exceptions have no other base; and this thread must not end
                project = (
                    None  # when Hopsworks comes back, perhaps elsewhere, the SDK has to log in anew
                )
                self.problem = explain(error)
            self._fresh.set()
            time.sleep(min(CHECK_SECONDS, TICK_SECONDS) if self.problem else CHECK_SECONDS)
            self._fresh.clear()


def connect() -> Any:
    if not os.environ.get("HOPSWORKS_API_KEY"):  # the SDK would ask for one on the terminal
        raise Unavailable(
            "HOPSWORKS_API_KEY is not set, so there is no Hopsworks to ask. Start this app with",
            START,
        )
    return hopsworks.login()


def explain(error: Exception) -> Unavailable:
    """What an exception of the SDK means to whoever runs this app."""
    address = (
        ":".join(filter(None, map(os.environ.get, ("HOPSWORKS_HOST", "HOPSWORKS_PORT"))))
        or "cloud.hopsworks.ai"
    )
    refused = isinstance(error, RestAPIError) and error.response.status_code in (401, 403)
    if refused or isinstance(
        error, (ProjectException, EOFError)
    ):  # EOFError: it asked on the terminal which project
        return Unavailable(
            f"Hopsworks at {address} lets nobody in: check HOPSWORKS_API_KEY and HOPSWORKS_PROJECT."
        )
    why = (
        "cannot be reached" if isinstance(error, OSError) else "gives no proper answer"
    )  # requests raises OSErrors
    return Unavailable(
        f"Hopsworks at {address} {why} ({type(error).__name__}). This page keeps trying. Or start anew:",
        START,
    )


def find_model(project: Any, previous: Model | None, unusable: dict[str, Unavailable]) -> Model:
    """The best model by cross-validation that training found fit to serve, the newest among equals.
    None is downloaded twice."""
    models = project.get_model_registry().get_models("titanic")
    models = [one for one in models if float((one.training_metrics or {}).get("promoted", 1))]
    if not models:
        raise Unavailable(
            "No model is registered yet. This page shows it by itself once you have run", TRAIN
        )
    best = max(
        models,
        key=lambda model: ((model.training_metrics or {}).get("cv_accuracy", 0), model.version),
    )
    if previous and previous.id == best.id:
        return previous
    if best.id in unusable:
        raise unusable[best.id]
    # Not into the SDK's cache in /tmp, which others could have filled: a joblib file can hold any
    # program
    with tempfile.TemporaryDirectory() as folder:
        best.download(folder)
        try:
            return load_model(Path(folder), best)
        except InconsistentVersionWarning as warning:
            made, here = warning.original_sklearn_version, warning.current_sklearn_version
            why = f"was made with scikit-learn {made}, but this app has {here}. Install {made} here, or train again:"
        except Exception as error:  # a wrong file raises anything, says the manual of pickle
            why = f"cannot be used ({type(error).__name__}: {error}). Train again:"
    unusable[best.id] = Unavailable(f"Version {best.version} of the model {why}", RETRAIN)
    raise unusable[best.id]


def load_model(folder: Path, registered: Any) -> Model:
    encoding, counts = (
        json.loads((folder / name).read_text()) for name in ("encoding.json", "passengers.json")
    )
    if encoding["format"] != 1:
        raise ValueError(f"encoding.json has format {encoding['format']}, this app reads format 1")
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        classifier = joblib.load(folder / "model.joblib")
    # Only 96 inputs exist: asked once for all of them, the model never keeps a visitor waiting
    inputs = list(
        itertools.product(
            *([each["code"] for each in encoding[name]] for name in encoding["features"])
        )
    )
    table = pd.DataFrame(inputs, columns=encoding["features"])
    chances = classifier.predict_proba(table)[:, list(classifier.classes_).index(1)].tolist()
    answers = dict(
        zip(inputs, zip(classifier.predict(table).tolist(), chances, strict=True), strict=True)
    )
    passengers = {tuple(codes): (count, survived) for *codes, count, survived in counts}
    pictures = ""
    for name, (when, alt) in PICTURES.items():
        source = "data:image/png;base64," + base64.b64encode((folder / name).read_bytes()).decode()
        pictures += f'<img class="{when}" src="{source}" alt="{alt}" width="512" height="512">'
    created = pd.to_datetime(
        registered.created, unit="ms" if isinstance(registered.created, int) else None
    )
    about = ABOUT.format(
        name=escape(registered.name),
        version=registered.version,
        day=f"{created.day} {created:%B %Y}",
        accuracy=float(registered.training_metrics["cv_accuracy"]),
        by_sex=float(registered.training_metrics["sex_alone_accuracy"]),
    )
    return Model(registered.id, registered.version, encoding, answers, passengers, pictures, about)


def code_of(choices: list[dict], key: str, name: str, value: Any) -> int:
    for each in choices:
        if type(value) is type(each[key]) and value == each[key]:  # the type too, for True == 1
            return each["code"]
    known = ", ".join(repr(each[key]) for each in choices)
    raise ValueError(f"{name} is {value!r}, but must be one of {known}.")


def group_of(groups: list[dict], age: Any) -> dict:
    for each in groups:
        if type(age) in (int, float) and each["above"] < age <= each["up_to"]:
            return each
    youngest, *_, oldest = groups
    raise ValueError(
        f"age is {age!r}, but must be over {youngest['above']} and at most {oldest['up_to']} years."
    )


def predict(model: Model, pclass: Any, sex: Any, age: Any, fare_type: Any) -> dict:
    """The answer for one passenger. ValueError says in a sentence which value is wrong and what it
    may be."""
    encoding, group = model.encoding, group_of(model.encoding["age_bin"], age)
    codes = {
        "pclass": code_of(encoding["pclass"], "code", "pclass", pclass),
        "sex": code_of(encoding["sex"], "label", "sex", sex),
        "age_bin": group["code"],
        "fare_bin": code_of(encoding["fare_bin"], "label", "fare_type", fare_type),
    }
    cell = tuple(codes[feature] for feature in encoding["features"])
    survived, chance = model.answers[cell]
    count, of_them = model.passengers.get(cell, (0, 0))
    answer = {"survived": survived, "survival_probability": chance, "age_group": group["label"]}
    return answer | {
        "passengers_like_this": count,
        "of_them_survived": of_them,
        "model_version": model.version,
    }


def in_words(fare_label: str) -> str:
    return fare_label.replace("_med", "-medium")


def fare_choice(fare: dict) -> tuple[str, str]:
    """What the page shows, as "Low-medium · £7.91–14.45", and the label that stands for it."""
    above, up_to = (
        f"{edge:.2f}".removesuffix(".00") if edge else "" for edge in (fare["above"], fare["up_to"])
    )
    pounds = (
        f"£{above}–{up_to}" if above and up_to else f"over £{above}" if above else f"up to £{up_to}"
    )
    return f"{in_words(fare['label']).capitalize()} · {pounds}", fare["label"]


def show_problem(problem: Unavailable | None) -> str:
    if problem is None:
        return f'<p class="muted" role="status">{WAITING}</p>'
    sentence, *commands = map(escape, problem.args)
    commands = "".join(f"<pre>{each}</pre>" for each in commands)
    return f'<div class="notice" role="status"><p>{sentence}</p>{commands}</div>'


def show_answer(model: Model, pclass: int, sex: str, age: float, fare_type: str) -> tuple[str, str]:
    """As HTML: the card, and the age group under the age."""
    answer = predict(model, pclass, sex, age, fare_type)
    survived, chance, count = (
        answer["survived"],
        answer["survival_probability"],
        answer["passengers_like_this"],
    )
    certainty = ("Perhaps", "Probably", "Almost certainly")[
        (abs(chance - 0.5) > 0.15) + (abs(chance - 0.5) > 0.4)
    ]
    class_label = next(each["label"] for each in model.encoding["pclass"] if each["code"] == pclass)
    who = f"{sex.capitalize()}, {age:g} ({answer['age_group']}), {class_label}, {in_words(fare_type)} fare"
    like = f"{count} passenger{'s' * (count > 1)} like this, {answer['of_them_survived']} survived"
    card = CARD.format(
        who=escape(who),
        tone="good" if survived else "bad",
        verdict=f"{certainty} {'survived' if survived else 'died'}",
        percent=f"{chance * 100:.0f}",
        like=like if count else "No passenger like this",
    )
    group = group_of(model.encoding["age_bin"], age)
    years = f"over {group['above']} and up to {group['up_to']} years"
    return card, f'<p class="age">Age group: <b>{escape(group["label"])}</b>, {years}</p>'


def build(latest: LatestModel) -> gr.Blocks:
    def answer(pclass: int, sex: str, age: float, fare_type: str) -> dict:
        """Whether a passenger would have survived.

        Args:
            pclass: 1, 2 or 3
            sex: "male" or "female"
            age: in years, over 0 and at most 100
            fare_type: "low", "low_med", "high_med" or "high"
        """
        model, problem = latest.ask()
        try:
            if model is None:
                raise problem or Unavailable(WAITING)
            return predict(model, pclass, sex, age, fare_type)
        except (Unavailable, ValueError) as error:
            raise gr.Error(error.args[0], print_exception=False) from None

    def show(*passenger: Any) -> tuple[str, str]:
        try:
            return show_answer(latest.model, *passenger) if latest.model else gr.skip()
        except ValueError:  # an age that is being typed
            return gr.skip()

    def refresh(seen: list | None) -> dict:
        """What an open page lacks: word of a problem, and the choices as soon as there is a model,
        or a better one."""
        model, problem = latest.ask()
        now = [model and model.id, problem and problem.args]
        if now == seen:
            return gr.skip()
        updates = {
            shown: now,
            notice: gr.HTML(show_problem(problem), visible=problem is not None or model is None),
        }
        if model is None or (seen and seen[0] == model.id):
            return updates
        # Chosen at first for the visitor; later the visitor's own choices stay
        chosen = [{"value": value} if seen is None or seen[0] is None else {} for value in DEFAULT]
        encoding = model.encoding
        updates |= {
            pclass: gr.Radio(
                [(each["label"], each["code"]) for each in encoding["pclass"]], **chosen[0]
            ),
            sex: gr.Radio(
                [(each["label"].capitalize(), each["label"]) for each in encoding["sex"]],
                **chosen[1],
            ),
            age: gr.Slider(maximum=encoding["age_bin"][-1]["up_to"], **chosen[2]),
            fare: gr.Radio([fare_choice(each) for each in encoding["fare_bin"]], **chosen[3]),
        }
        return updates | {
            main_row: gr.Row(visible=True),
            picture: model.pictures,
            about: model.about,
        }

    quiet = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
    with gr.Blocks(title="Titanic: would they have survived?", analytics_enabled=False) as page:
        gr.HTML(HEADER)
        notice = gr.HTML(show_problem(None))
        with gr.Row(visible=False, elem_id="main") as main_row:
            with gr.Column(scale=5, min_width=300, elem_id="form"):
                with gr.Group():
                    pclass, sex = gr.Radio([], label="Class"), gr.Radio([], label="Gender")
                    age = gr.Slider(1, 100, step=1, label="Age in years", buttons=[])
                    age_group = gr.HTML()
                    fare = gr.Radio([], label="Fare type")
                gr.HTML('<p class="muted">Or try one of these</p>')
                with gr.Row(elem_id="examples"):
                    examples = {
                        gr.Button(name, size="sm"): values for name, values in EXAMPLES.items()
                    }
            with gr.Column(scale=6, min_width=300, elem_id="result"):
                picture, card = gr.HTML(elem_id="picture"), gr.HTML(elem_id="card")
        about = gr.HTML()
        shown, passenger = gr.State(), [pclass, sex, age, fare]
        # Without preprocessing, or Gradio would log a traceback for every age that is still being
        # typed
        changes, direct = (
            [each.change for each in (*passenger, shown)],
            {"preprocess": False, **quiet},
        )
        gr.on(changes, show, passenger, [card, age_group], trigger_mode="always_last", **direct)
        for button, values in examples.items():
            button.click(lambda values=values: values, None, passenger, **quiet)
        everything = [shown, notice, main_row, picture, about, *passenger]
        page.load(refresh, shown, everything, **quiet)
        gr.Timer(TICK_SECONDS).tick(refresh, shown, everything, **quiet)
        gr.api(answer, api_name="predict", queue=False)
    return page


def main() -> None:
    sys.stdin = open(os.devnull)  # noqa: SIM115  should the SDK ask something there, nobody would answer
    build(LatestModel()).launch(
        theme=gr.themes.Default(
            primary_hue="blue", neutral_hue="slate", radius_size="lg", font=FONTS, font_mono=FONTS
        ),
        css_paths=Path(__file__).parent / "style.css",
        js=NAME_PARTS,
        footer_links=["api", "gradio"],
        ssr_mode=False,
        run_history=False,
    )


if __name__ == "__main__":
    main()
