"""Is a store as it should be? Every fault in a sentence, and what can be done about it:
`local_hopsworks check`.

Looks from the outside in: the format, the keys, the database, and then whether every row has its
files and every file its row. Servers may run meanwhile: what a living one has under way is no
fault, and a fault must be there twice. Repair deletes nothing of a user's: what is in doubt is
moved into the folder `aside/` of the store.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata, unfinished
from local_hopsworks.errors import HopsworksError
from local_hopsworks.jobs.runner import Runner
from local_hopsworks.metadata import Metadata
from local_hopsworks.offline import delta_log
from local_hopsworks.security import Security
from local_hopsworks.store import FORMATS, Store, StoreError, cleared

YOUNG_SECONDS = 3600  # what nobody claims, but was changed less than this ago, may be under way


@dataclass(frozen=True)
class Fault:
    """`what` is wrong and where; `remedy` is what `repair` does, or without one what the reader can
    do."""

    what: str
    remedy: str
    repair: Callable[[], object] | None = None

    def __str__(self) -> str:
        return f"{self.what} {'With --repair: ' if self.repair else ''}{self.remedy}"


def check(home: Path, *, repair: bool = False) -> tuple[list[str], list[Fault]]:
    """What was repaired in the store in `home`, in sentences, and the faults that are there."""
    repaired = []
    with contextlib.ExitStack() as opened:
        faults = _found_twice(home, opened)
        for fault in faults if repair else []:
            if fault.repair is not None:
                with contextlib.suppress(OSError):  # then it is found again
                    moved = fault.repair()
                    done = (
                        f"It is now {moved}."
                        if isinstance(moved, Path)
                        else f"Done: {fault.remedy}"
                    )
                    repaired.append(f"{fault.what} {done}")
    if repaired:
        with contextlib.ExitStack() as opened:
            faults = _found_twice(home, opened)
    return repaired, faults


def _found_twice(home: Path, opened: contextlib.ExitStack) -> list[Fault]:
    first = {fault.what for fault in _faults(home, opened)}
    return [fault for fault in _faults(home, opened) if fault.what in first] if first else []


def _faults(home: Path, opened: contextlib.ExitStack) -> list[Fault]:
    try:
        if found := list(_format(home)):
            return found
        found = [*_permissions(home / "security"), *_database(home / "metadata.db")]
        if any(fault.repair is None for fault in found) or not (home / "metadata.db").exists():
            return found  # nothing further in can be judged
        store = Store(home)
        opened.callback(store.close)
        kept = Metadata(store.metadata_file)
        opened.callback(kept.close)
        return found + [fault for look in _LOOKS for fault in look(store, kept)]
    except StoreError as error:
        return [Fault(str(error), "Nothing further was checked.")]


# ----------------------------------------------------------------------------------------------------
# outside in


def _format(home: Path) -> Iterator[Fault]:
    try:
        text = (home / "format").read_text().strip()
    except FileNotFoundError:
        yield Fault(
            f"{home} is not a store: it has no file named format.", "Name the store with --home."
        )
        return
    if text in FORMATS[:-1]:
        what = f"The store {home} has format {text}, and this version of local_hopsworks writes format {FORMATS[-1]}."
        yield Fault(
            what, "it is migrated, as by any program that uses it.", lambda: Store(home).close()
        )
    elif text not in FORMATS:
        what = f"The store {home} has format {text[:20]!r}; this version of local_hopsworks reads format {FORMATS[-1]}."
        yield Fault(what, "Use the version that wrote it.")


def _permissions(security: Path) -> Iterator[Fault]:
    for path in [security, *security.glob("*")] if security.is_dir() else []:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                allowed = 0o700 if path.is_dir() else 0o600
                what = f"{path} holds keys and is open to other users (mode {mode:04o})."
                yield Fault(what, f"its mode becomes {allowed:04o}.", partial(path.chmod, allowed))


def _database(file: Path) -> Iterator[Fault]:
    if not file.exists():
        return
    try:
        with contextlib.closing(
            sqlite3.connect(file.as_uri() + "?mode=rw", uri=True, timeout=30)
        ) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        verdict, dangling = str(error), None
    if verdict == "ok" and dangling:
        verdict = f"a row of the table {dangling[0]} belongs to none of {dangling[2]}"
    if verdict != "ok":
        what = f"The metadata in {file} is damaged: {' '.join(verdict.split())}."
        yield Fault(
            what,
            "Put back a copy; the rows of the feature groups, models and files beside it are untouched.",
        )


# -------------------------------------------------------------------------------------------------
# broken off writes


def _broken_off(store: Store, kept: Metadata) -> Iterator[Fault]:
    with kept.transaction(write=False) as db:
        notes = unfinished.broken(db, store)
        lost = Runner(store, kept).lost(db)
    for note in notes:
        what = f"A server was killed in the middle of this write: {note.action} {note.path}."
        yield Fault(what, "it is finished or undone.", partial(unfinished.settle, store, kept))
    for row in lost:
        what = f"The execution {row.id} of a job is marked as {row.document['state']}, but its server was killed."
        yield Fault(what, "it is marked as failed.", Runner(store, kept).recover)
    for folder in store.dead_servers():
        drafts = sum(1 for file in folder.rglob("*") if file.is_file() and file.name != "lock")
        if drafts:
            what = f"{folder} has {drafts} draft{'' if drafts == 1 else 's'} of a server that was killed."
            yield Fault(
                what, "they are deleted; nothing refers to them.", partial(store.sweep, folder)
            )


# ----------------------------------------------------------------------------------------------------
# feature groups


def _feature_groups(store: Store, kept: Metadata) -> Iterator[Fault]:
    folders = set(store.tables())  # before the rows: a folder is made after its row
    with kept.transaction(write=False) as db:
        groups = {
            store.feature_group(row.project, row.name, row.version, row.id): row
            for row in _all(db, "feature_groups")
        }
        claimed = _claimed(store, db)
    for table in sorted(folders - set(groups) - {cleared(table) for table in groups} - claimed):
        what = f"{table} is the table of no feature group."
        yield Fault(what, "it is moved aside.", partial(store.put_aside, table))
    for table, row in groups.items():
        name = f"Feature group {row.name} version {row.version}"
        if cleared(table) in folders and table not in claimed:
            what = f"{name} was being overwritten, and nobody goes on with it."
            yield Fault(what, "its earlier rows come back, unless the new ones are complete.", partial(
                unfinished.settle_overwrite, store, table))  # fmt: skip
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


# ------------------------------------------------------------------------------- models, training
# data, everything else


def _models(store: Store, kept: Metadata) -> Iterator[Fault]:
    folders = set(
        store.model_versions()
    )  # before the rows: a version is registered after its files are there
    with kept.transaction(write=False) as db:
        models = {
            store.model(row.project, row.name, row.version): row for row in _all(db, "models")
        }
        claimed = _claimed(store, db)
    for folder in sorted(folders - set(models) - claimed):
        if _is_old(folder):
            what = f"{folder} is a model's version that was never registered."
            yield Fault(what, "it is moved aside.", partial(store.put_aside, folder))
    for folder, row in models.items():
        if not folder.is_dir():
            what = f"Model {row.name} version {row.version} has lost its files in {folder}."
            yield Fault(what, "Put back a copy, or delete the version with model.delete().")


def _training_data(store: Store, kept: Metadata) -> Iterator[Fault]:
    with kept.transaction(write=False) as db:
        rows = _all(db, "training_datasets")
        claimed = _claimed(store, db)
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


def _secrets(store: Store, kept: Metadata) -> Iterator[Fault]:
    with kept.transaction(write=False) as db:
        rows = db.execute(metadata.secrets.select()).all()
    if rows and store.security.is_dir():
        security = Security(store.security, store.new_draft)
        for row in rows:
            try:
                security.decrypt(row.value)
            except HopsworksError:
                what = f"The secret {row.name!r} was encrypted with another key than that in {store.security}."
                yield Fault(
                    what, "Put back the file secrets_key, or delete the secret and create it anew."
                )


def _projects(store: Store, kept: Metadata) -> Iterator[Fault]:
    with kept.transaction(write=False) as db:
        names = db.scalars(sa.select(metadata.projects.c.name)).all()
    for name in names:
        if missing := [folder.name for folder in store.datasets(name) if not folder.is_dir()]:
            what = f"The project {name} lacks its folders {', '.join(missing)} in {store.project(name)}."
            yield Fault(what, "they are made anew, empty.", partial(store.create_project, name))


_LOOKS = (_broken_off, _projects, _feature_groups, _models, _training_data, _secrets)


def _all(db: sa.Connection, table: str) -> list[sa.Row[Any]]:
    """The rows of a table of things, each with the name of its project."""
    things, projects = metadata.tables[table], metadata.projects
    joined = things.join(metadata.feature_views) if things is metadata.training_datasets else things
    parent = metadata.feature_views if things is metadata.training_datasets else things
    joined = joined.join(projects, parent.c.parent_id == projects.c.id)
    return list(db.execute(sa.select(things, projects.c.name.label("project")).select_from(joined)))


def _claimed(store: Store, db: sa.Connection) -> set[Path]:
    """What somebody has noted to be under way: no fault, or one that is named already."""
    return {store.home / path for path in db.scalars(sa.select(metadata.unfinished.c.path))}


def _is_old(path: Path) -> bool:
    """Whether nothing in it was changed lately."""
    newest = 0.0
    for each in [path, *path.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, each.stat(follow_symlinks=False).st_mtime)
    return newest < time.time() - YOUNG_SECONDS
