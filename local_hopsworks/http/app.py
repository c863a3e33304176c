"""The HTTPS application: who may call, which service answers, how errors look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from local_hopsworks.errors import INVALID_API_KEY, HopsworksError, NotEmbedded
from local_hopsworks.http import refused
from local_hopsworks.http.calls import API
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.services import ServiceDescription


def create_app(hopsworks: Hopsworks, services: Iterable[ServiceDescription]) -> Starlette:
    """The application of a server: all routes and pages of its services."""
    routes: list[Route] = [route for service in services for route in service.routes]
    pages: list[Route] = [page for service in services for page in service.pages]
    # No path is both of the API and of a page. Pages come first, because they are few and a feature
    # vector is one of them.
    app = Starlette(
        routes=[*sorted_by_specificity(pages), *sorted_by_specificity(routes)],
        middleware=[Middleware(RequireApiKey, hopsworks=hopsworks, pages=pages)],
        exception_handlers={HopsworksError: _refusal, HTTPException: _no_route},
    )
    # A client makes .../featuregroups/1/ of .../featuregroups/1/tags/.., and must not be led to the
    # feature group: it would delete that in place of a tag
    app.router.redirect_slashes = False
    app.state.hopsworks, app.state.services = hopsworks, services
    return app


def sorted_by_specificity(routes: Iterable[Route]) -> list[BaseRoute]:
    """Of two routes that fit a path, the first answers: segment by segment a literal goes before a
    {parameter}, and that before a {parameter:path}."""
    return [*sorted(routes, key=_specificity)]


def _specificity(route: Route) -> list[int]:
    ranks = {None: 0, "": 1, "path": 2}
    kinds = []
    for segment in route.path.split("/"):
        parameter = re.fullmatch(r"\{\w+:?(\w*)\}", segment)
        kinds.append(ranks[parameter[1] if parameter else None])
    return [*kinds, len(ranks)]  # a route that goes on after a path goes before one that ends


class RequireApiKey:
    """401 for every call without this store's key, before anything else looks at the request.
    Pages ask for the key themselves."""

    def __init__(self, app: ASGIApp, hopsworks: Hopsworks, pages: Sequence[Route]) -> None:
        self._app, self._hopsworks, self._pages = app, hopsworks, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, or hand the request on."""
        has_key = scope["type"] == "http" and self._has_key(scope)
        if has_key and scope["client"]:
            self._hopsworks.clients.let_in(tuple(scope["client"]))
        if scope["type"] == "http" and not has_key and not self._is_page(scope):
            error = HopsworksError(
                "The API key is missing or is not this Hopsworks' key.", INVALID_API_KEY, 401
            )
            await JSONResponse(error.document(), 401)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_page(self, scope: Scope) -> bool:
        # Not by another method: a page that only takes POST would let a GET of the API through
        return any(page.matches(scope)[0] is Match.FULL for page in self._pages)

    def _has_key(self, scope: Scope) -> bool:
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        kind, _, key = header.partition(" ")
        return kind == "ApiKey" and self._hopsworks.security.is_api_key(key)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HopsworksError)
    return JSONResponse(error.document(), error.status)


async def _no_route(request: Request, error: Exception) -> Response:
    """No service has this call: refuse it by its name."""
    assert isinstance(error, HTTPException)
    if error.status_code not in (404, 405):
        return await _refusal(request, HopsworksError(error.detail, status=error.status_code))
    if "\n" in request.scope["path"]:  # which no {parameter:path} takes
        name = request.scope["path"].removeprefix(API)[:200]
        error = HopsworksError(f"{name!r} has a line break, which no name may have.")
        return await _refusal(request, error)
    path = request.url.path.removeprefix(API)
    name = refused.name(request.method, path, request.app.state.services)
    return await _refusal(request, NotEmbedded(name))
