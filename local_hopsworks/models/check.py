"""What `local_hopsworks check` looks at in the model registry: folders without a version, versions
without a folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import sqlalchemy as sa

from local_hopsworks import disk, unfinished
from local_hopsworks.faults import Fault
from local_hopsworks.metadata import Metadata
from local_hopsworks.models.tables import models
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The faults of the registry."""
    # Before the rows: a version is registered after its files are there
    folders = set(store.model_versions())
    joined = models.join(projects)
    query = sa.select(models, projects.c.name.label("project")).select_from(joined)
    with metadata.transaction(write=False) as db:
        registered = {
            store.model(row.project, row.name, row.version): row for row in db.execute(query)
        }
        claimed = unfinished.claimed(db, store)
    for folder in sorted(folders - set(registered) - claimed):
        if disk.is_old(folder):
            what = f"{folder} is a model's version that was never registered."
            yield Fault(what, "it is moved aside.", partial(store.put_aside, folder))
    for folder, row in registered.items():
        if not folder.is_dir():
            what = f"Model {row.name} version {row.version} has lost its files in {folder}."
            yield Fault(what, "Put back a copy, or delete the version with model.delete().")
