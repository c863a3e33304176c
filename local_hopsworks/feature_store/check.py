"""What `local_hopsworks check` looks at in the feature store: tables without a feature group,
feature groups without their table, training data without its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from local_hopsworks import unfinished
from local_hopsworks.faults import Fault
from local_hopsworks.feature_store.commits import put_back_cleared_rows
from local_hopsworks.feature_store.tables import feature_groups, feature_views, training_datasets
from local_hopsworks.metadata import Metadata
from local_hopsworks.offline import delta_log
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store, cleared


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The faults of feature groups, then those of training data."""
    yield from _feature_groups(store, metadata)
    yield from _training_data(store, metadata)


def _feature_groups(store: Store, metadata: Metadata) -> Iterator[Fault]:
    folders = set(store.tables())  # before the rows: a folder is made after its row
    joined = feature_groups.join(projects)
    query = sa.select(feature_groups, projects.c.name.label("project")).select_from(joined)
    with metadata.transaction(write=False) as db:
        groups = {
            store.feature_group(row.project, row.name, row.version, row.id): row
            for row in db.execute(query)
        }
        claimed = unfinished.claimed(db, store)
    for table in sorted(folders - set(groups) - {cleared(table) for table in groups} - claimed):
        what = f"{table} is the table of no feature group."
        yield Fault(what, "it is moved aside.", partial(store.put_aside, table))
    for table, row in groups.items():
        name = f"Feature group {row.name} version {row.version}"
        if cleared(table) in folders and table not in claimed:
            what = f"An overwrite of feature group {row.name} version {row.version} was broken off."
            yield Fault(
                what,
                "its earlier rows come back, unless the new ones are complete.",
                partial(put_back_cleared_rows, store, table),
            )
        elif table not in folders and cleared(table) not in folders and row.document.get("written"):
            yield Fault(
                f"{name} has lost its table {table}.",
                "Put back a copy, or delete the feature group.",
            )
        elif table in folders:
            yield from _table(store, name, table)


def _table(store: Store, name: str, table: Path) -> Iterator[Fault]:
    for problem in delta_log.problems(table):
        repair: Callable[[], object] | None = None
        if problem.aside is not None:
            repair = partial(store.put_aside, problem.aside)
        elif problem.forget:
            repair = partial(delta_log.forget_missing, table)
        yield Fault(f"{name}: {problem.what}", problem.remedy, repair)


def _training_data(store: Store, metadata: Metadata) -> Iterator[Fault]:
    joined = training_datasets.join(feature_views).join(
        projects, feature_views.c.parent_id == projects.c.id
    )
    query = sa.select(training_datasets, projects.c.name.label("project")).select_from(joined)
    with metadata.transaction(write=False) as db:
        rows = db.execute(query).all()
        claimed = unfinished.claimed(db, store)
    for row in rows:
        if row.document.get("trainingDatasetType") != "HOPSFS_TRAINING_DATASET" or row.document.get(
            "withoutFiles"
        ):
            continue
        folder = store.dataset(row.project, row.document["location"])
        if not folder.exists() and folder not in claimed:
            what = (
                f"The training dataset {row.name} version {row.version} has no files in {folder}."
            )
            yield Fault(what, f"feature_view.recreate_training_dataset({row.version}) writes them.")
