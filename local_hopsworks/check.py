"""Is a store as it should be? Every fault in a sentence, and what can be done about it:
`local_hopsworks check`.

Looks from the outside in: the format, the keys, the database, and then whether every row has its
files and every file its row. Servers may run meanwhile: what a living one has under way is no
fault, and a fault must be there twice. Repair wants the store alone, and deletes nothing of a
user's: what is in doubt is moved into the folder `aside/` of the store.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path

from local_hopsworks import disk
from local_hopsworks.faults import Fault
from local_hopsworks.home import StoreError, written_format
from local_hopsworks.http.services import discovered, kinds_of_writes
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import FORMATS, Store, private_paths


def check(home: Path, *, repair: bool = False) -> tuple[list[str], list[Fault]]:
    """What was repaired in the store in `home`, in sentences, and the faults that are there."""
    with _Opened(home) as opened:
        faults = _found_twice(opened)
    if not repair or all(fault.repair is None for fault in faults):
        return [], faults
    try:
        # A server that writes while something is moved or undone would lose what it writes
        with _Opened(home, alone=True) as opened:
            repaired = [sentence for fault in _looked(opened) for sentence in _repaired(fault)]
    except StoreError as error:
        return [], [*faults, Fault(str(error), "Nothing was repaired.")]
    with _Opened(home) as opened:
        return repaired, _found_twice(opened)


class _Opened(contextlib.ExitStack):
    """A store that is opened when it is first asked for, and closed at the end."""

    def __init__(self, home: Path, *, alone: bool = False) -> None:
        super().__init__()
        self.home, self._alone = home, alone

    @cached_property
    def store(self) -> Store:
        store = Store(self.home, alone=self._alone)
        self.callback(store.close)
        return store

    @cached_property
    def metadata(self) -> Metadata:
        metadata = Metadata(self.store.metadata_file)
        self.callback(metadata.close)
        return metadata


def _repaired(fault: Fault) -> Iterator[str]:
    """What was done, in a sentence; nothing if it could not be done, and then it is found again."""
    if fault.repair is not None:
        with contextlib.suppress(OSError):
            moved = fault.repair()
            done = f"It is now {moved}." if isinstance(moved, Path) else f"Done: {fault.remedy}"
            yield f"{fault.what} {done}"


def _found_twice(opened: _Opened) -> list[Fault]:
    """The faults that are no moment in the middle of something."""
    first = {fault.what for fault in _faults(opened)}
    return [fault for fault in _faults(opened) if fault.what in first] if first else []


def _faults(opened: _Opened) -> list[Fault]:
    try:
        return _looked(opened)
    except StoreError as error:
        return [Fault(str(error), "Nothing further was checked.")]


def _looked(opened: _Opened) -> list[Fault]:
    home = opened.home
    found = list(_format(home))
    if found:
        return found
    found += [*_permissions(home), *_database(home / "metadata.db")]
    if any(fault.repair is None for fault in found) or not (home / "metadata.db").exists():
        return found  # nothing further in can be judged
    found += _broken_off(opened.store, opened.metadata)
    for service in discovered():
        if service.check is not None:
            found += service.check(opened.store, opened.metadata)
    return found


# --------------------------------------------------------------------------------------------------
# outside in


def _format(home: Path) -> Iterator[Fault]:
    text = written_format(home)
    if text is None:
        yield Fault(
            f"{home} is not a store: it has no file named format.", "Name the store with --home."
        )
        return
    if text in FORMATS[:-1]:
        what = (
            f"The store {home} has format {text}, and this version of local_hopsworks writes "
            f"format {FORMATS[-1]}."
        )
        yield Fault(
            what, "it is migrated, as by any program that uses it.", lambda: Store(home).close()
        )
    elif text not in FORMATS:
        what = (
            f"The store {home} has format {text[:20]!r}; this version of local_hopsworks reads "
            f"format {FORMATS[-1]}."
        )
        yield Fault(what, "Use the version that wrote it.")


def _permissions(home: Path) -> Iterator[Fault]:
    for path, mode in disk.open_to_others(private_paths(home)):
        holds_keys = " holds keys and" if (home / "security") in (path, *path.parents) else ""
        allowed = disk.FOLDER_MODE if path.is_dir() else disk.FILE_MODE
        what = f"{path}{holds_keys} is open to other users (mode {mode:04o})."
        yield Fault(what, f"its mode becomes {allowed:04o}.", partial(disk.close_to_others, path))


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
            "Put back a copy; the rows of the feature groups, models and files beside it "
            "are untouched.",
        )


# -------------------------------------------------------------------------------------------------
# broken off writes


def _broken_off(store: Store, metadata: Metadata) -> Iterator[Fault]:
    writes = kinds_of_writes(discovered())
    with metadata.transaction(write=False) as db:
        notes = writes.broken(db, store)
    for note in notes:
        who = "A program stopped" if writes.of(note).by_client else "A server was killed"
        what = f"{who} in the middle of this write: {note.action} {note.path}."
        yield Fault(what, "it is finished or undone.", partial(writes.settle, store, metadata))
    for folder in store.dead_servers():
        drafts = sum(1 for file in folder.rglob("*") if file.is_file() and file.name != "lock")
        if drafts:
            what = (
                f"{folder} has {drafts} draft{'' if drafts == 1 else 's'} of a server that was "
                "killed."
            )
            yield Fault(
                what, "they are deleted; nothing refers to them.", partial(store.sweep, folder)
            )
