"""What `local_hopsworks check` looks at in deployments: the model they serve, their files, and
files of none.

That a deployment is to run and has no process, or one of a server that was killed, is no fault: the
next request starts it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import disk, unfinished
from local_hopsworks.faults import Fault
from local_hopsworks.metadata import Metadata
from local_hopsworks.models.tables import models
from local_hopsworks.projects.tables import projects
from local_hopsworks.serving.files import ROLES, Place
from local_hopsworks.serving.tables import deployments
from local_hopsworks.store import Store

# A role, its key in a deployment's document, its words, and where the SDK uploads its file
_FILES = (
    ("predictor", "predictor", "predictor script", "predictor"),
    ("transformer", "transformer", "transformer script", "transformer"),
    ("configfile", "configFile", "configuration file", "config"),
)


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The faults of deployments."""
    folders = set(_folders(store))  # before the rows: a row is there before its files
    joined = deployments.join(projects)
    query = sa.select(deployments, projects.c.name.label("project")).select_from(joined)
    with metadata.transaction(write=False) as db:
        rows = db.execute(query).all()
        registered = {(row.parent_id, row.name, row.version) for row in db.execute(models.select())}
        claimed = unfinished.claimed(db, store)
    known = set()
    for row in rows:
        place = Place(store, row.project, row.name, row.version)
        known.add(place.deployment)
        yield from _model(row, registered)
        if not claimed & {place.artifacts, place.deployment}:
            yield from _files(store, place, row)
    for folder in sorted(folders - known - claimed):
        if disk.is_old(folder):
            what = f"{folder} has the files of a deployment that is not there."
            yield Fault(what, "it is moved aside.", partial(store.put_aside, folder))


def _folders(store: Store) -> Iterator[Path]:
    """The folders that a deployment has, and nothing else that is in dataset storage."""
    for folder in store.home.glob("projects/*/Deployments/*"):
        names = [each.name for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
        if any(name == "resources" or name.isdecimal() for name in names):
            yield folder


def _model(row: sa.Row[Any], registered: set[tuple[int, str, int]]) -> Iterator[Fault]:
    name, version = row.document.get("modelName"), row.document.get("modelVersion")
    if name is not None and (row.parent_id, name, version) not in registered:
        what = f"Deployment {row.name} serves version {version} of the model {name}, which is gone."
        yield Fault(what, "Save that version again, or delete the deployment.")


def _files(store: Store, place: Place, row: sa.Row[Any]) -> Iterator[Fault]:
    expected = set()
    for role, key, words, uploaded in _FILES:
        name = row.document.get(key)
        if not name:
            continue
        file = place.artifacts / f"{role}-{name}"
        expected.add(file)
        if file.is_file():
            continue
        what = f"Deployment {row.name} has lost its {words} {file}."
        copy = place.deployment / "resources" / uploaded / name
        if copy.is_file():
            yield Fault(what, f"it is copied again from {copy}.", partial(_copy, copy, file))
        else:
            yield Fault(what, "Put back a copy, or save the deployment with its script again.")
    found = {file for role in ROLES for file in place.artifacts.glob(f"{role}-*")}
    for file in sorted(found - expected):
        what = f"{file} is a file that the deployment {row.name} does not know."
        yield Fault(what, "it is moved aside.", partial(store.put_aside, file))


def _copy(source: Path, target: Path) -> None:
    disk.make_folder(target.parent)
    shutil.copyfile(source, target)
