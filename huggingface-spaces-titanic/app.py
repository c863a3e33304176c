"""Would they have survived the Titanic? Asks the newest model in the Hopsworks model registry.

make predict-app                       # in a clone of the repository
HOPSWORKS_API_KEY=... python app.py    # anywhere; on a Space the key is one of its secrets
"""

from typing import Any

import gradio as gr

from answer import predict, show
from connection import REFRESH_SECONDS, Latest, Unavailable, keep_sdk_off_the_terminal
from layout import draw, fill
from model import Model, download, find_newest
from page import QUIET, render, serve, show_problem
from passenger import Passenger, age_group, capitalize, encode, from_address

TITLE = "Would they have survived the Titanic?"
DESCRIPTION = (
    "Describe a passenger. A model trained on the passenger list says how likely it is that they "
    "survived the night of 14–15 April 1912, and why."
)
DEFAULT = Passenger(pclass=3, sex="male", age=22, fare="low")


class Visits:
    """What the page answers to its visitors, from the latest model."""

    def __init__(self, latest: Latest) -> None:
        self.latest = latest

    def predict(self, pclass: int, sex: str, age: float, fare_type: str) -> dict:
        """Whether a passenger would have survived.

        Args:
            pclass: 1, 2 or 3
            sex: "male" or "female"
            age: in years, over 0 and at most 100
            fare_type: "low", "low-medium", "high-medium" or "high"
        """
        model, problem, _ = self.latest.ask()
        try:
            if model is None:
                raise problem or Unavailable("Hopsworks has not answered yet. Ask again.")
            return predict(model, Passenger(pclass, sex, age, fare_type))
        except (Unavailable, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    def refresh(self, seen: str) -> tuple[Any, Any]:
        """Tell an open page which model there is, and of a problem, if either is news to it."""
        model, problem, _ = self.latest.ask()
        now = f"{model and model.created} {problem and problem.sentence}"
        if now == seen:
            return gr.skip(), gr.skip()
        is_shown = model is None or problem is not None
        return now, gr.HTML(show_problem(problem), visible=is_shown)

    def fill_form(self, request: gr.Request, pclass: int | None) -> list[Any]:
        """The form with the choices of the latest model; `pclass` is None as long as it is empty.

        The first passenger in it is that of the page's address. Later the visitor's choices stay.
        """
        model, _, _ = self.latest.ask()
        if model is None:
            return [gr.skip()] * 8
        first, wrong = None, ""
        if pclass is None:
            first, wrong = address_or_default(request, model)
        return [
            gr.HTML(wrong, visible=wrong != ""),
            gr.Row(visible=True),
            *fill(model.encoding, first),
            render("about", model=model),
            str(model.created),
        ]

    def show(self, *choices: Any) -> tuple[Any, Any, Any]:
        """The verdict, its explanation, and the line under the age.

        If the age is wrong, that line says so, and the style sheet dims the verdict before.
        """
        model, _, _ = self.latest.ask()
        if model is None:
            return gr.skip(), gr.skip(), gr.skip()
        passenger = Passenger(*choices)
        try:
            verdict, explanation = show(model, passenger)
        except ValueError as error:
            return gr.skip(), gr.skip(), render("age_group", problem=capitalize(str(error)))
        group = age_group(model.encoding, passenger.age)
        return verdict, explanation, render("age_group", group=group, problem=None)


def address_or_default(request: gr.Request, model: Model) -> tuple[Passenger, str]:
    """The passenger that the page's address names, and a notice if there can be no such one."""
    passenger = from_address(request.query_params, DEFAULT)
    try:
        encode(passenger, model.encoding)
        return passenger, ""
    except ValueError as error:
        return DEFAULT, render("wrong_address", problem=error)


def build(latest: Latest) -> gr.Blocks:
    """The page with its events, and the endpoint /predict for programs."""
    visits = Visits(latest)
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        parts = draw(TITLE, DESCRIPTION)
        seen = gr.Textbox(visible="hidden")  # of gr.State no change is told without the queue
        form = list(parts.passenger)
        shown = [parts.verdict, parts.explanation, parts.age_group]
        filled = gr.Textbox(visible="hidden")
        everything = [parts.wrong_address, parts.main, *form, parts.about, filled]
        # Without preprocessing, which would refuse an age that is still being typed
        direct: dict[str, Any] = {"preprocess": False, **QUIET}
        news = [page.load, gr.Timer(REFRESH_SECONDS).tick]
        gr.on(news, visits.refresh, seen, [seen, parts.notice], trigger_mode="once", **QUIET)
        seen.change(visits.fill_form, form[0], everything, **direct)
        # In one event, of which the last answer counts: of two the slower one could be the older
        changes = [each.change for each in (*form, filled)]
        gr.on(changes, visits.show, form, shown, trigger_mode="always_last", **direct)
        gr.on([each.input for each in form], lambda: "", None, parts.wrong_address, **QUIET)
        gr.api(visits.predict, api_name="predict", queue=False)
    return page


def main() -> None:
    """Show the newest model to visitors until Ctrl-C."""
    keep_sdk_off_the_terminal()
    latest = Latest(find_newest, download)
    serve(build(latest), "Predict app", DESCRIPTION, latest)


if __name__ == "__main__":
    main()
