"""The pages of the model registry: a model's version with all that was saved with it, and its
versions side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks.datasets.pages import entry, file_address
from local_hopsworks.datasets.previews import JSON_BYTES
from local_hopsworks.errors import NotFound
from local_hopsworks.feature_store.tables import feature_views, training_datasets
from local_hopsworks.feature_store.view_page import dataset_address, view_address
from local_hopsworks.http.calls import Call
from local_hopsworks.models.comparison import compared
from local_hopsworks.models.errors import MODEL_NOT_FOUND
from local_hopsworks.models.tables import models as table
from local_hopsworks.pages.labels import labels
from local_hopsworks.pages.lineage import Box
from local_hopsworks.pages.pages import Crumb, Listing, Page, Pages, address
from local_hopsworks.pages.paging import Window, paged
from local_hopsworks.search.documents import Document
from local_hopsworks.tags.routes import owner

pages = Pages()
VERSIONS = 20  # side by side
MOST_FILES = 100  # listed on a model's page
MOST_PICTURES = 12  # shown there
_SECTION = "/{project}/models"


def model_address(project: int, name: str, version: int) -> str:
    """Where the page of a model's version is, as the SDK prints it."""
    return address(project, "models", name, version)


@pages.section(
    "Models",
    _SECTION,
    "models/templates/models.html",
    empty="None yet. model_registry.python.create_model(…) and save(…) register one.",
    place=3,
)
def models(call: Call, window: Window) -> Listing:
    """The models of a project, each with its newest version."""
    of_project = table.c.parent_id == call.project.id
    newest = (
        sa.select(table.c.name, sa.func.max(table.c.version).label("version"))
        .where(of_project)
        .group_by(table.c.name)
        .subquery()
    )
    same = sa.and_(table.c.name == newest.c.name, table.c.version == newest.c.version)
    query = sa.select(table).join(newest, same).where(of_project).order_by(table.c.name)
    rows, total = paged(call.db, query, window)
    return Listing([_listed(row) for row in rows], total)


def _listed(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "name": row.name,
        "version": row.version,
        "framework": row.document.get("framework"),
        "created": row.document.get("created"),
        "description": row.document.get("description"),
        "all": address(row.parent_id, "models", row.name),
        "address": model_address(row.parent_id, row.name, row.version),
    }


@pages.add(_SECTION + "/{name}")
def versions(call: Call) -> Page:
    """All versions of a model side by side."""
    name = call.path["name"]
    window, rows, total = _versions(call, name)
    if not total:
        raise NotFound(f"There is no model {name[:80]!r}.", MODEL_NOT_FOUND)
    context = {
        "versions": [_listed(row) for row in rows],
        "metrics": compared(rows),
        "window": window,
        "total": total,
        "own": None,
    }
    return Page(name, "models/templates/versions.html", context, "Model", (_crumb(call),))


def _crumb(call: Call) -> Crumb:
    return Crumb("Models", address(call.project.id, "models"))


def _versions(call: Call, name: str) -> tuple[Window, list[sa.Row[Any]], int]:
    """Versions of a model, newest first, and how many there are."""
    same = sa.and_(table.c.parent_id == call.project.id, table.c.name == name)
    window = Window.asked(call.query, VERSIONS)
    query = table.select().where(same).order_by(table.c.version.desc())
    return window, *paged(call.db, query, window)


@pages.add(_SECTION + "/{name}/{version}")
def model(call: Call) -> Page:
    """One version of a model."""
    row = _find(call)
    window, rows, total = _versions(call, row.name)
    folder = call.store.model(call.project.name, row.name, row.version)
    files = _files(call, folder)
    context = {
        "model": row.document,
        "labels": labels(call, owner(table, row.id)),
        "trained_on": _trained_on(row),
        "files": files,
        "pictures": [file for file in files if file["is_picture"]][:MOST_PICTURES],
        "folder": file_address(call.project.id, "Models", row.name, row.version),
        "schema": _schema(folder),
        "example": _json(folder / "input_example.json"),
        "versions": [_listed(each) for each in rows],
        "metrics": compared(rows),
        "window": window,
        "total": total,
        "own": row.version,
    }
    own = address(call.project.id, "models", row.name)
    return Page(
        f"{row.name} {row.version}",
        "models/templates/model.html",
        context,
        kind="Model",
        crumbs=(_crumb(call), Crumb(row.name, own)),
        here=owner(table, row.id),
    )


