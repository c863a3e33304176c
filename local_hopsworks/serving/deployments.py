"""Deployments: what is to be served, and how each is doing. The processes are instances.py's
affair."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata, unfinished
from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import USER, Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.models.tables import models
from local_hopsworks.serving import errors, instances, refused, shapes
from local_hopsworks.serving.files import EXCHANGE, Place
from local_hopsworks.serving.tables import deployments
from local_hopsworks.tags import routes as tags

routes = Routes()
PATH = "/project/{project}/serving"
DEPLOYMENT = PATH + "/{deployment}"
_VERSION = 1  # deployments have no versions here
_SCRIPTS = {"predictor": "predictor", "transformer": "transformer", "configFile": "configfile"}
# What a document has from elsewhere: the columns, the tags, and the state
_NOT_KEPT = {
    *("id", "name", "version", "created", "creator", "projectNamespace", "tags", "status"),
    *("availableInstances", "availableTransformerInstances", "condition", "deployed", "revision"),
    *("hopsworksInferencePath", "modelServerInferencePath"),
}
_DEFAULTS = {"apiProtocol": "REST", "inferenceLogging": "NONE"}
# The SDK's progress bar counts on these types; reasons are for people
_CONDITIONS = {
    instances.CREATED: ("STOPPED", True, "The deployment is created"),
    instances.STOPPED: ("STOPPED", True, "The deployment is stopped"),
    instances.STARTING: ("SCHEDULED", None, "The deployment is starting"),
    instances.FAILED: ("STARTED", False, "The predictor failed to start"),
    instances.RUNNING: ("READY", True, "The deployment is ready"),
    instances.IDLE: ("READY", True, "The first request starts the deployment"),
    instances.UPDATING: ("READY", None, "The deployment is updating"),
    instances.STOPPING: ("SCHEDULED", None, "The deployment is stopping"),
}


def find(call: Call) -> sa.Row[Any]:
    """The deployment that the path names by its id; raises NotFound."""
    query = deployments.select().where(
        deployments.c.id == call.integer("deployment"), deployments.c.parent_id == call.project.id
    )
    row = call.db.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no deployment with id {call.path['deployment'][:80]}.",
            errors.DEPLOYMENT_NOT_FOUND,
        )
    return row


def document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO, with the state in it."""
    found = dict(row.document)
    # Hopsworks fills these in, and the SDK expects them
    found.setdefault("predictorScalingConfig", {"minInstances": 1})
    if "transformer" in found:
        found.setdefault("transformerScalingConfig", {"minInstances": 1})
    return {
        **found,
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "creator": USER["email"],
        "projectNamespace": call.project.name,
        **_state(call, row),
    }


