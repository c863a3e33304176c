"""Writes into online feature groups that may have stopped between the offline and the online half.

The SDK asks for the expectation suite, writes the offline table and tells of the commit; then it
announces an ingestion and sends the rows to Kafka. A client that is killed in between leaves rows
offline that are not online. So a write is noted when it begins and when it is announced, and
forgotten when the same client has gone on, or its rows have all come. `local_hopsworks check`
compares the two halves of a feature group with a write that was broken off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

_COMPLETE = """SELECT id FROM ingestions
    WHERE entries IS NULL OR upserted + deleted + ignored + failed >= entries"""


def begun(db: sqlite3.Connection, group_id: int, server: str, client: str) -> None:
    """A client is about to write the offline half, or has; the online one may follow."""
    _forget(db, group_id, client)
    _note(db, group_id, server, client, None)


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


def settled(db: sqlite3.Connection, group_id: int) -> None:
    """The halves of a feature group agree."""
    db.execute("DELETE FROM writes WHERE group_id = ?", (group_id,))


def _forget(db: sqlite3.Connection, group_id: int, client: str) -> None:
    over = f"client = ? OR ingestion IN ({_COMPLETE})"
    db.execute(f"DELETE FROM writes WHERE group_id = ? AND ({over})", (group_id, client))


def _note(
    db: sqlite3.Connection, group_id: int, server: str, client: str, ingestion: int | None
) -> None:
    statement = "INSERT INTO writes (group_id, server, client, ingestion) VALUES (?, ?, ?, ?)"
    db.execute(statement, (group_id, server, client, ingestion))
