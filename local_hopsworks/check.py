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
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from local_hopsworks import unfinished
from local_hopsworks.faults import Fault
from local_hopsworks.http.services import discovered
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import FORMATS, Store, StoreError

YOUNG_SECONDS = 3600  # what nobody claims, but was changed less than this ago, may be under way


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
        found += _broken_off(store, kept)
        for service in discovered():
            if service.check is not None:
                found += service.check(store, kept)
        return found
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
    for note in notes:
        what = f"A server was killed in the middle of this write: {note.action} {note.path}."
        yield Fault(what, "it is finished or undone.", partial(unfinished.settle, store, kept))
    for folder in store.dead_servers():
        drafts = sum(1 for file in folder.rglob("*") if file.is_file() and file.name != "lock")
        if drafts:
            what = f"{folder} has {drafts} draft{'' if drafts == 1 else 's'} of a server that was killed."
            yield Fault(
                what, "they are deleted; nothing refers to them.", partial(store.sweep, folder)
            )
