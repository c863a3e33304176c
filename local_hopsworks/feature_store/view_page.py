"""The page of a feature view: its features, what transforms them, and its training datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import NotFound
from local_hopsworks.feature_store import feature_groups, feature_views
from local_hopsworks.feature_store.errors import FEATURE_VIEW_NOT_FOUND
from local_hopsworks.feature_store.group_page import group_address
from local_hopsworks.feature_store.tables import feature_groups as group_table
from local_hopsworks.feature_store.tables import feature_views as table
from local_hopsworks.feature_store.tables import training_datasets
from local_hopsworks.feature_store.training_datasets import IN_MEMORY
from local_hopsworks.http.calls import Call
from local_hopsworks.pages.labels import labels
from local_hopsworks.pages.lineage import Box
from local_hopsworks.pages.pages import Crumb, Listing, Page, Pages, address
from local_hopsworks.pages.paging import Window, paged
from local_hopsworks.search.documents import Document, Feature
from local_hopsworks.tags.routes import owner

pages = Pages()
DATASETS = 20  # on one page
_SECTION = "/{project}/fs/{feature_store}/fv"


def view_address(project: int, name: str, version: int) -> str:
    """Where the page of a feature view is, as the SDK prints it."""
    return address(project, "fs", project, "fv", name, "version", version)


def dataset_address(project: int, name: str, version: int, dataset: int) -> str:
    """Where a training dataset of a feature view is shown."""
    return f"{view_address(project, name, version)}?dataset={dataset}#dataset-{dataset}"


@pages.section(
    "Feature views",
    _SECTION,
    "feature_store/templates/feature_views.html",
    empty="None yet. feature_store.get_or_create_feature_view(…) makes one.",
    place=2,
)
def views(call: Call, window: Window) -> Listing:
    """The feature views of a project, by name and version."""
    return _listing(call, window, table.c.parent_id == call.project.id)


@pages.add(_SECTION + "/{name}", _SECTION + "/{name}/version")
def versions(call: Call) -> Page:
    """All versions of a feature view."""
    name = call.path["name"]
    window = Window.asked(call.query, DATASETS)
    same = sa.and_(table.c.parent_id == call.project.id, table.c.name == name)
    found = _listing(call, window, same)
    if not found.total:
        raise NotFound(f"There is no feature view {name[:80]!r}.", FEATURE_VIEW_NOT_FOUND)
    context = {"rows": found.rows, "window": window, "total": found.total}
    return Page(
        name,
        "feature_store/templates/feature_view_versions.html",
        context,
        kind="Feature view",
        crumbs=(_crumb(call),),
    )


def _crumb(call: Call) -> Crumb:
    return Crumb("Feature views", address(call.project.id, "fs", call.project.id, "fv"))


def _listing(call: Call, window: Window, chosen: sa.ColumnElement[bool]) -> Listing:
    query = table.select().where(chosen).order_by(table.c.name, table.c.version)
    rows, total = paged(call.db, query, window)
    return Listing([_listed(call, row) for row in rows], total)


def _listed(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    groups = feature_groups.group_ids(row.document["query"])
    return {
        "title": f"{row.name} {row.version}",
        "description": row.document.get("description"),
        "created": row.document["created"],
        "groups": _groups(call, groups),
        "address": view_address(row.parent_id, row.name, row.version),
    }


def _groups(call: Call, identifiers: set[int]) -> list[tuple[str, str]]:
    """Names and addresses of the feature groups that are still there."""
    chosen = group_table.c.parent_id == call.project.id, group_table.c.id.in_(identifiers)
    rows = call.db.execute(group_table.select().where(*chosen).order_by(group_table.c.id))
    return [(f"{row.name} {row.version}", group_address(row.parent_id, row.id)) for row in rows]


@pages.add(_SECTION + "/{name}/version/{version}")
def feature_view(call: Call) -> Page:
    """A feature view."""
    row = feature_views.find(call)
    features, problem = _features(call, row)
    window, datasets = _datasets(call, row)
    name = row.name
    context = {
        "view": row,
        "labels": labels(call, owner(table, row.id)),
        "features": features,
        "problem": problem,
        "groups": _groups(call, feature_groups.group_ids(row.document["query"])),
        "functions": [_function(each) for each in row.document["transformationFunctions"]],
        "datasets": datasets.rows,
        "window": window,
        "total": datasets.total,
    }
    own = address(call.project.id, "fs", call.project.id, "fv", name)
    return Page(
        f"{name} {row.version}",
        "feature_store/templates/feature_view.html",
        context,
        kind="Feature view",
        crumbs=(_crumb(call), Crumb(name, own)),
        here=owner(table, row.id),
    )


def _features(call: Call, row: sa.Row[Any]) -> tuple[list[dict[str, Any]], str]:
    """The features, each with its feature group; or why there are none."""
    try:
        document = feature_views.document(call, row)
    except NotFound as error:
        return [], f"This feature view cannot be read any more: {error.message}"
    return [_feature(each) for each in document["features"]], ""


def _feature(feature: dict[str, Any]) -> dict[str, Any]:
    roles = {
        "label": feature["label"],
        "inference helper": feature["inferenceHelperColumn"],
        "training helper": feature["trainingHelperColumn"],
    }
    group = feature["featuregroup"]
    stored = feature["featureGroupFeatureName"]
    return {
        "name": feature["name"],
        "type": feature["type"],
        "role": ", ".join(name for name, has in roles.items() if has),
        "group": f"{group['name']} {group['version']}",
        "stored": stored if stored != feature["name"] else "",
        "address": group_address(group["featurestoreId"], group["id"]),
    }


def _function(attached: dict[str, Any]) -> dict[str, Any]:
    """A transformation function: what it is called, what it takes, and its source."""
    function = attached.get("hopsworksUdf") or {}
    return {
        "name": function.get("name"),
        "features": function.get("transformationFeatures") or [],
        "source": function.get("sourceCode") or "",
    }


def _datasets(call: Call, row: sa.Row[Any]) -> tuple[Window, Listing]:
    """The training datasets, newest first; the one that the address names is among them."""
    of_view = training_datasets.c.parent_id == row.id
    window = Window.asked(call.query, DATASETS, "datasets")
    asked = call.option("dataset") or ""
    if asked.isdigit() and len(asked) < 10:
        newer = sa.select(sa.func.count()).where(of_view, training_datasets.c.version > int(asked))
        window = window.containing(call.db.scalar(newer) or 0)
    query = training_datasets.select().where(of_view).order_by(training_datasets.c.version.desc())
    rows, total = paged(call.db, query, window)
    return window, Listing([_dataset(call, each) for each in rows], total)


def _dataset(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    document = row.document
    in_memory = document["trainingDatasetType"] == IN_MEMORY
    folder = call.store.dataset(call.project.name, document["location"])
    return {
        "version": row.version,
        "created": document.get("created"),
        "description": document.get("description"),
        "format": "in memory" if in_memory else document["dataFormat"],
        "splits": [_split(split) for split in document.get("splits") or []],
        "size": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "address": "" if in_memory else _folder_address(call, document["location"]),
    }


def _folder_address(call: Call, location: str) -> str:
    inside = location.split("/")[3:]  # without /Projects/{project}
    return address(call.project.id, "files", *inside)


def _split(split: dict[str, Any]) -> dict[str, Any]:
    """A split: its share of the rows, or its window in time."""
    return {
        "name": split["name"],
        "share": split.get("percentage"),
        "start": split.get("startTime"),
        "end": split.get("endTime"),
    }


@pages.lineage
def boxes(call: Call) -> Iterator[Box]:
    """Every feature view and training dataset of a project."""
    project = call.project.id
    for row in call.db.execute(call.in_project(table)):
        groups = sorted(feature_groups.group_ids(row.document["query"]))
        key = owner(table, row.id)
        made_from = tuple(owner(group_table, group) for group in groups)
        place = view_address(project, row.name, row.version)
        name = f"{row.name} {row.version}"
        yield Box(key, "feature view", name, place, made_from, row.id)
        of_view = training_datasets.c.parent_id == row.id
        for dataset in call.db.execute(training_datasets.select().where(of_view)):
            yield Box(
                owner(training_datasets, dataset.id),
                "training dataset",
                f"version {dataset.version}",
                dataset_address(project, row.name, row.version, dataset.version),
                (key,),
                dataset.id,
            )


@pages.search
def documents(call: Call) -> Iterator[Document]:
    """Every feature view and training dataset of a project."""
    project = call.project.id
    groups = {row.id: row.name for row in call.db.execute(call.in_project(group_table))}
    for row in call.db.execute(call.in_project(table)):
        query = row.document["query"]
        sources = sorted(feature_groups.group_ids(query))
        shared: dict[str, Any] = {
            "features": tuple(Feature(name) for name in dict.fromkeys(_selected(query))),
            "feature_groups": tuple(groups[each] for each in sources if each in groups),
        }
        place = view_address(project, row.name, row.version)
        yield Document.of("FEATUREVIEW", table, row, place, version=row.version, **shared)
        of_view = training_datasets.c.parent_id == row.id
        for dataset in call.db.execute(training_datasets.select().where(of_view)):
            version = dataset.version
            place = dataset_address(project, row.name, row.version, version)
            yield Document.of(
                "TRAININGDATASET", training_datasets, dataset, place, version=version, **shared
            )


def _selected(query: dict[str, Any]) -> Iterator[str]:
    """The names of the features that a query reads."""
    for feature in query.get("leftFeatures") or []:
        yield feature["name"]
    for join in query.get("joins") or []:
        yield from _selected(join["query"])
