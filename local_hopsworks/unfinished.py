"""What would be left half done if this server were killed now, and how that is finished or undone.

Some writes are more than one transaction or one rename. Such a write notes beforehand what it is
about to do, in the table `unfinished`, and takes the note away when it is through. A note whose
server was killed (or whose client went away in the middle) is settled when the next server starts,
or the next program logs in:

    remove       metadata gone, files still there          the files go too
    install      a whole folder about to take its place    it takes it, unless the older one still
    has it
    overwrite    rows cleared, the new ones not written    the old ones come back
    replace      file removed, the new one not uploaded    the old one comes back
    model        files there, version not registered       the files are put aside
    training     version registered, files not written     the version goes
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.feature_store.tables import training_datasets
from local_hopsworks.metadata import Metadata, unfinished
from local_hopsworks.offline import delta
from local_hopsworks.store import Store, cleared

_log = logging.getLogger("local_hopsworks")
REMOVE, INSTALL, OVERWRITE, REPLACE = "remove", "install", "overwrite", "replace"
MODEL, TRAINING = "model", "training"
# The client has the next move; the others are this server's alone
BY_CLIENTS = (OVERWRITE, REPLACE, MODEL, TRAINING)


def begin(
    db: sa.Connection, store: Store, action: str, path: Path, client: str = "", **facts: Any
) -> int:
    """Note that `action` on `path` is about to begin, in the transaction that makes it
    necessary."""
    store.register()
    values = {
        "server": store.id,
        "client": client,
        "action": action,
        "path": _inside(store, path),
        "document": facts,
    }
    return int(
        db.execute(unfinished.insert().values(**values).returning(unfinished.c.id)).scalar_one()
    )


def change(db: sa.Connection, note: int, **facts: Any) -> None:
    """Note other facts about a write."""
    db.execute(unfinished.update().where(unfinished.c.id == note).values(document=facts))


def end(db: sa.Connection, store: Store, action: str, path: Path) -> None:
    """It is through, whoever began it."""
    db.execute(
        unfinished.delete().where(
            unfinished.c.action == action, unfinished.c.path == _inside(store, path)
        )
    )


def end_one(db: sa.Connection, note: int) -> None:
    """Take a note away."""
    db.execute(unfinished.delete().where(unfinished.c.id == note))


def remove(store: Store, kept: Metadata, path: Path) -> None:
    """Take away files whose removal was noted, and the note."""
    store.remove(path)
    with kept.transaction(write=True) as db:
        end(db, store, REMOVE, path)


def is_broken(
    store: Store, note: sa.Row[Any], is_alive: Callable[[str], bool] | None = None
) -> bool:
    """Whether nobody will go on with it."""
    if note.server != store.id:
        return not store.is_alive(note.server)
    return note.action in BY_CLIENTS and is_alive is not None and not is_alive(note.client)


def broken(
    db: sa.Connection, store: Store, is_alive: Callable[[str], bool] | None = None
) -> list[sa.Row[Any]]:
    """What nobody will go on with, in the order in which to settle it."""
    notes = db.execute(unfinished.select().order_by(unfinished.c.id)).all()
    found = [note for note in notes if is_broken(store, note, is_alive)]
    return sorted(
        found, key=lambda note: note.action != INSTALL
    )  # files that are whole count as written


def of(db: sa.Connection, store: Store, action: str, path: Path) -> list[sa.Row[Any]]:
    """The notes of an action on a path, of all servers."""
    same = unfinished.c.action == action, unfinished.c.path == _inside(store, path)
    return list(db.execute(unfinished.select().where(*same)))


def claimed(db: sa.Connection, store: Store) -> set[Path]:
    """The paths of all writes that are under way: no fault, or one that is named already."""
    return {store.home / path for path in db.scalars(sa.select(unfinished.c.path))}


def settle(store: Store, kept: Metadata, is_alive: Callable[[str], bool] | None = None) -> None:
    """Finish or undo what was broken off. Killed in the middle, it is done again."""
    with kept.transaction(write=False) as db:
        if not broken(db, store, is_alive):
            return
    with kept.transaction(write=True) as db:
        for note in broken(db, store, is_alive):
            settle_one(db, store, note)


def settle_one(db: sa.Connection, store: Store, note: sa.Row[Any]) -> None:
    """Finish or undo what a note tells of, and take the note away."""
    path = store.home / note.path
    if note.action == REMOVE:
        if inode(path) == note.document["inode"]:  # else it is something newer
            store.remove(path)
    elif note.action == INSTALL:
        if not path.exists() and (draft := store.home / note.document["draft"]).exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.rename(draft, path)
    elif note.action == OVERWRITE:
        put_back_cleared_rows(store, path)
    elif note.action == REPLACE:
        put_back_file(store, path, store.home / note.document["aside"])
    elif note.action == MODEL:
        _settle_model(store, path, note.document["inode"])
    elif note.action == TRAINING and not path.exists():
        metadata.forget(db, f"training_datasets/{note.document['row']}")
        db.execute(training_datasets.delete().where(training_datasets.c.id == note.document["row"]))
    end_one(db, note.id)


def put_back_cleared_rows(store: Store, path: Path) -> None:
    """Put back the rows that an overwrite cleared, unless the new ones are there."""
    earlier = cleared(path)
    if delta.has_commits(path):
        store.remove(earlier)
    elif earlier.exists():
        store.remove(path)
        os.rename(earlier, path)
        _log.warning("An overwrite of %s was broken off; its earlier rows are back.", path.name)


def put_back_file(store: Store, file: Path, aside: Path) -> None:
    """Put back a file that waits in `aside`, unless something else has its place by now."""
    if not aside.exists():
        return
    if file.exists():
        store.remove(aside)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.rename(aside, file)
        _log.warning("An overwrite of %s was broken off; the earlier file is back.", file.name)


def _settle_model(store: Store, path: Path, made: int | None) -> None:
    if made is not None and inode(path) != made:
        return  # it is something newer
    if not any(file.is_file() for file in path.rglob("*")):
        store.remove(path)
    elif made is not None and (target := store.put_aside(path)):
        name, version = path.parts[-2:]
        _log.warning(
            "Model %s version %s was never registered; its files are in %s.", name, version, target
        )


def inode(path: Path) -> int | None:
    """Which file or folder it is, whatever is called so later; None if there is none."""
    try:
        return path.stat(follow_symlinks=False).st_ino
    except FileNotFoundError:
        return None


def _inside(store: Store, path: Path) -> str:
    return str(path.relative_to(store.home))
