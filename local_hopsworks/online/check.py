"""What `local_hopsworks check` looks at in the online store: databases, tables, and whether the two
halves of a feature group agree where a write was broken off."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError
from local_hopsworks.faults import Fault
from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.home import StoreError
from local_hopsworks.metadata import Metadata
from local_hopsworks.offline import delta_log, history
from local_hopsworks.online import halves, materialise, online_table, writes
from local_hopsworks.online.feature_groups import has_topic, table_in
from local_hopsworks.online.halves import Difference
from local_hopsworks.online.materialise import Target
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The faults of the online store of each project."""
    joined = feature_groups.join(projects)
    query = sa.select(feature_groups, projects.c.name.label("project")).select_from(joined)
    with metadata.transaction(write=False) as db:
        groups = [row for row in db.execute(query) if has_topic(row.document)]
        names = db.scalars(sa.select(projects.c.name)).all()
    for name in names:
        own = [row for row in groups if row.project == name]
        file = store.online(name)
        if own or file.exists():
            yield from _of_project(store, file, own)


def _of_project(store: Store, file: Path, groups: list[sa.Row[Any]]) -> Iterator[Fault]:
    problem = _damage(file)
    if problem:
        what = f"The online store {file} is damaged: {problem}."
        remedy = "it is moved aside, and filled anew from the offline tables."
        yield Fault(what, remedy, partial(_rebuild, store, file, groups))
        return
    with contextlib.closing(OnlineStore(file)) as online:
        with online.transaction(write=False) as db:
            tables = {table.group_id: table for table in online.all(db)}
            lost = {
                group_id
                for group_id, table in tables.items()
                if table.online and not online_table.is_there(db, table)
            }
        for row in groups:
            if row.id not in tables or row.id in lost:
                what = f"{_name(row)} has lost its online table."
                remedy = "it is made anew, and filled from the offline table."
                yield Fault(what, remedy, partial(_remake, store, file, row))
            elif tables[row.id].online:
                yield from _halves(store, online, tables[row.id], row)
        for group_id in sorted(set(tables) - {row.id for row in groups}):
            what = f"{file} has the table {tables[group_id].sql_name} of no feature group."
            yield Fault(what, "it is removed.", partial(_drop, file, group_id))


def _damage(file: Path) -> str | None:
    """What SQLite finds wrong with the file; None if it is in order or not there."""
    if not file.exists():
        return None
    try:
        address = file.as_uri() + "?mode=rw"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as db:
            (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if verdict == "ok" else " ".join(str(verdict).split())


def _halves(store: Store, online: OnlineStore, table: Table, row: sa.Row[Any]) -> Iterator[Fault]:
    doubtful, removals = _in_doubt(store, online, table), _removals(store, online, table, row)
    if doubtful and table.stream and materialise.is_due(online, table):
        what = f"{_name(row)} has rows in its topic that its offline table lacks."
        target = Target(_folder(store, row), row.id, _partition_key(row))
        yield Fault(what, "they are brought there.", partial(_materialise, online.file, target))
    elif (doubtful or removals) and not any(delta_log.problems(_folder(store, row))):
        found = halves.difference(online, table, _folder(store, row), removals)
        yield from _differences(found, row, partial(_mend, store, online.file, row), doubtful)


def _differences(
    found: Difference, row: sa.Row[Any], repair: Callable[[], None], doubtful: bool
) -> Iterator[Fault]:
    if found.removed:
        keys, are = _counted(len(found.removed))
        what = f"A removal from {_name(row)} was broken off: {keys} {are} gone offline, and still"
        yield Fault(f"{what} online.", "they are removed online.", repair)
    if found.lacking and doubtful:
        keys, are = _counted(found.lacking)
        what = f"A write into {_name(row)} was broken off: {keys} of its offline table"
        what += f" {are} missing online, or in an earlier state."
        yield Fault(what, "they are written online.", repair)
    elif found.alone and doubtful:
        keys, are = _counted(found.alone)
        what = f"A write into {_name(row)} was broken off: {keys} of its online table"
        what += f" {are} not offline."
        yield Fault(what, "Remove them with remove_rows(keys, storage='online'), or leave them.")


def _in_doubt(store: Store, online: OnlineStore, table: Table) -> bool:
    with online.transaction(write=False) as db:
        return table.group_id in writes.in_doubt(db, store.is_alive)


def _counted(keys: int) -> tuple[str, str]:
    return ("1 key", "is") if keys == 1 else (f"{keys} keys", "are")


def _removals(store: Store, online: OnlineStore, table: Table, row: sa.Row[Any]) -> set[int]:
    """The versions of the offline table in which rows were removed that may still be online. While
    a server lives, a removal that its client has not told of yet may be under way."""
    with online.transaction(write=False) as db:
        found = writes.broken_removals(db, table.group_id, store.is_alive)
        known = writes.last_version(db, table.group_id)
    if not store.has_other_servers():
        with contextlib.suppress(HopsworksError):  # a damaged table, which is named elsewhere
            found.update(history.removals(_folder(store, row), known))
    return found


def _name(row: sa.Row[Any]) -> str:
    return f"Feature group {row.name} version {row.version}"


def _folder(store: Store, row: sa.Row[Any]) -> Path:
    return store.feature_group(row.project, row.name, row.version, row.id)


def _partition_key(row: sa.Row[Any]) -> list[str]:
    return [each["name"] for each in row.document["features"] if each.get("partition")]


# -------------------------------------------------------------------------------------------------
# repairs


def _mend(store: Store, file: Path, row: sa.Row[Any]) -> None:
    with contextlib.closing(OnlineStore(file)) as online:
        with online.transaction(write=False) as db:
            table = online.find(db, row.id)
        if table is not None:
            removals = _removals(store, online, table, row)
            doubtful = _in_doubt(store, online, table)
            halves.mend(online, table, _folder(store, row), removals, refills=doubtful)


def _refill(store: Store, file: Path, row: sa.Row[Any]) -> None:
    with contextlib.closing(OnlineStore(file)) as online:
        with online.transaction(write=False) as db:
            table = online.find(db, row.id)
        if table is not None:
            halves.refill(online, table, _folder(store, row))


def _remake(store: Store, file: Path, row: sa.Row[Any]) -> None:
    group = {**row.document, "id": row.id, "name": row.name, "version": row.version}
    with contextlib.closing(OnlineStore(file)) as online, online.transaction(write=True) as db:
        online.create(db, table_in(row.parent_id, group))
    _refill(store, file, row)


def _rebuild(store: Store, file: Path, groups: list[sa.Row[Any]]) -> Path | None:
    aside = store.put_aside(file)
    for journal in ("-wal", "-shm"):  # of the damaged database, and of no use to the new one
        store.remove(file.with_name(file.name + journal))
    for row in groups:
        with contextlib.suppress(StoreError):
            _remake(store, file, row)
    return aside


def _drop(file: Path, group_id: int) -> None:
    with contextlib.closing(OnlineStore(file)) as online, online.transaction(write=True) as db:
        online.drop(db, group_id)


def _materialise(file: Path, target: Target) -> None:
    with contextlib.closing(OnlineStore(file)) as online:
        with online.transaction(write=False) as db:
            table = online.find_with_topic(db, target.group_id)
        if table is not None:
            materialise.materialise(online, table, target)
