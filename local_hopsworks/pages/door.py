"""The way in to the pages. They are loaded when a browser first asks for one: programs start
without waiting for them."""

from __future__ import annotations

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from local_hopsworks.http.calls import API
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.pages import access

PREFIX = "/p"


class _Pages:
    """All that is below PREFIX."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hopsworks: Hopsworks = scope["app"].state.hopsworks
        router = await run_in_threadpool(_router, hopsworks)
        await router(scope, receive, send)


def _router(hopsworks: Hopsworks) -> Router:
    from local_hopsworks.pages.pages import Rooms

    return hopsworks.part(Rooms).router


class _Page(Route):
    """A route of pages. By a method that they do not take there is nothing: that is what a browser
    that was let in is told, and a stranger is asked for the key, as everywhere."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this route."""
        match, child = super().matches(scope)
        if match is Match.PARTIAL:
            match = Match.FULL if access.is_known(Request(scope)) else Match.NONE
        return match, child


class _OutsideTheApi(_Page):
    """A route that leaves paths of the API alone, which have refusals of their own."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this route."""
        if f"{scope['path']}/".startswith(API.rpartition("/")[0] + "/"):
            return Match.NONE, {}
        return super().matches(scope)


async def _elsewhere(request: Request) -> Response:
    """/ leads to the projects, and any other address to the page that says so."""
    return RedirectResponse(PREFIX + quote(request.url.path), 303)


routes: list[Route] = [
    _Page(PREFIX, _Pages(), methods=["GET", "POST"]),
    _Page(PREFIX + "/{rest:path}", _Pages(), methods=["GET", "POST"]),
    _OutsideTheApi("/{rest:path}", _elsewhere, methods=["GET"]),
]
