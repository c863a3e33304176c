"""Training data of a feature view: in memory (only the recipe is kept) or as files in dataset
storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata, unfinished
from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.feature_store import batch_queries, checks, queries, shapes
from local_hopsworks.feature_store import feature_views as views
from local_hopsworks.feature_store.errors import (
    TRAINING_DATASET_EXISTS,
    TRAINING_DATASET_NOT_FOUND,
)
from local_hopsworks.feature_store.feature_stores import feature_store_name
from local_hopsworks.feature_store.tables import (
    feature_groups,
    training_datasets,
)
from local_hopsworks.http.answers import USER, Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.offline.errors import UNSUPPORTED_DATA_FORMAT
from local_hopsworks.store import Store
from local_hopsworks.tags import routes as tags

routes = Routes()
PATH = views.VERSION + "/trainingdatasets"
VERSION = PATH + "/version/{training_version}"
_FORMATS = ("parquet", "csv", "tsv")
IN_MEMORY = "IN_MEMORY_TRAINING_DATASET"
_KEPT = (
    "description",
    "dataFormat",
    "trainingDatasetType",
    "splits",
    "trainSplit",
    "statisticsConfig",
    "coalesce",
    "extraFilter",
    "eventStartTime",
    "eventEndTime",
    "dataSource",
)


def forget(db: sa.Connection, identifier: int) -> None:
    """Remove a version, but for its files."""
    metadata.forget(db, tags.owner(training_datasets, identifier))
    db.execute(training_datasets.delete().where(training_datasets.c.id == identifier))


def _settle(db: sa.Connection, store: Store, path: Path, facts: unfinished.Facts) -> None:
    if not path.exists():
        forget(db, facts["row"])


# A version is registered, and its files not written: the version goes
TRAINING = unfinished.Write("training", _settle, by_client=True)


def find(call: Call) -> sa.Row[Any]:
    """The training dataset that the path names; raises NotFound."""
    view, version = views.find(call), call.integer("training_version")
    query = training_datasets.select().where(
        training_datasets.c.parent_id == view.id, training_datasets.c.version == version
    )
    row = call.db.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"Feature view {view.name} version {view.version} has no training dataset "
            f"version {version}.",
            TRAINING_DATASET_NOT_FOUND,
        )
    return row


def document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The document of a training dataset."""
    project = call.project
    dataset = f"{project.name}_Training_Datasets"
    connector = {
        "id": 2, "name": dataset, "featurestoreId": project.id, "datasetName": dataset,
        "storageConnectorType": "HOPSFS", "type": "featurestoreHopsfsConnectorDTO",
    }  # fmt: skip
    in_memory = row.document["trainingDatasetType"] == IN_MEMORY
    return {
        **{key: value for key, value in row.document.items() if key != "withoutFiles"},
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "type": "trainingDatasetDTO",
        "creator": USER,
        "featurestoreId": project.id,
        "featurestoreName": feature_store_name(project),
        "features": [],
        "dataSource": None if in_memory else {"storageConnector": connector},
    }


def files_of(call: Call, row: sa.Row[Any]) -> Path | None:
    """The folder with the files of a training dataset, if it has any."""
    folder = call.store.dataset(call.project.name, row.document["location"])
    in_memory = row.document["trainingDatasetType"] == IN_MEMORY
    return folder if not in_memory and folder.is_dir() else None


@routes.add("POST", PATH, body=shapes.TRAINING_DATASET)
def create(call: Call) -> Answer:
    """Register a training dataset; its files, if it has any, are written afterwards."""
    view, body = views.find(call), call.document
    _check_kind(body)
    _check(call, view, body)
    row = _stored(call, view, body)
    tags.put_all(call, tags.owner(training_datasets, row.id), body.get("tags"))
    if body["trainingDatasetType"] != IN_MEMORY:
        folder = call.store.dataset(call.project.name, row.document["location"])
        call.begin(TRAINING, folder, row=row.id)
    return document(call, row)


def _check_kind(body: dict[str, Any]) -> None:
    """Refuse kinds and formats of training data that this server does not make."""
    kind = body.get("trainingDatasetType")
    if kind not in (IN_MEMORY, "HOPSFS_TRAINING_DATASET"):
        raise NotEmbedded(f"training data of type {str(kind)[:80]}")
    for unsupported in ("lookback", "spineAnchored"):
        if body.get(unsupported):
            raise NotEmbedded(f"training data with {unsupported}")
    if (body.get("dataSource") or {}).get("path"):
        raise NotEmbedded("training data at a location of one's own", "Leave `location` out.")
    if kind != IN_MEMORY and (data_format := _data_format(body)) not in _FORMATS:
        raise HopsworksError(
            "Training data can be written as parquet, csv or tsv here, not as "
            f"{data_format[:40]!r}.",
            UNSUPPORTED_DATA_FORMAT,
        )


