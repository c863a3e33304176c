"""What the pages of both apps share: templates, links, pictures, and how they are served.

This file is the same in the folders of both apps, because each folder is a Space of its own.
"""

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import jinja2
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import (
    BaseHTTPMiddleware,
    DispatchFunction,
    RequestResponseEndpoint,
)
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connection import Latest, Unavailable

HERE = Path(__file__).resolve().parent
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # none is downloaded
THEME = gr.themes.Default(
    primary_hue="blue", neutral_hue="slate", radius_size="lg", font=FONTS, font_mono=FONTS
)
# Events of the page itself: no program calls them. Each is answered at once, on its own request:
# Gradio's queue answers over one stream for a page, and an answer was lost when that was closed
QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "queue": False,
    "api_visibility": "private",
}
# Gradio writes what these are sent into files. The apps need none of them, and a stranger could
# fill the disk
WRITING = ["upload", "process_recording", "component_server", "component_server/", "deep_link"]
PREVIEW = re.compile(r'<meta\s+(?:property="og:|name="twitter:)[^>]*>')
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """The HTML of templates/{template}.html; every value is escaped."""
    return TEMPLATES.get_template(f"{template}.html").render(values)


def links(**addresses: str) -> dict[str, str]:
    """{text: address} of those links whose address is known: `links(Monitor="MONITOR_URL")`.

    An argument names the environment variable that holds the address.
    """
    known = {text: os.environ.get(variable) for text, variable in addresses.items()}
    return {text: address for text, address in known.items() if address}


def show_problem(problem: Unavailable | None) -> str:
    """The notice of a problem; without one, the page is still waiting for Hopsworks."""
    return render("notice", problem=problem)


def serve(page: gr.Blocks, name: str, description: str, latest: Latest) -> None:
    """Serve the page until Ctrl-C, on the first free port from GRADIO_SERVER_PORT or 7860 on.

    name: of the app, for the terminal. description: of the page, for link previews. latest: its
    state has `pictures`, {name: PNG}, which are served as /pictures/{name}.
    """
    signal.signal(signal.SIGINT, stop)
    refused = [Route(f"/gradio_api/{path}", refuse, methods=["GET", "POST"]) for path in WRITING]
    page.launch(
        theme=THEME,
        css_paths=[HERE / "look.css", HERE / "style.css"],
        js=(HERE / "page.js").read_text(),
        footer_links=["api", "gradio"],
        app_kwargs={
            "routes": [Route("/pictures/{name}", send_pictures_of(latest)), *refused],
            "middleware": [Middleware(BaseHTTPMiddleware, dispatch=preview(page, description))],
        },
        ssr_mode=False,
        run_history=False,
        quiet=True,
        prevent_thread_lock=True,
    )
    say(f"{name}: {page.local_url}")
    latest.start()
    threading.Event().wait()


async def refuse(request: Request) -> Response:
    """The answer to everything that would write a file."""
    raise HTTPException(403, "This app takes no files.")


def send_pictures_of(latest: Latest) -> Callable[[Request], Response]:
    """The endpoint that sends a picture of the latest state."""

    def send(request: Request) -> Response:
        state = latest.ask().state
        name = request.path_params["name"]
        if state is None or name not in state.pictures:
            raise HTTPException(404)
        headers = {"Cache-Control": "max-age=3600"}  # a new picture has a new address
        return Response(state.pictures[name], media_type="image/png", headers=headers)

    return send


def preview(page: gr.Blocks, description: str) -> DispatchFunction:
    """Middleware that puts the page's title and description into what link previews read.

    Gradio's own head says "Gradio" there, and shows a picture from another host.
    """
    head = "<head>" + render("preview", title=page.title, description=description)

    async def answer(request: Request, ask: RequestResponseEndpoint) -> Response:
        response: Any = await ask(request)
        if request.url.path != "/":
            return response
        html = b"".join([part async for part in response.body_iterator]).decode()
        html = PREVIEW.sub("", html).replace("<head>", head, 1)
        return HTMLResponse(html, response.status_code)

    return answer


def stop(*_: object) -> None:
    """End on Ctrl-C, with the exit status that a shell expects."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    say("Stopped.")
    raise SystemExit(130)


def say(line: str) -> None:
    """Print a line at once and in one piece: the other app may print to the same terminal."""
    print(f"{line}\n", end="", flush=True)
