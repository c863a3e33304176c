"""How does the model do? Shows the latest synthetic passengers, as predicted and as it went, from
Hopsworks.

    make monitor-app                       # in the repository: on its own Hopsworks, or on that of HOPSWORKS_API_KEY
    HOPSWORKS_API_KEY=... python app.py    # alone; on a Hugging Face Space the key is a secret of the Space

It reads what titanic_batch_inference_pipeline.py stored in Resources/images, and updates open pages
by itself.
"""

import base64
import hashlib
import json
import math
import os
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import hopsworks
from hopsworks.client.exceptions import ProjectException, RestAPIError

REFRESH_SECONDS = float(
    os.environ.get("REFRESH_SECONDS", 5)
)  # how often a page asks, and Hopsworks is asked at most
STALE = timedelta(days=2)
OUTCOMES = ["died", "survived"]
DEPICTED = ["A tombstone under the moon", "A cheerful passenger in a lifebuoy"]
WAITING = '<p class="muted" role="status">Asking Hopsworks for the predictions …</p>'
START = "make monitor-app"
FILL = "python titanic_feature_pipeline.py\npython titanic_batch_inference_pipeline.py"
HEADER = """<header><h1>Titanic predictions and what happened</h1>
<p>Passengers are made up one by one, predicted by the model, and compared with their fate. This page keeps itself up
to date.</p></header>"""
BODY = """<div class="cards">{look}<section class="card" aria-labelledby="latest">
<div class="head"><h2 id="latest">Latest passenger</h2><span class="badge {tone}">{match}</span></div>
<p>{words}. The model gave {chance} for survival.</p>
<div class="pair">{predicted}<span class="sign {tone}" aria-hidden="true">{sign}</span>{actual}</div></section>
<section class="card" aria-labelledby="matrix"><h2 id="matrix">Confusion matrix</h2>{matrix}</section>
<section class="card wide" aria-labelledby="recent"><h2 id="recent">Four most recent predictions</h2>{recent}</section>
<section class="card wide beside" aria-labelledby="accuracy"><div><h2 id="accuracy">Accuracy over time</h2>{story}</div>
{accuracy}</section></div>"""
TABLE = """<table aria-labelledby="recent"><thead><tr><th scope="col">passenger</th><th scope="col">predicted</th>
<th scope="col">actual</th></tr></thead><tbody>{}</tbody></table>"""
FONTS = [
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "sans-serif",
]  # the visitor's own: none is fetched


class Unavailable(Exception):
    """args: a sentence for the page, then the commands that help, if any do."""


class View(NamedTuple):
    """What a page shows, made once for all pages."""

    content: bytes  # of monitor.json, to notice a change
    latest: datetime  # prediction
    numbers: str  # HTML, {ago} where the time since the latest prediction belongs
    body: str  # HTML


class LatestView:
    """The stored state as last read. A thread of its own reads when a page asks, at most every
    REFRESH_SECONDS: no page waits for a slow Hopsworks, and Hopsworks is asked once however many
    pages are open."""

    def __init__(self) -> None:
        self.view, self.problem, self.read_at = None, None, datetime.now(timezone.utc)
        self._wanted, self._fresh = threading.Event(), threading.Event()
        self._wanted.set()  # the first reading begins before anybody asks
        threading.Thread(target=self._keep_reading, daemon=True).start()

    def ask(self) -> tuple[View | None, Unavailable | None, datetime]:
        self._wanted.set()
        self._fresh.wait(2)
        return self.view, self.problem, self.read_at

    def _keep_reading(self) -> None:
        project = None
        while self._wanted.wait():
            self._wanted.clear()
            try:
                project = project or connect()
                self.view = read_view(project.get_dataset_api(), self.view)
                self.problem, self.read_at = None, datetime.now(timezone.utc)
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
            time.sleep(REFRESH_SECONDS)
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


def read_file(dataset_api: Any, name: str) -> bytes | None:
    try:
        return dataset_api.read_content(f"/Resources/images/{name}").content
    except RestAPIError as error:
        if error.response.status_code in (
            400,
            404,
        ):  # what Hopsworks says of a file that is not there
            return None
        raise


