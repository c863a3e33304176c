"""The model registry: metadata here, files in dataset storage under Models/{name}/{version}."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata, unfinished
from local_hopsworks.errors import ILLEGAL_ARGUMENT, HopsworksError, NotEmbedded, NotFound
from local_hopsworks.feature_store import checks
from local_hopsworks.http.answers import USER, Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.intents import Intents
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.models import shapes
from local_hopsworks.models.errors import MODEL_NOT_FOUND
from local_hopsworks.models.saving import MODEL
from local_hopsworks.models.tables import models
from local_hopsworks.projects.tables import projects
from local_hopsworks.tags import routes as tags

routes = Routes()
_NAME = re.compile(r"[a-zA-Z0-9_]+")
REGISTRIES = "/project/{project}/modelregistries"
PATH = REGISTRIES + "/{registry}/models"
_KEPT = (
    "description",
    "framework",
    "metrics",
    "environment",
    "program",
    "trainingDatasetVersion",
    "llm",
    "experimentId",
)


def document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The document of a model's version."""
    return {
        **row.document,
        "id": row.uid,
        "name": row.name,
        "version": row.version,
        "projectName": call.project.name,
        "modelRegistryId": row.parent_id,
        "creator": USER["email"],
        "userFullName": f"{USER['firstName']} {USER['lastName']}",
        "href": call.href(
            f"/project/{row.parent_id}/modelregistries/{row.parent_id}/models/{row.uid}"
        ),
    }


def find(call: Call) -> sa.Row[Any]:
    """The model that the path names, by `{name}_{version}` or by its id; raises NotFound."""
    identifier = call.path["id"]
    name, _, version = identifier.rpartition("_")
    by_name = (
        sa.and_(models.c.name == name, models.c.version == int(version))
        if version.isascii()
        and version.isdigit()
        and len(version) <= len(str(checks.LARGEST_VERSION))
        else sa.false()
    )
    row = call.db.execute(
        models.select().where(
            models.c.parent_id == call.project.id, sa.or_(by_name, models.c.uid == identifier)
        )
    ).one_or_none()
    if row is None:
        call.hopsworks.part(Intents).missed_model(call.client, identifier)
        raise NotFound(f"There is no model {identifier[:80]!r}.", MODEL_NOT_FOUND)
    return row


@routes.add("GET", REGISTRIES)
def registries(call: Call) -> Answer:
    """The model registries that a project can use: its own."""
    return items(
        [
            {"id": row.id, "name": row.name}
            for row in call.db.execute(projects.select().where(projects.c.id == call.project.id))
        ]
    )


@routes.add("PUT", PATH + "/{id}", body=shapes.MODEL, options=["jobName", "kernelId"])
def register(call: Call) -> Answer:
    """The client has uploaded the files; from now on the version exists."""
    body = call.document
    name, version = str(body.get("name")), body.get("version")
    if not _NAME.fullmatch(name):
        raise HopsworksError(
            f"A model's name is letters, digits and underscores, not {name[:80]!r}."
        )
    checks.version(version, f"model {name}", ILLEGAL_ARGUMENT)
    if not isinstance(version, int) or call.path["id"] != f"{name}_{version}":
        raise HopsworksError(
            f"The model {call.path['id'][:80]!r} must be put as its name, an underscore "
            "and its version."
        )
    for metric, value in (body.get("metrics") or {}).items():
        if not _is_number(value):
            raise HopsworksError(
                f"The metric {metric[:80]!r} must be a number, not {str(value)[:80]!r}."
            )
    view = body.get("featureView") or {}
    model = {key: body.get(key) for key in _KEPT} | {
        "created": now(),
        "jobName": call.option("jobName"),  # of the job that saved it
        "featureView": [view["name"], view["version"]] if view else None,
    }
    taken = HopsworksError(f"Model {name} version {version} is registered already.")
    row = metadata.insert_version(
        call.db, models, call.project.id, name, version, model, taken, uid=uuid.uuid4().hex
    )
    tags.put_all(call, tags.owner(models, row.id), body.get("tags"))
    unfinished.end(call.db, call.store, MODEL, call.store.model(call.project.name, name, version))
    return document(call, row)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None  # what a NaN becomes; see routing.py
    return True


@routes.add("PATCH", PATH + "/{id}", body={"framework": shapes.FRAMEWORKS, "description": str})
def update(call: Call) -> Answer:
    """Change the framework or the description."""
    row = find(call)
    if unknown := set(call.document) - {"framework", "description"}:
        raise NotEmbedded(f"changing {min(unknown)!r} of a model")
    changed = {key: value for key, value in call.document.items() if value is not None}
    call.db.execute(
        models.update().where(models.c.id == row.id).values(document={**row.document, **changed})
    )
    return document(call, find(call))


@routes.add("GET", PATH + "/{id}")
def get(call: Call) -> Answer:
    """One version of a model."""
    return document(call, find(call))


@routes.add("GET", PATH, options=["filter_by", "sort_by", "limit", "offset"])
def get_all(call: Call) -> Answer:
    """Models of a name; sorted by a metric, those that have it (equals: the newest first)."""
    query = call.in_project(models)
    for entry in call.query.getlist("filter_by"):
        field, _, value = entry.partition(":")
        if field != "name_eq":
            raise NotEmbedded(f"models chosen by {field[:80]!r}")
        query = query.where(models.c.name == value)
    found = [
        document(call, row)
        for row in call.db.execute(query.order_by(models.c.name, models.c.version))
    ]
    if sort_by := call.option("sort_by"):
        metric, _, direction = sort_by.rpartition(":")
        sign = -1 if direction == "desc" else 1
        found = [model for model in found if (model["metrics"] or {}).get(metric) is not None]
        found.sort(key=lambda model: (sign * float(model["metrics"][metric]), -model["version"]))
    return items(found[call.page()])


@routes.add("DELETE", PATH + "/{id}")
def delete(call: Call) -> Answer:
    """Remove a version with its files."""
    row = find(call)
    _unregister(call, row)
    call.remove(call.store.model(call.project.name, row.name, row.version))
    return None


def _unregister(call: Call, row: sa.Row[Any]) -> None:
    call.db.execute(models.delete().where(models.c.id == row.id))
    metadata.forget(call.db, tags.owner(models, row.id))


def unregister_below(call: Call, path: Path) -> None:
    """For files that are about to be deleted. Model.save deletes its own when it is interrupted,
    even if the version is registered by then, and that would be left without files."""
    for row in call.db.execute(call.in_project(models)).all():
        if call.store.model(call.project.name, row.name, row.version).is_relative_to(path):
            _unregister(call, row)


tags.tag_routes(routes, PATH + "/{id}", lambda call: tags.owner(models, find(call).id))
