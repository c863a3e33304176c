"""What `local_hopsworks check` looks at in projects: the folders of their datasets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import sqlalchemy as sa

from local_hopsworks.faults import Fault
from local_hopsworks.metadata import Metadata
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The projects that lack a folder."""
    with metadata.transaction(write=False) as db:
        names = db.scalars(sa.select(projects.c.name)).all()
    for name in names:
        if missing := [folder.name for folder in store.datasets(name) if not folder.is_dir()]:
            what = (
                f"The project {name} lacks its folders {', '.join(missing)} in "
                f"{store.project(name)}."
            )
            yield Fault(what, "they are made anew, empty.", partial(store.create_project, name))
