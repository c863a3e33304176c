"""How far the rows of an insert have got into the online table: `fg.get_latest_online_ingestion()`.

The SDK announces an insert and how many rows it has; each record names its ingestion. Rows that a
client sends again after a broken connection count again, so what is told is never more than the
insert has.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

_MOST = 100  # that are remembered of a feature group
_COLUMNS = "id, entries, upserted, deleted, ignored, failed"


@dataclass(frozen=True)
class Ingestion:
    """One insert; the rows that have come so far by what became of them."""

    id: int
    entries: int | None  # how many rows the client has announced; None: it did not say
    upserted: int
    deleted: int
    ignored: int  # meant for the offline half alone, or older than the row that is there
    failed: int  # not what RonDB could keep

    @property
    def rows(self) -> int:
        """How many rows have come."""
        return self.upserted + self.deleted + self.ignored + self.failed

    def results(self) -> dict[str, int]:
        """Rows by Hopsworks' name for what became of them, together at most `entries`."""
        counts = {
            "UPSERTED": self.upserted,
            "DELETED": self.deleted,
            "IGNORED": self.ignored,
            "FAILED": self.failed,
        }
        left = self.rows if self.entries is None else self.entries
        results = {}
        for status in ("FAILED", "IGNORED", "DELETED", "UPSERTED"):
            rows = min(counts[status], left)
            left -= rows
            if rows:
                results[status] = rows
        return results


def create(db: sqlite3.Connection, group_id: int, entries: int | None) -> Ingestion:
    """Begin an ingestion; the oldest ones of the group are forgotten."""
    statement = "INSERT INTO ingestions (group_id, entries) VALUES (?, ?)"
    identifier = db.execute(statement, (group_id, entries)).lastrowid or 0
    db.execute(
        """DELETE FROM ingestions WHERE group_id = ? AND id <= (
            SELECT id FROM ingestions WHERE group_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)""",
        (group_id, group_id, _MOST),
    )
    return Ingestion(identifier, entries, 0, 0, 0, 0)


def find(db: sqlite3.Connection, group_id: int, identifier: int) -> Ingestion | None:
    """An ingestion of a group; None if it is forgotten or never was."""
    query = f"SELECT {_COLUMNS} FROM ingestions WHERE group_id = ? AND id = ?"
    row = db.execute(query, (group_id, identifier)).fetchone()
    return Ingestion(*row) if row else None


def latest(db: sqlite3.Connection, group_id: int) -> Ingestion | None:
    """The last ingestion of a group; None if there was none."""
    query = f"SELECT {_COLUMNS} FROM ingestions WHERE group_id = ? ORDER BY id DESC LIMIT 1"
    row = db.execute(query, (group_id,)).fetchone()
    return Ingestion(*row) if row else None


def of_group(db: sqlite3.Connection, group_id: int) -> list[Ingestion]:
    """All ingestions of a group that are remembered, oldest first."""
    query = f"SELECT {_COLUMNS} FROM ingestions WHERE group_id = ? ORDER BY id"
    return [Ingestion(*row) for row in db.execute(query, (group_id,))]


def add(
    db: sqlite3.Connection,
    identifier: int,
    *,
    upserted: int = 0,
    deleted: int = 0,
    ignored: int = 0,
    failed: int = 0,
) -> None:
    """Count rows that have come."""
    db.execute(
        """UPDATE ingestions SET upserted = upserted + ?, deleted = deleted + ?,
            ignored = ignored + ?, failed = failed + ? WHERE id = ?""",
        (upserted, deleted, ignored, failed, identifier),
    )
