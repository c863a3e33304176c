"""Writes into online feature groups that may have stopped between the offline and the online half.

The SDK asks for the expectation suite, writes the offline table and tells of the commit; then it
announces an ingestion and sends the rows to Kafka. A client that is killed in between leaves rows
offline that are not online. So a write is noted when it begins and when it is announced, and
forgotten when the same client has gone on, or its rows have all come. `local_hopsworks check`
compares the two halves of a feature group with a write that was broken off.

`remove_rows` asks for nothing before it takes rows out of the offline table. So it is known which
version of that table clients have told of last: a removal in a later one was broken off before its
client could tell.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

_COMPLETE = """SELECT id FROM ingestions
    WHERE entries IS NULL OR upserted + deleted + ignored + failed >= entries"""


def begun(db: sqlite3.Connection, group_id: int, server: str, client: str) -> None:
    """A client is about to write the offline half, or has; the online one may follow."""
    _forget(db, group_id, client)
    db.execute(
        "UPDATE offline_versions SET removes = 0 WHERE group_id = ? AND client = ?",
        (group_id, client),
    )
    _note(db, group_id, server, client, None)


def note_version(
    db: sqlite3.Connection, group_id: int, client: str, version: int, *, removes: bool
) -> None:
    """A client has told that it wrote this version of the offline table. `removes`: it took rows
    out of it, which are still online."""
    writing = "SELECT client FROM writes WHERE group_id = ?"
    older = f"client = ? OR NOT removes OR client NOT IN ({writing})"
    statement = f"DELETE FROM offline_versions WHERE group_id = ? AND ({older})"
    db.execute(statement, (group_id, client, group_id))
    statement = """INSERT INTO offline_versions (group_id, client, version, removes)
        VALUES (?, ?, ?, ?)"""
    db.execute(statement, (group_id, client, version, removes))


def last_version(db: sqlite3.Connection, group_id: int) -> int:
    """The version of its offline table that a client has told of last; -1 if none has."""
    query = "SELECT version FROM offline_versions WHERE group_id = ? ORDER BY id DESC LIMIT 1"
    found = db.execute(query, (group_id,)).fetchone()
    return int(found[0]) if found else -1


def forget_versions(db: sqlite3.Connection, group_id: int) -> None:
    """The offline table of a feature group is another one from now on."""
    db.execute("DELETE FROM offline_versions WHERE group_id = ?", (group_id,))


def announced(
    db: sqlite3.Connection, group_id: int, server: str, client: str, ingestion: int
) -> None:
    """A client is about to send the rows of the online half."""
    _forget(db, group_id, client)
    _note(db, group_id, server, client, ingestion)


def abandon(db: sqlite3.Connection, server: str, is_alive: Callable[[str], bool]) -> None:
    """Note which clients of a server have gone."""
    query = "SELECT DISTINCT client FROM writes WHERE server = ?"
    for (client,) in db.execute(query, (server,)).fetchall():
        if not is_alive(client):
            db.execute("UPDATE writes SET server = NULL WHERE client = ?", (client,))


def in_doubt(db: sqlite3.Connection, is_server_alive: Callable[[str], bool]) -> set[int]:
    """The feature groups with a write that was broken off before it was complete."""
    query = f"""SELECT group_id, server FROM writes
        WHERE ingestion IS NULL OR ingestion NOT IN ({_COMPLETE})"""
    return {
        group_id
        for group_id, server in db.execute(query).fetchall()
        if server is None or not is_server_alive(server)
    }


def broken_removals(
    db: sqlite3.Connection, group_id: int, is_server_alive: Callable[[str], bool]
) -> set[int]:
    """The versions of its offline table in which rows were removed that may still be online,
    because the removal was broken off."""
    query = f"""SELECT version, server FROM offline_versions JOIN writes USING (group_id, client)
        WHERE group_id = ? AND removes
        AND (ingestion IS NULL OR ingestion NOT IN ({_COMPLETE}))"""
    return {
        version
        for version, server in db.execute(query, (group_id,)).fetchall()
        if server is None or not is_server_alive(server)
    }


def settled(db: sqlite3.Connection, group_id: int) -> None:
    """The halves of a feature group agree."""
    db.execute("DELETE FROM writes WHERE group_id = ?", (group_id,))
    db.execute("UPDATE offline_versions SET removes = 0 WHERE group_id = ?", (group_id,))


def _forget(db: sqlite3.Connection, group_id: int, client: str) -> None:
    over = f"client = ? OR ingestion IN ({_COMPLETE})"
    db.execute(f"DELETE FROM writes WHERE group_id = ? AND ({over})", (group_id, client))


def _note(
    db: sqlite3.Connection, group_id: int, server: str, client: str, ingestion: int | None
) -> None:
    statement = "INSERT INTO writes (group_id, server, client, ingestion) VALUES (?, ?, ?, ?)"
    db.execute(statement, (group_id, server, client, ingestion))
