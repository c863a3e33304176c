"""Training data as files: rows are read, dealt out to the splits, transformed if the view has
transformation functions, and written into a folder that takes its place in one rename."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from local_hopsworks import disk, unfinished
from local_hopsworks.errors import NotFound
from local_hopsworks.feature_store import batch_queries, queries, shapes, transformation
from local_hopsworks.feature_store import training_datasets as training
from local_hopsworks.feature_store.errors import TRAINING_DATASET_NOT_FOUND
from local_hopsworks.feature_store.tables import (
    feature_groups,
    feature_views,
    statistics,
    training_datasets,
)
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.routing import Routes
from local_hopsworks.jobs import jobs
from local_hopsworks.offline.run import Engine
from local_hopsworks.projects.tables import projects
from local_hopsworks.tags import routes as tags

if TYPE_CHECKING:
    import pyarrow as pa

routes = Routes()
Query = dict[str, Any]


@routes.add("POST", training.VERSION + "/compute", reads_only=True, body={"query!": shapes.QUERY})
def compute(call: Call) -> Answer:
    """Write the files now; the job that is answered is already done."""
    row = training.find(call)
    materialise(call.hopsworks, row, call.project, queries.slim(call.document["query"]))
    with call.hopsworks.metadata.transaction(write=True) as db:
        return jobs.finished(replace(call, db=db), f"{row.name}_{row.version}_create_td", "PYSPARK")


def materialise_ticket(
    hopsworks: Hopsworks, ticket: dict[str, Any], view: str, view_version: int, version: int
) -> None:
    """Write a training dataset; for the query service, which is asked in place of `compute` for
    plain parquet."""
    with hopsworks.metadata.transaction(write=False) as db:
        project = db.execute(projects.select().where(projects.c.id == ticket["project"])).one()
        joined = training_datasets.join(
            feature_views, training_datasets.c.parent_id == feature_views.c.id
        )
        same = (
            feature_views.c.parent_id == project.id,
            feature_views.c.name == view,
            feature_views.c.version == view_version,
        )
        row = db.execute(
            sa.select(training_datasets)
            .select_from(joined)
            .where(*same, training_datasets.c.version == version)
        ).one_or_none()
    if row is None:
        raise NotFound(
            f"Feature view {view} version {view_version} has no training dataset version "
            f"{version}.",
            TRAINING_DATASET_NOT_FOUND,
        )
    materialise(hopsworks, row, project, ticket["query"])


def materialise(hopsworks: Hopsworks, row: sa.Row[Any], project: sa.Row[Any], query: Query) -> None:
    """Write all splits. If that fails, a version that never had files goes, and one that is
    written anew keeps those it had."""
    target = hopsworks.store.dataset(project.name, row.document["location"])
    draft = hopsworks.store.new_draft()
    try:
        _write(hopsworks, row, project, query, draft)
    except Exception:
        hopsworks.store.remove(draft)
        _forget_unwritten(hopsworks, row, target)
        raise
    _install(hopsworks, row, draft, target)


def _write(
    hopsworks: Hopsworks, row: sa.Row[Any], project: sa.Row[Any], query: Query, draft: Path
) -> None:
    from local_hopsworks.offline import (
        training_files,  # brings pyarrow and pandas, which most need not
    )

    tables = _splits(hopsworks, row, project, query)
    with hopsworks.metadata.transaction(write=False) as db:
        same_view = feature_views.select().where(feature_views.c.id == row.parent_id)
        view = db.execute(same_view).one()
    if view.document["transformationFunctions"]:
        tables = transformation.transformed(hopsworks, project, view, row, tables)
    for name, table in tables.items():
        training_files.write(table, draft / name, row.document["dataFormat"])


def _splits(
    hopsworks: Hopsworks, row: sa.Row[Any], project: sa.Row[Any], query: Query
) -> dict[str, pa.Table]:
    """The rows by the name of their split, or of the whole."""
    from local_hopsworks.offline import training_files

    splits = row.document["splits"]
    with hopsworks.metadata.transaction(write=False) as db:

        def rows(part: Query) -> pa.Table:
            plan = queries.plan(db, hopsworks.store, project, part)
            return hopsworks.part(Engine).table(plan)

        if not splits:
            return {row.name: rows(query)}
        if splits[0].get("splitType") == "TIME_SERIES_SPLIT":
            root = _root(db, query)
            return {split["name"]: rows(_within(query, root, split)) for split in splits}
        whole = rows(query)
    shares = [split["percentage"] for split in splits]
    dealt = training_files.random_split(whole, shares, row.document["seed"])
    return {split["name"]: part for split, part in zip(splits, dealt, strict=True)}


def _root(db: sa.Connection, query: Query) -> dict[str, Any]:
    """The query's first feature group."""
    same = feature_groups.c.id == query["leftFeatureGroup"]["id"]
    group = db.execute(feature_groups.select().where(same)).one()
    return {"id": group.id, "name": group.name, **group.document}


def _within(query: Query, root: dict[str, Any], split: dict[str, Any]) -> Query:
    """The query, of the time of a split."""
    window = batch_queries.window(root, split.get("startTime"), split.get("endTime"))
    return {**query, "filter": batch_queries.all_of([query.get("filter"), *window])}


def _install(hopsworks: Hopsworks, row: sa.Row[Any], draft: Path, target: Path) -> None:
    store = hopsworks.store
    disk.flush_tree(draft)
    with hopsworks.metadata.transaction(write=True) as db:
        inside = str(draft.relative_to(store.home))
        unfinished.begin(db, store, unfinished.INSTALL, target, draft=inside)
    store.remove(target)
    disk.replace(draft, target)
    with hopsworks.metadata.transaction(write=True) as db:
        unfinished.end(db, store, unfinished.INSTALL, target)
        unfinished.end(db, store, training.TRAINING, target)
        training.update(db, row, withoutFiles=False)
        _forget_statistics(db, row)


def _forget_unwritten(hopsworks: Hopsworks, row: sa.Row[Any], target: Path) -> None:
    with hopsworks.metadata.transaction(write=True) as db:
        if unfinished.of(db, hopsworks.store, training.TRAINING, target):
            unfinished.end(db, hopsworks.store, training.TRAINING, target)
            training.forget(db, row.id)


def _forget_statistics(db: sa.Connection, row: sa.Row[Any]) -> None:
    """Those of the files that new ones have replaced. What the transformation functions were fitted
    with stays."""
    same = statistics.c.owner == tags.owner(training_datasets, row.id)
    for each in db.execute(statistics.select().where(same)).all():
        if not each.document.get("beforeTransformation"):
            db.execute(statistics.delete().where(statistics.c.id == each.id))