def _find(call: Call) -> sa.Row[Any]:
    name, version = call.path["name"], call.integer("version")
    row = call.find_version(table, name, version)
    if row is None:
        raise NotFound(f"There is no model {name[:80]!r} version {version}.", MODEL_NOT_FOUND)
    return row


def _trained_on(row: sa.Row[Any]) -> list[tuple[str, str]]:
    """The feature view and the training dataset that a model was trained on, with their
    addresses."""
    if not row.document.get("featureView"):
        return []
    name, version = row.document["featureView"]
    found = [(f"feature view {name} {version}", view_address(row.parent_id, name, version))]
    dataset = row.document.get("trainingDatasetVersion")
    if dataset is not None:
        place = dataset_address(row.parent_id, name, version, dataset)
        found.append((f"training dataset version {dataset}", place))
    return found


def _files(call: Call, folder: Path) -> list[dict[str, Any]]:
    """The first files of a version, those of its own folders too."""
    root = folder / "Files"
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    found = []
    for path, _ in zip(paths, range(MOST_FILES), strict=False):
        found.append({**entry(call, path), "name": path.relative_to(root).as_posix()})
    return found


def _json(path: Path) -> Any:
    """What the SDK saved beside the model's files; None if there is none that can be read."""
    try:
        if path.stat().st_size > JSON_BYTES:
            return None
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def _schema(folder: Path) -> list[tuple[str, list[dict[str, str]]]]:
    """The columns or tensors that a model takes and gives, if it was saved with a schema."""
    found = _json(folder / "model_schema.json")
    if not isinstance(found, dict):
        return []
    shown = []
    for title, key in (("Input", "input_schema"), ("Output", "output_schema")):
        schema = found.get(key) or {}
        columns = schema.get("columnar_schema") or schema.get("tensor_schema") or []
        columns = [columns] if isinstance(columns, dict) else columns
        if columns:
            shown.append((title, [_column(column) for column in columns]))
    return shown


def _column(column: dict[str, Any]) -> dict[str, str]:
    """A column, or a tensor with its shape."""
    shape = column.get("shape") or ""
    return {"name": str(column.get("name") or ""), "type": f"{column.get('type') or ''} {shape}"}


@pages.lineage
def boxes(call: Call) -> Iterator[Box]:
    """Every version of every model of a project."""
    project = call.project.id
    views = {
        (row.name, row.version): row.id for row in call.db.execute(call.in_project(feature_views))
    }
    datasets = {
        (row.parent_id, row.version): row.id for row in call.db.execute(training_datasets.select())
    }
    for row in call.db.execute(call.in_project(table)):
        before: tuple[str, ...] = ()
        if row.document.get("featureView"):
            name, version = row.document["featureView"]
            view = views.get((name, version))
            dataset = datasets.get((view, row.document.get("trainingDatasetVersion")))
            if dataset is not None:
                before = (owner(training_datasets, dataset),)
            elif view is not None:
                before = (owner(feature_views, view),)
            else:  # it was deleted since
                gone = Box(f"gone/{name}/{version}", "feature view", f"{name} {version}")
                yield gone
                before = (gone.key,)
        yield Box(
            owner(table, row.id),
            "model",
            f"{row.name} {row.version}",
            model_address(project, row.name, row.version),
            before,
            row.id,
        )


@pages.search
def documents(call: Call) -> Iterator[Document]:
    """Every version of every model of a project."""
    for row in call.db.execute(call.in_project(table)):
        place = model_address(row.parent_id, row.name, row.version)
        more = ("framework", "created")
        yield Document.of("MODEL", table, row, place, more, version=row.version)
