"""The pages of deployments: state, model, how to call it, logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks.datasets.pages import file_address
from local_hopsworks.http.calls import API, Call
from local_hopsworks.models.pages import model_address
from local_hopsworks.models.tables import models
from local_hopsworks.pages.labels import labels
from local_hopsworks.pages.lineage import Box
from local_hopsworks.pages.pages import Crumb, Listing, Page, Pages, address
from local_hopsworks.pages.paging import Window, paged
from local_hopsworks.search.documents import Document
from local_hopsworks.serving import deployments, logs
from local_hopsworks.serving.files import ROLES, Place
from local_hopsworks.serving.tables import deployments as table
from local_hopsworks.tags.routes import owner

pages = Pages()
LOG_LINES = 30  # of the end of the newest log
_SECTION = "/{project}/deployments"


def deployment_address(project: int, deployment: int) -> str:
    """Where the page of a deployment is, as the SDK prints it."""
    return address(project, "deployments", deployment)


@pages.section(
    "Deployments",
    _SECTION,
    "serving/templates/deployments.html",
    empty="None yet. model.deploy(…) makes one.",
    place=4,
)
def all_deployments(call: Call, window: Window) -> Listing:
    """The deployments of a project, by name."""
    of_project = table.c.parent_id == call.project.id
    rows, total = paged(call.db, table.select().where(of_project).order_by(table.c.name), window)
    return Listing([_listed(call, row) for row in rows], total)


def _listed(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    found = deployments.document(call, row)
    return {
        "name": row.name,
        "status": found["status"],
        "model": _model(call, found),
        "description": found.get("description"),
        "created": found["created"],
        "address": deployment_address(row.parent_id, row.id),
    }


def _model(call: Call, found: dict[str, Any]) -> dict[str, str] | None:
    """The model that a deployment serves, with its address; None if it serves none."""
    name, version = found.get("modelName"), found.get("modelVersion")
    if name is None:
        return None
    place = model_address(call.project.id, name, int(version or 0))
    return {"name": f"{name} {version}", "address": place}


@pages.add(_SECTION + "/{deployment}")
def deployment(call: Call) -> Page:
    """A deployment."""
    row = deployments.find(call)
    found = deployments.document(call, row)
    place = Place(call.store, call.project.name, row.name, row.version)
    scripts = [place.script(role) for role in ROLES]
    files = logs.files(place.logs)
    context = {
        "deployment": found,
        "labels": labels(call, owner(table, row.id)),
        "model": _model(call, found),
        "endpoint": f"{call.hopsworks.address}{API}{found['hopsworksInferencePath']}",
        "files": [_file(call, Path(script)) for script in scripts if script],
        "logs": [_file(call, file) for file in files],
        "log": logs.read(files[0], LOG_LINES, None, with_times=True) if files else "",
    }
    return Page(
        row.name,
        "serving/templates/deployment.html",
        context,
        kind="Deployment",
        crumbs=(Crumb("Deployments", address(call.project.id, "deployments")),),
        here=owner(table, row.id),
    )


def _file(call: Call, path: Path) -> dict[str, str]:
    parts = path.relative_to(call.store.project(call.project.name)).parts
    return {"name": path.name, "address": file_address(call.project.id, *parts)}


@pages.lineage
def boxes(call: Call) -> Iterator[Box]:
    """Every deployment of a project."""
    known = {(row.name, row.version): row.id for row in call.db.execute(call.in_project(models))}
    for row in call.db.execute(call.in_project(table)):
        model = known.get((row.document.get("modelName"), row.document.get("modelVersion")))
        yield Box(
            owner(table, row.id),
            "deployment",
            row.name,
            deployment_address(row.parent_id, row.id),
            () if model is None else (owner(models, model),),
            row.id,
        )


@pages.search
def documents(call: Call) -> Iterator[Document]:
    """Every deployment of a project."""
    for row in call.db.execute(call.in_project(table)):
        place = deployment_address(row.parent_id, row.id)
        more = ("modelName", "servingTool", "created")
        yield Document.of("DEPLOYMENT", table, row, place, more)
