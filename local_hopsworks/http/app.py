"""The HTTPS application: who may call, which service answers, how errors look."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local_hopsworks.datasets import routes as datasets
from local_hopsworks.errors import INVALID_API_KEY, HopsworksError, NotEmbedded
from local_hopsworks.expectations import expectations, validation
from local_hopsworks.feature_store import (
    batch_queries,
    commits,
    feature_groups,
    feature_views,
    provenance,
    queries,
    statistics,
    training_datasets,
    transformation_functions,
)
from local_hopsworks.http import refused
from local_hopsworks.http.routing import API, Service
from local_hopsworks.jobs import executions, jobs
from local_hopsworks.jobs import schedules as job_schedules
from local_hopsworks.keywords import routes as keywords
from local_hopsworks.models import routes as models
from local_hopsworks.pages import pages
from local_hopsworks.projects import routes as projects
from local_hopsworks.secrets import routes as secrets
from local_hopsworks.tags import routes as tags


def create_app(service: Service) -> Starlette:
    services = (  # of two routes that fit, the first answers
        refused, keywords, projects, feature_groups, commits, feature_views, batch_queries, training_datasets,
        transformation_functions, queries, statistics, tags, provenance, models, jobs, executions, job_schedules,
        datasets, secrets, expectations, validation, pages,
    )  # fmt: skip
    app = Starlette(
        routes=[route for module in services for route in module.routes],
        middleware=[Middleware(RequireApiKey, service=service)],
        exception_handlers={HopsworksError: _refusal, HTTPException: _no_route},
    )
    app.state.service = service
    return app


class RequireApiKey:
    """401 for every API call without this store's key, before anything else looks at the
    request."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(
            pages.OPEN
        ):  # pages ask for the key themselves
            kind, _, key = (
                dict(scope["headers"]).get(b"authorization", b"").decode("latin-1").partition(" ")
            )
            if kind != "ApiKey" or not self._service.security.is_api_key(key):
                error = HopsworksError(
                    "The API key is missing or is not this Hopsworks' key.", INVALID_API_KEY, 401
                )
                await JSONResponse(error.document(), 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HopsworksError)
    return JSONResponse(error.document(), error.status)


async def _no_route(request: Request, error: Exception) -> Response:
    """No service knows this call: say which one, so that nobody takes silence for success."""
    assert isinstance(error, HTTPException)
    if error.status_code not in (404, 405):
        return await _refusal(request, HopsworksError(error.detail, status=error.status_code))
    return await _refusal(
        request, NotEmbedded(refused.name(request.method, request.url.path.removeprefix(API)))
    )
