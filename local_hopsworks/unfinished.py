"""What would be left half done if this server were killed now, and how that is finished or undone.

Some writes are more than one transaction or one rename. Such a write notes beforehand what it is
about to do, in the table `unfinished`, and takes the note away when it is through. If
the server is killed, or the client ends in the middle, the note stays. It is settled when the next
server starts or the next program logs in. Two kinds of writes belong to no service:

    remove       metadata gone, files still there          the files go too
    install      a whole folder about to take its place    it takes it, unless the older one still
    has it

A service has its own kinds, and names them in its `service.py`:

    overwrite    rows cleared, the new ones not written    the old ones come back
    training     version registered, files not written     the version goes
    replace      file removed, the new one not uploaded    the old one comes back
    model        files there, version not registered       the files are put aside
    clear        offline rows gone, online ones not yet    the online ones go too
    exchange     row changed, its folder not yet           the new folder takes its place
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks.metadata import Metadata, unfinished
from local_hopsworks.store import Store

IsAlive = Callable[[str], bool]  # whether a client is
Facts = Mapping[str, Any]  # of one write, as it noted them


@dataclass(frozen=True)
class Write:
    """A kind of write that takes more than one step.

    `settle(db, store, path, facts)` finishes or undoes one that was broken off. Killed in the
    middle, it is called again.
    """

    action: str  # its name in the notes
    settle: Callable[[sa.Connection, Store, Path, Facts], None]
    by_client: bool = False  # whether the next step is the client's, or this server's own


def _settle_removal(db: sa.Connection, store: Store, path: Path, facts: Facts) -> None:
    if inode(path) == facts["inode"]:  # else it is something newer
        store.remove(path)


def _settle_installation(db: sa.Connection, store: Store, path: Path, facts: Facts) -> None:
    if not path.exists() and (draft := store.home / facts["draft"]).exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.rename(draft, path)


REMOVE = Write("remove", _settle_removal)
INSTALL = Write("install", _settle_installation)


class WriteKinds:
    """The kinds of writes above and those of all services."""

    def __init__(self, of_services: Iterable[Write]) -> None:
        self._by_action = {each.action: each for each in (REMOVE, INSTALL, *of_services)}

    def of(self, note: sa.Row[Any]) -> Write:
        """The kind of write that a note is of."""
        return self._by_action[note.action]

    def broken(
        self, db: sa.Connection, store: Store, is_alive: IsAlive | None = None
    ) -> list[sa.Row[Any]]:
        """The notes of writes that were broken off, in the order in which to settle them."""
        known = unfinished.c.action.in_(self._by_action)
        notes = db.execute(unfinished.select().where(known).order_by(unfinished.c.id)).all()
        found = [note for note in notes if is_broken(store, note, self.of(note), is_alive)]
        # files that are whole count as written
        return sorted(found, key=lambda note: note.action != INSTALL.action)

    def settle(self, store: Store, metadata: Metadata, is_alive: IsAlive | None = None) -> None:
        """Finish or undo what was broken off. Killed in the middle, it is done again."""
        with metadata.transaction(write=False) as db:
            if not self.broken(db, store, is_alive):
                return
        with metadata.transaction(write=True) as db:
            for note in self.broken(db, store, is_alive):
                settle(db, store, note, self.of(note))


def begin(
    db: sa.Connection, store: Store, kind: Write, path: Path, client: str = "", **facts: Any
) -> int:
    """Note that a write to `path` is about to begin, in the transaction that makes it necessary."""
    store.register()
    values = {
        "server": store.id,
        "client": client,
        "action": kind.action,
        "path": _inside(store, path),
        "document": facts,
    }
    return int(
        db.execute(unfinished.insert().values(**values).returning(unfinished.c.id)).scalar_one()
    )


def change(db: sa.Connection, note: int, **facts: Any) -> None:
    """Note other facts about a write."""
    db.execute(unfinished.update().where(unfinished.c.id == note).values(document=facts))


def end(db: sa.Connection, store: Store, kind: Write, path: Path) -> None:
    """The write is through; take its notes away, of all servers."""
    db.execute(
        unfinished.delete().where(
            unfinished.c.action == kind.action, unfinished.c.path == _inside(store, path)
        )
    )


def end_one(db: sa.Connection, note: int) -> None:
    """Take a note away."""
    db.execute(unfinished.delete().where(unfinished.c.id == note))


def remove(store: Store, metadata: Metadata, path: Path) -> None:
    """Take away files whose removal was noted, and the note."""
    store.remove(path)
    with metadata.transaction(write=True) as db:
        end(db, store, REMOVE, path)


def finish(store: Store, metadata: Metadata, kind: Write, path: Path) -> None:
    """Do what was noted of a path, in the order of the notes, whichever server noted it."""
    with metadata.transaction(write=False) as db:
        if not of(db, store, kind, path):
            return
    with metadata.transaction(write=True) as db:
        for note in of(db, store, kind, path):
            settle(db, store, note, kind)


def is_broken(
    store: Store, note: sa.Row[Any], kind: Write, is_alive: IsAlive | None = None
) -> bool:
    """Whether a write was broken off: its server, or the client with the next step, is gone."""
    if note.server != store.id:
        return not store.is_alive(note.server)
    return kind.by_client and is_alive is not None and not is_alive(note.client)


def settle(db: sa.Connection, store: Store, note: sa.Row[Any], kind: Write) -> None:
    """Finish or undo the write that a note is of, and take the note away."""
    kind.settle(db, store, store.home / note.path, note.document)
    end_one(db, note.id)


def of(db: sa.Connection, store: Store, kind: Write, path: Path) -> list[sa.Row[Any]]:
    """The notes of a kind of write to a path, of all servers, oldest first."""
    same = unfinished.c.action == kind.action, unfinished.c.path == _inside(store, path)
    return list(db.execute(unfinished.select().where(*same).order_by(unfinished.c.id)))


def claimed(db: sa.Connection, store: Store) -> set[Path]:
    """The paths of all writes that are under way: no fault, or one that is named already."""
    return {store.home / path for path in db.scalars(sa.select(unfinished.c.path))}


def inode(path: Path) -> int | None:
    """Which file or folder it is, whatever is called so later; None if there is none."""
    try:
        return path.stat(follow_symlinks=False).st_ino
    except FileNotFoundError:
        return None


def _inside(store: Store, path: Path) -> str:
    return str(path.relative_to(store.home))
