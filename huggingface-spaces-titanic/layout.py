"""What the page consists of, and the form with the choices of a model."""

from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from page import QUIET, links, render, show_problem
from passenger import Passenger, capitalize, fare_choices

EXAMPLES = {
    "A lady in 1st class, 38": Passenger(1, "female", 38, "high"),
    "A woman in 3rd class, 29": Passenger(3, "female", 29, "low-medium"),
    "A boy in 2nd class, 6": Passenger(2, "male", 6, "high-medium"),
}


class Parts(NamedTuple):
    """The parts of the page that change."""

    notice: gr.HTML
    wrong_address: gr.HTML
    main: gr.Row  # everything that needs a model
    passenger: Passenger  # the four parts of the form
    age_group: gr.HTML
    verdict: gr.HTML
    explanation: gr.HTML
    about: gr.HTML


def draw(title: str, description: str) -> Parts:
    """Lay out the page; it is empty until there is a model."""
    related = links(Monitor="MONITOR_URL", Repository="REPOSITORY_URL")
    gr.HTML(render("header", title=title, description=description, links=related))
    notice, wrong_address = gr.HTML(show_problem(None)), gr.HTML(visible=False)
    with gr.Row(visible=False, elem_id="main") as main:
        with gr.Column(scale=5, min_width=300, elem_id="form"):
            with gr.Group():
                pclass = gr.Radio([], label="Class")
                sex = gr.Radio([], label="Gender")
                age = gr.Slider(1, 100, step=1, label="Age in years", buttons=[])
                age_group = gr.HTML()
                fare = gr.Radio([], label="Fare type")
            passenger = Passenger(pclass, sex, age, fare)
            gr.HTML('<p class="muted">Or try one of these</p>')
            with gr.Row(elem_id="examples"):  # gr.Examples would take the choices away
                for name, example in EXAMPLES.items():
                    button = gr.Button(name, size="sm")
                    button.click(partial(list, example), None, list(passenger), **QUIET)
        with gr.Column(scale=6, min_width=300, elem_id="result"):
            verdict, explanation = gr.HTML(elem_id="verdict"), gr.HTML()
    about = gr.HTML()
    return Parts(notice, wrong_address, main, passenger, age_group, verdict, explanation, about)


def fill(encoding: dict, chosen: Passenger | None) -> list[Any]:
    """The four parts of the form with the choices of an encoding, and with a passenger, if given.

    Without one, nothing is sent that could replace what the visitor is choosing at this moment.
    """
    words = encoding["words"]
    classes = [(name, int(code)) for code, name in words["pclass"].items()]
    sexes = [(capitalize(name), name) for name in words["sex"].values()]
    values = [{"value": value} for value in chosen] if chosen else [{}] * 4
    return [
        gr.Radio(classes, **values[0]),
        gr.Radio(sexes, **values[1]),
        gr.Slider(maximum=encoding["age_edges"][-1], **values[2]),
        gr.Radio(fare_choices(encoding), **values[3]),
    ]
