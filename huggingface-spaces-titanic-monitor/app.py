"""How does the model do? Shows the latest synthetic passengers, as predicted and as it went.

make monitor-app                       # in a clone of the repository
HOPSWORKS_API_KEY=... python app.py    # anywhere; on a Space the key is one of its secrets

It reads what titanic_batch_inference_pipeline.py has stored in Hopsworks, and open pages follow.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

import gradio as gr

from connection import (
    REFRESH_SECONDS,
    Latest,
    Snapshot,
    Unavailable,
    advise,
    keep_sdk_off_the_terminal,
)
from page import QUIET, links, render, serve, show_problem
from stored import find
from view import load
from watch import when

TITLE = "Titanic predictions and what happened"
DESCRIPTION = (
    "Passengers are made up one by one, predicted by the model, and compared with their fate. "
    "This page keeps itself up to date."
)
STALE = timedelta(days=2)


def top(snapshot: Snapshot) -> str:
    """What changes with time, as HTML: notices, and the numbers."""
    view, problem, read_at = snapshot
    if view is None:
        return show_problem(problem)
    now = datetime.now(timezone.utc)
    notices = ""
    # A single refresh that fails is not worth a notice
    if now - read_at > timedelta(seconds=3 * REFRESH_SECONDS):
        stale = problem or Unavailable("Hopsworks does not answer.")
        as_of = f"This is what was stored at {read_at:%H:%M} UTC ({ago(now - read_at)})."
        notices += show_problem(Unavailable(f"{as_of} {stale.sentence}", stale.command))
    if now - view.predicted_at > STALE:
        notices += show_problem(
            advise(
                f"The latest prediction was made {ago(now - view.predicted_at)}.",
                in_clone="For a new one, run",
                command="make passengers predict",
                on_space="Check whether the daily workflow still runs.",
            )
        )
    age = ago(now - view.predicted_at).capitalize()
    numbers = {**view.numbers, age: f"latest prediction: {when(view.predicted_at)}"}
    return notices + render("numbers", numbers=numbers)


def ago(time: timedelta) -> str:
    """How long ago something was: "3 hours ago"."""
    seconds = time.total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            plural = "s" if seconds >= 2 * size else ""
            return f"{seconds // size:.0f} {unit}{plural} ago"
    return "just now"


def build(latest: Latest) -> gr.Blocks:
    """The page, which asks for news every REFRESH_SECONDS."""

    def refresh(seen: list | None) -> tuple[Any, Any, Any]:
        """The parts of the page, without those that it shows already."""
        snapshot = latest.ask()
        shown = [top(snapshot), snapshot.state.body if snapshot.state else ""]
        now = [hash(html) for html in shown]
        if now == seen:
            return gr.skip(), gr.skip(), gr.skip()
        body = gr.skip() if seen and seen[1] == now[1] else shown[1]
        return shown[0], body, now

    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        related = links(Predict="PREDICT_URL", Repository="REPOSITORY_URL")
        gr.HTML(render("header", title=TITLE, description=DESCRIPTION, links=related))
        parts = [gr.HTML(show_problem(None)), gr.HTML(), gr.State()]
        news = [page.load, gr.Timer(REFRESH_SECONDS).tick]
        gr.on(news, refresh, parts[2], parts, trigger_mode="once", **QUIET)
    return page


def main() -> None:
    """Show what is stored to visitors until Ctrl-C."""
    keep_sdk_off_the_terminal()
    latest = Latest(find, load)
    serve(build(latest), "Monitor app", DESCRIPTION, latest)


if __name__ == "__main__":
    main()