def _state(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    status = instances.status(call.store, row)
    kind, fulfilled, reason = _CONDITIONS[status]
    if status == instances.FAILED:
        reason = f"{reason}: {row.instance['reason']}"
    available = int(status in (instances.RUNNING, instances.UPDATING))
    found = {
        "status": status,
        "availableInstances": available,
        "hopsworksInferencePath": f"/project/{row.parent_id}/inference/models/{row.name}:predict",
        "modelServerInferencePath": f"/v1/models/{row.name}:predict",
        "revision": row.revision,
        "deployed": row.asked == instances.RUNNING,
        "condition": {"type": kind, "status": fulfilled, "reason": reason},
    }
    if row.document.get("transformer"):
        found["availableTransformerInstances"] = available
    return found


@routes.add("GET", PATH, options=["name", "model", "status"])
def get_all(call: Call) -> Answer:
    """All deployments; with a name, that one."""
    query = call.in_project(deployments)
    name = call.option("name")
    if name is not None:
        row = call.db.execute(query.where(deployments.c.name == name)).one_or_none()
        if row is None:
            raise NotFound(f"There is no deployment {name[:80]!r}.", errors.DEPLOYMENT_NOT_FOUND)
        return document(call, row)
    rows = call.db.execute(query.order_by(deployments.c.id)).all()
    found = [document(call, row) for row in rows]
    for key, option in (("modelName", "model"), ("status", "status")):
        wanted = call.option(option)
        if wanted is not None:
            found = [one for one in found if one.get(key) == wanted]
    return found


@routes.add("GET", DEPLOYMENT)
def get(call: Call) -> Answer:
    """One deployment with its state."""
    return document(call, find(call))


@routes.add("PUT", PATH, options=["newVersion"], body=shapes.DEPLOYMENT)
def save(call: Call) -> Answer:
    """Create a deployment, or change one: a running one then runs what is new, and the SDK waits
    until it does. If nothing is new, a running process goes on."""
    if call.flag("newVersion"):
        raise NotEmbedded("versions of a deployment", "Save it without new_version.")
    body = call.document
    refused.check(body)
    row = None if body.get("id") is None else _changed(call, body)
    deployment = {**_DEFAULTS, **{key: value for key, value in body.items() if value is not None}}
    deployment = {key: value for key, value in deployment.items() if key not in _NOT_KEPT}
    deployment["created"] = now() if row is None else row.document["created"]
    deployment |= {
        key: PurePosixPath(deployment[key]).name for key in _SCRIPTS if deployment.get(key)
    }
    _check_model(call, body)
    scripts = _scripts(call, body, row)
    if row is None:
        row = _created(call, body, deployment)
    elif deployment != row.document or any(scripts.values()):
        same = deployments.c.id == row.id
        values = {"document": deployment, "revision": row.revision + 1}
        call.db.execute(deployments.update().where(same).values(**values))
    Place(call.store, call.project.name, row.name, row.version).exchange(call, scripts)
    if row.asked == instances.RUNNING:
        claim(call, row.id)
    return document(
        call, call.db.execute(deployments.select().where(deployments.c.id == row.id)).one()
    )


def _changed(call: Call, body: dict[str, Any]) -> sa.Row[Any]:
    """The deployment that a body is to change."""
    call.path["deployment"] = str(body["id"])
    row = find(call)
    if body["name"] != row.name:
        raise HopsworksError(
            f"A deployment keeps its name, {row.name}; create another one for another name.",
            errors.ILLEGAL_DEPLOYMENT,
        )
    return row


def _created(call: Call, body: dict[str, Any], deployment: dict[str, Any]) -> sa.Row[Any]:
    values = {"asked": instances.CREATED, "revision": 1, "runner": None, "instance": None}
    name = body["name"]
    taken = HopsworksError(f"There is a deployment {name} already.", errors.DUPLICATE_DEPLOYMENT)
    row = metadata.insert_version(
        call.db, deployments, call.project.id, name, _VERSION, deployment, taken, **values
    )
    tags.put_all(call, tags.owner(deployments, row.id), body.get("tags"))
    return row


def _check_model(call: Call, body: dict[str, Any]) -> None:
    name, version = body.get("modelName"), body.get("modelVersion")
    if name is None:
        is_predictor = "SERVING_SCRIPT_KIND=predictor" in (body.get("predictorEnvVars") or [])
        if not is_predictor:
            raise NotEmbedded("deployments that are an HTTP server of their own, without a model")
        return
    query = call.in_project(models).where(models.c.name == name, models.c.version == version)
    if call.db.execute(query).one_or_none() is None:
        raise HopsworksError(
            f"There is no version {version} of a model {name[:80]!r} to deploy.",
            errors.MODEL_FILES_NOT_FOUND,
        )


def _scripts(call: Call, body: dict[str, Any], row: sa.Row[Any] | None) -> dict[str, Path | None]:
    """The files to copy into the version by their role, None for a role without one. Roles that
    keep their file are left out."""
    found: dict[str, Path | None] = {}
    for key, role in _SCRIPTS.items():
        path = body.get(key)
        if path is None:
            found[role] = None
        elif row is None or path != row.document.get(key):  # else it is as the SDK was told
            found[role] = _script(call, path, key)
    lacks_predictor = "predictor" in found and found["predictor"] is None
    if lacks_predictor and body.get("modelFramework") != "SKLEARN":
        raise HopsworksError(
            f"A {body.get('modelFramework') or 'Python'} model needs a predictor script; only "
            "scikit-learn models are served without one.",
            errors.SCRIPT_NOT_FOUND,
        )
    return found


def _script(call: Call, path: str, key: str) -> Path:
    file = call.store.dataset(call.project.name, path.removeprefix("hdfs://"))
    if not file.is_file():
        raise HopsworksError(
            f"The file {path[:200]!r} is not in dataset storage.", errors.SCRIPT_NOT_FOUND
        )
    if key != "configFile" and file.suffix != ".py":
        raise HopsworksError(
            f"A deployment's script is a Python file (.py), not {file.name[:80]!r}.",
            errors.SCRIPT_NOT_FOUND,
        )
    return file


@routes.add("POST", DEPLOYMENT, options=["action"])
def act(call: Call) -> Answer:
    """Start or stop; the SDK asks for the state until it is so. Nothing happens if it is so
    already: after an error the SDK would stop what another program has started."""
    row, action = find(call), call.option("action")
    if action is None:
        raise HopsworksError(
            "Say with the option action what to do: START or STOP.", errors.COMMAND_NOT_PROVIDED
        )
    if action.upper() == "START":
        _start(call, row)
    elif action.upper() == "STOP":
        _stop(call, row)
    else:
        raise HopsworksError(
            f"A deployment can START and STOP, not {action[:80]!r}.", errors.COMMAND_NOT_RECOGNIZED
        )
    return None


def _start(call: Call, row: sa.Row[Any]) -> None:
    status = instances.status(call.store, row)
    if status in (instances.RUNNING, instances.STARTING, instances.UPDATING):
        return
    values = {"asked": instances.RUNNING, "revision": row.revision + 1}
    call.db.execute(deployments.update().where(deployments.c.id == row.id).values(**values))
    claim(call, row.id)


def claim(call: Call, deployment: int) -> None:
    """Let this server run a deployment, if none has it, once the transaction is kept."""
    row = call.db.execute(deployments.select().where(deployments.c.id == deployment)).one()
    running = call.hopsworks.part(instances.Instances)
    if running.claim(call.db, row):
        call.after_commit.append(partial(running.start, deployment))


def _stop(call: Call, row: sa.Row[Any]) -> None:
    if row.asked != instances.RUNNING:
        return
    values: dict[str, Any] = {"asked": instances.STOPPED}
    if not instances.is_live(call.store, row):
        values |= {"runner": None, "instance": None}
    call.db.execute(deployments.update().where(deployments.c.id == row.id).values(**values))


@routes.add("DELETE", DEPLOYMENT)
def delete(call: Call) -> Answer:
    """With its files; the process ends when its server finds it gone."""
    row = find(call)
    place = Place(call.store, call.project.name, row.name, row.version)
    unfinished.end(call.db, call.store, EXCHANGE, place.artifacts)
    call.remove(place.deployment)
    call.db.execute(deployments.delete().where(deployments.c.id == row.id))
    metadata.forget(call.db, tags.owner(deployments, row.id))
    return None


tags.tag_routes(routes, DEPLOYMENT, lambda call: tags.owner(deployments, find(call).id))
