"""What the Kafka broker keeps of topics: their partitions, next offsets and record batches.

Rows of feature groups go straight into the online table, and their batches are kept only for the
offline half of stream groups (see materialise.py), until it has them. Batches of a person's own
topics are kept for `RETENTION_DAYS`.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from local_hopsworks.online.record_batch import Batch

RETENTION_DAYS = 7  # Kafka's default
_MOST_PRODUCERS = 1000  # batches back that an idempotent producer is remembered for


@dataclass(frozen=True)
class Topic:
    """A topic by its name."""

    name: str
    partitions: int
    subject: str | None  # of a person's own topic; None for one of feature groups
    subject_version: int | None

    @property
    def is_own(self) -> bool:
        """Whether a person made it, with `KafkaApi.create_topic`."""
        return self.subject is not None


@dataclass(frozen=True)
class KeptBatch:
    """A record batch as it came, and where it is in its partition."""

    first: int
    next: int
    time: int  # ms since 1970, of its last record
    data: bytes


def create(
    db: sqlite3.Connection,
    name: str,
    partitions: int = 1,
    subject: str | None = None,
    subject_version: int | None = None,
) -> None:
    """Make a topic, unless it is there."""
    statement = "INSERT OR IGNORE INTO topics VALUES (?, ?, ?, ?)"
    db.execute(statement, (name, partitions, subject, subject_version))


def find(db: sqlite3.Connection, name: str) -> Topic | None:
    """A topic by its name; None if there is none."""
    row = db.execute("SELECT * FROM topics WHERE name = ?", (name,)).fetchone()
    return Topic(*row) if row else None


def all_topics(db: sqlite3.Connection) -> list[Topic]:
    """All topics, by name."""
    return [Topic(*row) for row in db.execute("SELECT * FROM topics ORDER BY name")]


def delete(db: sqlite3.Connection, name: str) -> None:
    """Remove a topic and what it keeps."""
    for table in ("batches", "offsets", "producers", "committed"):
        db.execute(f"DELETE FROM {table} WHERE topic = ?", (name,))
    db.execute("DELETE FROM topics WHERE name = ?", (name,))


# -------------------------------------------------------------------------------------------------
# offsets and batches


def next_offset(db: sqlite3.Connection, name: str, part: int) -> int:
    """The offset that the next record of a partition gets."""
    query = "SELECT next FROM offsets WHERE topic = ? AND part = ?"
    found = db.execute(query, (name, part)).fetchone()
    return int(found[0]) if found else 0


def first_offset(db: sqlite3.Connection, name: str, part: int) -> int:
    """The offset of the first record that is kept, or the next one if none is."""
    query = "SELECT min(first) FROM batches WHERE topic = ? AND part = ?"
    (found,) = db.execute(query, (name, part)).fetchone()
    return next_offset(db, name, part) if found is None else int(found)


def offset_at(db: sqlite3.Connection, name: str, part: int, moment: int) -> int:
    """The first offset of the first batch that ends at or after a time (ms since 1970), or -1."""
    query = "SELECT min(first) FROM batches WHERE topic = ? AND part = ? AND time >= ?"
    (found,) = db.execute(query, (name, part, moment)).fetchone()
    return -1 if found is None else int(found)


def advance(db: sqlite3.Connection, name: str, part: int, count: int) -> int:
    """Give the next `count` offsets of a partition away; the first of them."""
    first = next_offset(db, name, part)
    statement = """INSERT INTO offsets (topic, part, next) VALUES (?, ?, ?)
        ON CONFLICT (topic, part) DO UPDATE SET next = excluded.next"""
    db.execute(statement, (name, part, first + count))
    return first


def keep(
    db: sqlite3.Connection, name: str, part: int, first: int, batch: Batch, data: bytes
) -> None:
    """Keep a batch whose first record has the offset `first`."""
    values = (name, part, first, first + batch.count, batch.last_time, data)
    db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", values)


def forget_old(db: sqlite3.Connection, name: str) -> None:
    """Remove the batches of a topic that are older than RETENTION_DAYS."""
    oldest = int((time.time() - RETENTION_DAYS * 86_400) * 1000)
    db.execute("DELETE FROM batches WHERE topic = ? AND time < ?", (name, oldest))


def batches(
    db: sqlite3.Connection, name: str, part: int, offset: int, most: int
) -> list[KeptBatch]:
    """The batches of a partition from `offset` on: one, and more while they have `most` bytes."""
    query = """SELECT first, next, time, data FROM batches
        WHERE topic = ? AND part = ? AND next > ? ORDER BY first"""
    found: list[KeptBatch] = []
    size = 0
    for row in db.execute(query, (name, part, offset)):
        batch = KeptBatch(*row)
        size += len(batch.data)
        if found and size > most:
            break
        found.append(batch)
    return found


# -------------------------------------------------------------------------------------------------
# consumer groups


def commit(db: sqlite3.Connection, group: str, name: str, part: int, offset: int) -> None:
    """Keep how far a consumer group has read a partition."""
    statement = "INSERT OR REPLACE INTO committed VALUES (?, ?, ?, ?)"
    db.execute(statement, (group, name, part, offset))


def committed(db: sqlite3.Connection, group: str, name: str, part: int) -> int:
    """How far a consumer group has read a partition; -1 if it has not said so."""
    query = "SELECT offset FROM committed WHERE consumers = ? AND topic = ? AND part = ?"
    found = db.execute(query, (group, name, part)).fetchone()
    return int(found[0]) if found else -1


# -------------------------------------------------------------------------------------------------
# idempotent producers


def last_sequence(
    db: sqlite3.Connection, name: str, part: int, batch: Batch
) -> tuple[int, int] | None:
    """Epoch and last sequence number of a batch's producer; None if it sent nothing yet."""
    query = "SELECT epoch, last FROM producers WHERE id = ? AND topic = ? AND part = ?"
    row = db.execute(query, (batch.producer, name, part)).fetchone()
    return (row[0], row[1]) if row else None


def record_sequence(db: sqlite3.Connection, name: str, part: int, batch: Batch, last: int) -> None:
    """Remember the last sequence number of a batch's producer, and forget the oldest producers."""
    values = (batch.producer, name, part, batch.epoch, last)
    row = db.execute("INSERT OR REPLACE INTO producers VALUES (?, ?, ?, ?, ?)", values).lastrowid
    db.execute("DELETE FROM producers WHERE rowid <= ?", ((row or 0) - _MOST_PRODUCERS,))


# -------------------------------------------------------------------------------------------------
# the offline half of stream groups


def materialised(db: sqlite3.Connection, group_id: int, name: str) -> int:
    """The offset in its topic up to which a stream group's offline table has its rows."""
    query = "SELECT next FROM materialised WHERE group_id = ? AND topic = ?"
    found = db.execute(query, (group_id, name)).fetchone()
    return int(found[0]) if found else 0


def set_materialised(db: sqlite3.Connection, group_id: int, name: str, offset: int) -> None:
    """Note that the offline table has a group's rows up to an offset, and forget the batches that
    every group of the topic has."""
    statement = "INSERT OR REPLACE INTO materialised VALUES (?, ?, ?)"
    db.execute(statement, (group_id, name, offset))
    streams = """SELECT id FROM feature_groups
        WHERE topic = ? AND json_extract(description, '$.stream')"""
    groups = [identifier for (identifier,) in db.execute(streams, (name,))]
    everywhere = min((materialised(db, each, name) for each in groups), default=offset)
    db.execute("DELETE FROM batches WHERE topic = ? AND next <= ?", (name, everywhere))
