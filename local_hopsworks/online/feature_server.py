"""The REST feature server: feature vectors of a feature view by key, one or many in a request.

The protocol is that of RonDB's REST server (docs.hopsworks.ai: Feature Store REST API Server), on
this server's own HTTPS port. It asks for the API key in a header of its own, and has error codes of
its own.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.http import bodies, shapes
from local_hopsworks.http.failures import explaining
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.online import vectors
from local_hopsworks.online.view_reads import ViewRead, ViewReads

# Entries that are read at once, between other requests; more take longer than a change of thread
FEW = 100
_VIEW = {
    "featureStoreName!": str,
    "featureViewName!": str,
    "featureViewVersion!": int,
    "metadataOptions": {"featureName": bool, "featureType": bool},
    "options": {"validatePassedFeatures": bool, "includeDetailedStatus": bool},
}
_ONE = {**_VIEW, "entries!": dict, "passedFeatures": dict}
_MANY = {**_VIEW, "entries!": [dict], "passedFeatures": list}


async def _one(request: Request) -> Response:
    """The vector of one entry."""
    hopsworks: Hopsworks = request.app.state.hopsworks
    with explaining(f"POST {request.scope['path']}", hopsworks.store):
        return _answer_one(hopsworks, await _body(request, _ONE))


async def _many(request: Request) -> Response:
    """The vectors of a list of entries."""
    hopsworks: Hopsworks = request.app.state.hopsworks
    with explaining(f"POST {request.scope['path']}", hopsworks.store):
        body = await _body(request, _MANY)
        if len(body["entries"]) <= FEW:
            return _answer_many(hopsworks, body)
        return await run_in_threadpool(_answer_many, hopsworks, body)


async def _ping(request: Request) -> Response:
    """Whether the server is there."""
    _check_key(request)
    return JSONResponse({})


async def _body(request: Request, shape: shapes.Shape) -> dict[str, Any]:
    _check_key(request)
    body = bodies.an_object(await bodies.read(request, takes_text=False))
    shapes.check(body, shape)
    return body


def _check_key(request: Request) -> None:
    if not request.app.state.hopsworks.security.is_api_key(request.headers.get("x-api-key", "")):
        message = "The API key in the header X-API-KEY is missing or is not this Hopsworks' key."
        raise HopsworksError(message, status=401)


def _answer_one(hopsworks: Hopsworks, body: dict[str, Any]) -> Response:
    view = _view(hopsworks, body)
    passed = [body.get("passedFeatures") or {}]
    (vector,) = vectors.vectors(hopsworks, view, [body["entries"]], passed, _validates(body))
    document = {"features": vector.features, "status": vector.status}
    if _has_detailed_status(body):
        document["detailedStatus"] = _detailed(view, vector)
    return JSONResponse({**document, **_metadata(view, body)})


def _answer_many(hopsworks: Hopsworks, body: dict[str, Any]) -> Response:
    view, entries = _view(hopsworks, body), body["entries"]
    passed = [each or {} for each in body.get("passedFeatures") or []]
    shapes.check(passed, [dict], "passedFeatures")
    if passed and len(passed) != len(entries):
        raise vectors.wrong_feature(
            f"There are {len(entries)} entries, and passed features for {len(passed)}."
        )
    found = vectors.vectors(
        hopsworks, view, entries, passed or [{}] * len(entries), _validates(body)
    )
    document: dict[str, Any] = {
        "features": [vector.features for vector in found],
        "status": [vector.status for vector in found],
    }
    if _has_detailed_status(body):
        document["detailedStatus"] = [_detailed(view, vector) for vector in found]
    return JSONResponse({**document, **_metadata(view, body)})


def _view(hopsworks: Hopsworks, body: dict[str, Any]) -> ViewRead:
    name, version = body["featureViewName"], body["featureViewVersion"]
    try:
        view = hopsworks.part(ViewReads).find(body["featureStoreName"], name, version)
    except NotFound as error:
        raise vectors.no_view(error) from error
    if view.offline_groups:
        raise vectors.not_online(view.offline_groups)
    return view


def _validates(body: dict[str, Any]) -> bool:
    return bool((body.get("options") or {}).get("validatePassedFeatures", True))


def _has_detailed_status(body: dict[str, Any]) -> bool:
    return bool((body.get("options") or {}).get("includeDetailedStatus"))


def _detailed(view: ViewRead, vector: vectors.Vector) -> list[dict[str, int]]:
    return [
        {"featureGroupId": group.group_id, "httpStatus": status}
        for group, status in zip(view.groups, vector.statuses, strict=True)
    ]


def _metadata(view: ViewRead, body: dict[str, Any]) -> dict[str, Any]:
    """Names and types of the features, if they were asked for."""
    wanted = body.get("metadataOptions") or {}
    columns = [
        (option, values)
        for option, values in (("featureName", view.names), ("featureType", view.types))
        if wanted.get(option)
    ]
    if not columns:
        return {}
    rows = zip(*(values for _, values in columns), strict=True)
    options = [option for option, _ in columns]
    return {"metadata": [dict(zip(options, row, strict=True)) for row in rows]}


_VERSION = "/0.1.0"
routes = [
    Route(f"{_VERSION}/feature_store", _one, methods=["POST"]),
    Route(f"{_VERSION}/batch_feature_store", _many, methods=["POST"]),
    Route(f"{_VERSION}/ping", _ping, methods=["GET"]),
    Route(f"{_VERSION}/health", _ping, methods=["GET"]),
]