def read_view(dataset_api: Any, previous: View | None) -> View:
    """What is stored. The pictures are asked for only when monitor.json has changed, and shown only
    if they fit it."""
    content = read_file(dataset_api, "monitor.json")
    if content is None:
        raise Unavailable(
            "No predictions yet. This page shows them by itself once you have run", FILL
        )
    if previous and content == previous.content:
        return previous
    try:
        state = json.loads(content)
        if state["format"] != 1:
            raise ValueError(f"its format is {state['format']}, this app reads format 1")
        pictures = {name: read_file(dataset_api, name) or b"" for name in state["pictures"]}
        if any(
            hashlib.sha256(pictures[name]).hexdigest() != digest
            for name, digest in state["pictures"].items()
        ):
            raise Unavailable(
                "The stored pictures do not belong to the stored monitor.json. To put that right:",
                FILL,
            )
        return show(content, state, pictures)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        why = f"{type(error).__name__}: {error}"
        raise Unavailable(
            f"The stored monitor.json cannot be used ({why}). To write it anew:", FILL
        ) from error


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share: good for few predictions too, and never beyond 0 and 1."""
    z = 1.959964
    middle, scale = correct + z * z / 2, total + z * z
    half = z * math.sqrt(correct * (total - correct) / total + z * z / 4)
    return (middle - half) / scale, (middle + half) / scale


def ago(moment: datetime) -> str:
    seconds = (datetime.now(timezone.utc) - moment).total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}{'s' * (seconds >= 2 * size)} ago"
    return "Just now"


def show_picture(png: bytes, alt: str) -> str:
    width, height = (
        int.from_bytes(png[start : start + 4], "big") for start in (16, 20)
    )  # so the page never jumps
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    return f'<img src="{source}" alt="{escape(alt)}" width="{width}" height="{height}">'


def show_outcome(png: bytes, caption: str, outcome: int) -> str:
    picture = show_picture(png, f"{caption}: {OUTCOMES[outcome]}. {DEPICTED[outcome]}")
    return f"<figure>{picture}<figcaption>{caption}<b>{OUTCOMES[outcome]}</b></figcaption></figure>"


def show_recent(png: bytes, recent: list[dict]) -> str:
    """The stored picture, and for narrow screens, where it would be too small to read, the same as
    a table."""
    rows = [
        (each["words"], OUTCOMES[each["prediction"]], OUTCOMES[each["label"]]) for each in recent
    ]
    told = "; ".join(
        f"{words}, predicted {predicted}, actually {actual}" for words, predicted, actual in rows
    )
    table = "".join(f"<tr><td>{'</td><td>'.join(map(escape, row))}</td></tr>" for row in rows)
    return show_picture(png, f"Newest first: {told}") + TABLE.format(table)


def show(content: bytes, state: dict, pictures: dict[str, bytes]) -> View:
    total, correct, model, newest = (
        state["predictions"],
        state["correct"],
        state["model"],
        state["recent"][0],
    )
    latest = datetime.fromisoformat(newest["datetime"]).astimezone(timezone.utc)
    (low, high), expected, watch = wilson(correct, total), model["cv_accuracy"], state["watch"]
    numbers = {
        f"{total:,} prediction{'s' * (total > 1)}": f"{correct:,} of them right",
        f"{correct / total:.0%} accuracy": f"so far; 95% interval {low:.0%} to {high:.0%}",
        escape(watch["verdict"]): f"{expected:.0%} is expected of model version {model['version']}",
        "{ago}": f"latest prediction: {latest.day} {latest:%B %Y, %H:%M} UTC",
    }
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in numbers.items()
    )
    (died_died, died_survived), (survived_died, survived_survived) = state["confusion_matrix"]
    matrix = (
        f"Of those who died, {died_died} were predicted to die and {died_survived} to survive; "
    )
    matrix += f"of those who survived, {survived_died} to die and {survived_survived} to survive."
    if "confusion_matrix.png" in pictures:
        matrix = show_picture(pictures["confusion_matrix.png"], matrix)
    else:
        matrix = f"<p>{escape(matrix)}</p><p>It is drawn once both were predicted. Until then, again:</p><pre>{FILL}</pre>"
    accuracy = f"{correct:,} of {total:,} predictions were right, {correct / total:.0%}; "
    accuracy += f"95% interval {low:.0%} to {high:.0%}."
    promise = (
        f"In training the model was right about {expected:.1%} of the passengers it had not seen, "
    )
    promise += f"and who knows only their sex about {model['sex_alone_accuracy']:.1%}."
    why = "".join(f"<p>{escape(sentence)}</p>" for sentence in watch["why"])
    match = newest["prediction"] == newest["label"]
    body = BODY.format(
        words=escape(newest["words"].capitalize()),
        chance=f"{newest['survival_probability']:.0%}",
        tone="good" if match else "bad",
        sign="=" if match else "≠",
        match="✓ Match" if match else "✗ Mismatch",
        predicted=show_outcome(
            pictures["latest_passenger_prediction.png"], "Predicted", newest["prediction"]
        ),
        actual=show_outcome(pictures["actual_passenger_outcome.png"], "Actual", newest["label"]),
        matrix=matrix,
        recent=show_recent(pictures["df_recent.png"], state["recent"]),
        story=f"<p>{accuracy}</p><p>{promise}</p>" + why * (watch["verdict"] != "Look"),
        look=f'<div class="notice wide" role="status"><p>Look:</p>{why}</div>'
        * (watch["verdict"] == "Look"),
        accuracy=show_picture(
            pictures["accuracy_over_time.png"], f"Accuracy after each prediction. Now {accuracy}"
        ),
    )
    return View(
        content,
        latest,
        f'<section aria-label="Numbers"><dl class="tiles">{tiles}</dl></section>',
        body,
    )


def show_top(view: View | None, problem: Unavailable | None, read_at: datetime) -> str:
    """What changes with time: notices and numbers."""
    now, notices = datetime.now(timezone.utc), []
    if view is None and problem is None:
        return WAITING
    if view is None:
        notices.append(problem.args)
    elif now - read_at > timedelta(
        seconds=3 * REFRESH_SECONDS
    ):  # one refresh that fails is nothing to speak of
        sentence, *commands = problem.args if problem else ["Hopsworks does not answer."]
        as_of = f"{read_at:%H:%M} UTC ({ago(read_at).lower()})"
        notices.append([f"This is what was stored at {as_of}. {sentence}", *commands])
    if view and now - view.latest > STALE:
        notices.append(
            [f"The latest prediction was made {ago(view.latest)}. For a new one, run", FILL]
        )
    top = ""
    for sentence, *commands in notices:
        commands = "".join(f"<pre>{escape(each)}</pre>" for each in commands)
        top += f'<div class="notice" role="status"><p>{escape(sentence)}</p>{commands}</div>'
    return top + (view.numbers.replace("{ago}", ago(view.latest)) if view else "")


def build(latest: LatestView) -> gr.Blocks:
    def refresh(seen: list | None):
        """What an open page lacks."""
        view, problem, read_at = latest.ask()
        now = [show_top(view, problem, read_at), hash(view and view.content)]
        top_now = gr.skip() if seen and seen[0] == now[0] else now[0]
        body_now = gr.skip() if view is None or (seen and seen[1] == now[1]) else view.body
        return top_now, body_now, now

    quiet = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
    with gr.Blocks(title="Titanic: predictions and what happened", analytics_enabled=False) as page:
        gr.HTML(HEADER)
        top, body, seen = gr.HTML(WAITING, elem_id="top"), gr.HTML(elem_id="body"), gr.State()
        page.load(refresh, seen, [top, body, seen], **quiet)
        gr.Timer(REFRESH_SECONDS).tick(refresh, seen, [top, body, seen], **quiet)
    return page


def main() -> None:
    sys.stdin = open(os.devnull)  # noqa: SIM115  should the SDK ask something there, nobody would answer
    build(LatestView()).launch(
        theme=gr.themes.Default(primary_hue="blue", neutral_hue="slate", radius_size="lg", font=FONTS, font_mono=FONTS),
        css_paths=Path(__file__).parent / "style.css", footer_links=["gradio"], ssr_mode=False, run_history=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
