"""Predictions: a request goes on to the deployment's process, which is started if it has none.

No transaction is open meanwhile, and waiting takes no thread of the other calls: a model may itself
ask this server for features.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.http import bodies
from local_hopsworks.http.calls import API, whole_number
from local_hopsworks.http.failures import explaining
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.serving import errors, instances
from local_hopsworks.serving.instances import Instances
from local_hopsworks.serving.tables import deployments

START_SECONDS = 300  # that a request waits for a process
POLL_SECONDS = 0.05
MOST_AT_ONCE = 64  # requests on the way to the processes; others wait


@dataclass(frozen=True)
class Target:
    """Where a deployment's process listens."""

    port: int
    token: str


class Connections:
    """The connections of one server to its deployments' processes."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        import urllib3  # a program without deployments need not wait for it

        self._pools = urllib3.PoolManager(num_pools=16, maxsize=MOST_AT_ONCE, retries=False)
        self._limiter = anyio.CapacityLimiter(MOST_AT_ONCE)

    async def post(self, target: Target, content: bytes) -> tuple[int, bytes]:
        """The status and body of the answer; OSError if there is none."""
        from urllib3.exceptions import HTTPError

        request = partial(
            self._pools.request,
            "POST",
            f"http://127.0.0.1:{target.port}/predict",
            body=content,
            headers={"Authorization": f"Bearer {target.token}"},
        )
        try:
            answer = await anyio.to_thread.run_sync(request, limiter=self._limiter)
        except HTTPError as error:
            raise ConnectionError(str(error)) from error
        return answer.status, answer.data

    def stop(self) -> None:
        """Close them."""
        self._pools.clear()


async def predict(request: Request) -> Response:
    """POST /project/{project}/inference/models/{name}:predict."""
    hopsworks: Hopsworks = request.app.state.hopsworks
    name = request.path_params["name"]
    with explaining(f"POST {request.url.path.removeprefix(API)[:200]}", hopsworks.store):
        project = whole_number(request.path_params["project"], "project")
        content = await bodies.content(request)
        target = await _ready(hopsworks, project, name)
        return await _answered(hopsworks, name, target, content)


async def _ready(hopsworks: Hopsworks, project: int, name: str) -> Target:
    """Where the deployment listens, once it does."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        target = await run_in_threadpool(_target, hopsworks, project, name)
        if target is not None:
            return target
        await asyncio.sleep(POLL_SECONDS)
    raise HopsworksError(
        f"The deployment {name} has been starting for {START_SECONDS} seconds; its log "
        "(get_logs) may say why.",
        errors.DEPLOYMENT_NOT_RUNNING,
    )


def _target(hopsworks: Hopsworks, project: int, name: str) -> Target | None:
    """Where the deployment listens; None while it starts. One that has no process is started."""
    query = deployments.select().where(
        deployments.c.parent_id == project, deployments.c.name == name
    )
    with hopsworks.metadata.transaction(write=False) as db:
        row = db.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no deployment {name[:80]!r}.", errors.INFERENCE_DEPLOYMENT_NOT_FOUND
        )
    status = instances.status(hopsworks.store, row)
    if status == instances.RUNNING:
        return Target(row.instance["port"], row.instance["token"])
    if status == instances.IDLE:
        _start(hopsworks, row.id)
    elif status not in (instances.STARTING, instances.UPDATING):
        raise _not_running(row, status)
    return None


def _start(hopsworks: Hopsworks, deployment: int) -> None:
    running = hopsworks.part(Instances)
    with hopsworks.metadata.transaction(write=True) as db:
        row = db.execute(deployments.select().where(deployments.c.id == deployment)).one_or_none()
        claimed = False
        if row is not None and instances.status(hopsworks.store, row) == instances.IDLE:
            claimed = running.claim(db, row)
    if claimed:
        running.start(deployment)


def _not_running(row: Any, status: str) -> HopsworksError:
    if status == instances.FAILED:
        sentence = f"has failed: {row.instance['reason']} Its log (get_logs) has more."
    else:
        sentence = f"does not run, it is {status}; start it first."
    return HopsworksError(f"The deployment {row.name} {sentence}", errors.DEPLOYMENT_NOT_RUNNING)


async def _answered(hopsworks: Hopsworks, name: str, target: Target, content: bytes) -> Response:
    """The process's answer. What it refuses, and what fails in it, has Hopsworks' error in it."""
    try:
        status, answer = await hopsworks.part(Connections).post(target, content)
    except OSError as error:
        raise HopsworksError(
            f"The process of the deployment {name} ended before it answered; its log (get_logs) "
            "may say why.",
            errors.NO_ANSWER,
            500,
        ) from error
    if status == 200:
        return Response(answer, media_type="application/json")
    refusal: dict[str, Any] = json.loads(answer)
    code = errors.INTERNAL_ERROR if status >= 500 else errors.BAD_INFERENCE_REQUEST
    failure = HopsworksError(f"The deployment {name}: {refusal.pop('error')}", code, status)
    body = json.dumps({**failure.document(), **refusal})
    return Response(body, status, media_type="application/json")


routes = [
    Route(f"{API}/project/{{project}}/inference/models/{{name}}:predict", predict, methods=["POST"])
]