def _data_format(body: dict[str, Any]) -> str:
    return str(body.get("dataFormat") or "parquet").lower()


def _stored(call: Call, view: sa.Row[Any], body: dict[str, Any]) -> sa.Row[Any]:
    """The row of a new training dataset. Its seed and its folder follow from its version."""
    name = f"{view.name}_{view.version}"
    dataset = {
        **{key: body.get(key) for key in _KEPT},
        "splits": body.get("splits") or [],
        "dataFormat": _data_format(body),
        "statisticsConfig": body.get("statisticsConfig") or {"enabled": True},
        "created": now(),
    }
    version = body.get("version")
    taken = HopsworksError(
        f"Training data {name} version {version} exists already.", TRAINING_DATASET_EXISTS
    )
    row = metadata.insert_version(
        call.db, training_datasets, view.id, name, version, dataset, taken
    )
    folder = f"/Projects/{call.project.name}/{call.project.name}_Training_Datasets"
    # The client shuffles by the seed it is answered. One that is stored makes the split of a
    # version the same for ever, and one that follows from the version makes it the same in every
    # store.
    seed = row.version if body.get("seed") is None else body["seed"]
    update(call.db, row, seed=seed, location=f"{folder}/{name}_{row.version}")
    same = training_datasets.c.id == row.id
    return call.db.execute(training_datasets.select().where(same)).one()


def _check(call: Call, view: sa.Row[Any], body: dict[str, Any]) -> None:
    """Refuse what could not be made of the view, or never be read."""
    root = call.db.execute(
        feature_groups.select().where(
            feature_groups.c.id == view.document["query"]["leftFeatureGroup"]["id"]
        )
    ).one_or_none()
    checks.training_dataset(body, root.document.get("eventTime") if root else None)
    query = view.document["query"]
    conditions = [query.get("filter"), body.get("extraFilter")]
    filtered = {**query, "filter": batch_queries.all_of(conditions)}
    plan = queries.plan(call.db, call.store, call.project, filtered)
    names = {name for _, name in plan.columns} | {column.name for column, _ in plan.columns}
    checks.statistics(body.get("statisticsConfig"), names)


@routes.add("GET", PATH)
def get_all(call: Call) -> Answer:
    """All training datasets of a feature view."""
    query = (
        training_datasets.select()
        .where(training_datasets.c.parent_id == views.find(call).id)
        .order_by(training_datasets.c.version)
    )
    return items([document(call, row) for row in call.db.execute(query)])


@routes.add("GET", VERSION)
def get(call: Call) -> Answer:
    """One training dataset."""
    return document(call, find(call))


@routes.add("DELETE", PATH)
def delete_all(call: Call) -> Answer:
    """Delete all training datasets of a feature view, with their files."""
    _delete(call, _all(call), keep_metadata=False)
    return None


@routes.add("DELETE", VERSION)
def delete(call: Call) -> Answer:
    """Delete a training dataset with its files."""
    _delete(call, [find(call)], keep_metadata=False)
    return None


@routes.add("DELETE", PATH + "/data")
def delete_all_files(call: Call) -> Answer:
    """Delete the files of all training datasets of a view; what they were made from is kept."""
    _delete(call, _all(call), keep_metadata=True)
    return None


@routes.add("DELETE", VERSION + "/data")
def delete_files(call: Call) -> Answer:
    """Delete the files of a training dataset; what it was made from is kept."""
    _delete(call, [find(call)], keep_metadata=True)
    return None


def _all(call: Call) -> list[sa.Row[Any]]:
    return list(
        call.db.execute(
            training_datasets.select().where(training_datasets.c.parent_id == views.find(call).id)
        )
    )


def _delete(call: Call, rows: list[sa.Row[Any]], *, keep_metadata: bool) -> None:
    for row in rows:
        folder = call.store.dataset(call.project.name, row.document["location"])
        call.remove(folder)
        unfinished.end(call.db, call.store, TRAINING, folder)
        if keep_metadata:
            update(call.db, row, withoutFiles=True)
        else:
            forget(call.db, row.id)


def update(db: sa.Connection, row: sa.Row[Any], **changes: Any) -> None:
    """Change fields of a training dataset's document."""
    changed = {**row.document, **changes}
    db.execute(
        training_datasets.update().where(training_datasets.c.id == row.id).values(document=changed)
    )


tags.tag_routes(routes, VERSION, lambda call: tags.owner(training_datasets, find(call).id))
