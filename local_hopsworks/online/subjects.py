"""Avro schemas by subject and version, as a schema registry keeps them.

A feature group's subject is `{name}_{version}`; a version more is registered whenever features are
appended. Every row says which one it was written with, so that rows of a client that does not know
the new features yet are read correctly.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """One version of a schema."""

    id: int
    name: str
    version: int
    schema: str  # JSON


_COLUMNS = "id, name, version, schema"


def register(db: sqlite3.Connection, name: str, schema: str, group_id: int | None) -> Subject:
    """The version of the subject that is this schema; a new one if none is."""
    if (found := find_schema(db, name, schema)) is not None:
        return found
    latest = find(db, name, None)
    version = latest.version + 1 if latest else 1
    statement = "INSERT INTO subjects (name, version, schema, group_id) VALUES (?, ?, ?, ?)"
    identifier = db.execute(statement, (name, version, schema, group_id)).lastrowid
    return Subject(identifier or 0, name, version, schema)


def find(db: sqlite3.Connection, name: str, version: int | None) -> Subject | None:
    """A version of a subject, the latest for None; None if there is none."""
    query = f"SELECT {_COLUMNS} FROM subjects WHERE name = ? AND version = coalesce(?, version)"
    row = db.execute(f"{query} ORDER BY version DESC LIMIT 1", (name, version)).fetchone()
    return Subject(*row) if row else None


def find_schema(db: sqlite3.Connection, name: str, schema: str) -> Subject | None:
    """The latest version of a subject that is this schema; None if there is none."""
    query = f"SELECT {_COLUMNS} FROM subjects WHERE name = ? AND schema = ?"
    row = db.execute(f"{query} ORDER BY version DESC LIMIT 1", (name, schema)).fetchone()
    return Subject(*row) if row else None


def find_id(db: sqlite3.Connection, identifier: int, group_id: int) -> Subject | None:
    """A feature group's schema by its id; None if the group has none such."""
    query = f"SELECT {_COLUMNS} FROM subjects WHERE id = ? AND group_id = ?"
    row = db.execute(query, (identifier, group_id)).fetchone()
    return Subject(*row) if row else None


def versions(db: sqlite3.Connection, name: str) -> list[int]:
    """The versions of a subject, in order."""
    query = "SELECT version FROM subjects WHERE name = ? ORDER BY version"
    return [version for (version,) in db.execute(query, (name,))]


def delete(db: sqlite3.Connection, name: str, version: int) -> bool:
    """Remove a version of a person's own subject; whether there was one."""
    statement = "DELETE FROM subjects WHERE name = ? AND version = ? AND group_id IS NULL"
    return db.execute(statement, (name, version)).rowcount > 0
