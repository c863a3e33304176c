"""What becomes of the record batches that clients produce: rows in online tables, or kept batches.

All batches of a request are applied in one transaction, so an acknowledged record is on disk.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import OrderedDict
from dataclasses import dataclass

from local_hopsworks.online import ingestions, online_table, record_batch, subjects, topics
from local_hopsworks.online.avro import BadRow, RowReader
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.record_batch import BadBatch, Batch, Run
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.online.topics import Topic
from local_hopsworks.online.wire import (
    INVALID_RECORD,
    NONE,
    OUT_OF_ORDER_SEQUENCE,
    UNKNOWN_PRODUCER_ID,
    UNKNOWN_TOPIC_OR_PARTITION,
)

_SEQUENCES = 2**31  # sequence numbers begin again after this many
_MOST_READERS = 200  # compiled schemas that are kept
# The SDK's words for the destination of a record; clients before 5.0 wrote 0 for offline
_OFFLINE, _ONLINE = (b"offline", b"0"), (b"online",)


@dataclass(frozen=True)
class Produced:
    """The records for one partition in a produce request."""

    topic: str
    part: int
    data: bytes


@dataclass(frozen=True)
class Appended:
    """What the client is told of them: Kafka's error code, or the offset of the first."""

    error: int
    offset: int = -1


class Ingest:
    """Applies record batches to one online store."""

    def __init__(self, store: OnlineStore) -> None:
        self._store = store
        self._readers: OrderedDict[tuple[Table, str], RowReader] = OrderedDict()

    def produce(self, parts: list[Produced]) -> list[Appended]:
        """Apply the batches; what has no error is on disk when this returns.

        Raises sqlite3.Error (busy, disk full): then nothing was kept.
        """
        answers = []
        with self._store.transaction(write=True) as db:
            for part in parts:
                db.execute("SAVEPOINT part")
                try:
                    answers.append(Appended(NONE, self._apply(db, part)))
                except BadBatch as error:
                    db.execute("ROLLBACK TO part")
                    answers.append(Appended(error.code))
                    _tell(f"Records for the topic {part.topic} were refused: {error}")
                db.execute("RELEASE part")
        return answers

    def _apply(self, db: sqlite3.Connection, part: Produced) -> int:
        topic = topics.find(db, part.topic)
        if topic is None or not 0 <= part.part < topic.partitions:
            raise BadBatch(UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic or partition.")
        batch = record_batch.read(part.data)
        if batch.producer >= 0 and not _is_next(db, part, batch):
            return topics.next_offset(db, topic.name, part.part) - batch.count  # it is here already
        must_keep = topic.is_own
        if not topic.is_own:
            for run in batch.runs:
                must_keep |= self._apply_run(db, topic, run)
        first = topics.advance(db, topic.name, part.part, batch.count)
        if must_keep:
            topics.keep(db, topic.name, part.part, first, batch, part.data)
        if topic.is_own:
            topics.forget_old(db, topic.name)
        return first

    def _apply_run(self, db: sqlite3.Connection, topic: Topic, run: Run) -> bool:
        """Whether the records are for the offline table as well."""
        table = self._store.find_with_topic(db, _number(run, "featureGroupId"))
        if table is None or table.topic != topic.name:
            message = "they name no feature group of this topic."
            raise BadBatch(INVALID_RECORD, message)
        destination = run.headers.get("storage")
        if table.online:
            counts = _Counts(ignored=len(run.values))
            if destination not in _OFFLINE:
                counts = self._write(db, table, run)
            if "onlineIngestionId" in run.headers:
                counts.add_to(db, _number(run, "onlineIngestionId"))
        is_delete = run.headers.get("operation") == b"delete"  # the client has done it offline
        return table.stream and destination not in _ONLINE and not is_delete

    def _write(self, db: sqlite3.Connection, table: Table, run: Run) -> _Counts:
        reader = self._reader(db, table, run)
        try:
            return _written(db, table, reader, run, run.values)
        except (BadRow, sqlite3.DataError, sqlite3.IntegrityError, OverflowError):
            pass  # one row is to blame, or some: each by itself
        counts = _Counts()
        reasons = []
        for value in run.values:
            try:
                counts += _written(db, table, reader, run, [value])
            except (BadRow, sqlite3.DataError, sqlite3.IntegrityError, OverflowError) as error:
                counts += _Counts(failed=1)
                reasons.append(str(error).removeprefix("CHECK constraint failed: "))
        rows = "1 row" if len(reasons) == 1 else f"{len(reasons)} rows"
        group = f"feature group {table.name} version {table.version}"
        _tell(f"{rows} of {group} cannot be kept online: {reasons[0]}.")
        return counts

    def _reader(self, db: sqlite3.Connection, table: Table, run: Run) -> RowReader:
        subject = subjects.find_id(db, _number(run, "subjectId"), table.group_id)
        if subject is None:
            raise BadBatch(INVALID_RECORD, "they name no schema of their feature group.")
        key = (table, subject.schema)
        if key not in self._readers:
            self._readers[key] = RowReader(table, subject.schema)
            if len(self._readers) > _MOST_READERS:
                self._readers.popitem(last=False)
        return self._readers[key]


@dataclass(frozen=True)
class _Counts:
    """Rows by what became of them."""

    upserted: int = 0
    deleted: int = 0
    ignored: int = 0
    failed: int = 0

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(
            self.upserted + other.upserted,
            self.deleted + other.deleted,
            self.ignored + other.ignored,
            self.failed + other.failed,
        )

    def add_to(self, db: sqlite3.Connection, ingestion: int) -> None:
        ingestions.add(
            db,
            ingestion,
            upserted=self.upserted,
            deleted=self.deleted,
            ignored=self.ignored,
            failed=self.failed,
        )


def _written(
    db: sqlite3.Connection, table: Table, reader: RowReader, run: Run, values: list[bytes]
) -> _Counts:
    """Write rows all together or not at all."""
    if run.headers.get("operation") == b"delete":
        online_table.delete(db, table, reader.keys(values))
        return _Counts(deleted=len(values))
    if_newer = run.headers.get("upsertIfNewer") == b"1"
    rows = reader.rows(values)
    db.execute("SAVEPOINT rows")
    try:
        written = online_table.upsert(db, table, rows, reader.names, if_newer=if_newer)
    except BaseException:
        db.execute("ROLLBACK TO rows")
        raise
    finally:
        db.execute("RELEASE rows")
    if not if_newer:
        return _Counts(upserted=len(rows))
    return _Counts(upserted=written, ignored=len(rows) - written)


def _is_next(db: sqlite3.Connection, part: Produced, batch: Batch) -> bool:
    """Whether an idempotent producer's batch is new; BadBatch where one before it is missing."""
    last = (batch.sequence + batch.count - 1) % _SEQUENCES
    found = topics.last_sequence(db, part.topic, part.part, batch)
    if found is not None and found[0] == batch.epoch:
        expected = (found[1] + 1) % _SEQUENCES
        if batch.sequence != expected:
            if (found[1] - last) % _SEQUENCES < _SEQUENCES // 2:
                return False
            raise BadBatch(OUT_OF_ORDER_SEQUENCE, "a batch before this one is missing.")
    elif batch.sequence:
        code = UNKNOWN_PRODUCER_ID if found is None else OUT_OF_ORDER_SEQUENCE
        raise BadBatch(code, "the batches before this one are not known.")
    topics.record_sequence(db, part.topic, part.part, batch, last)
    return True


def _number(run: Run, name: str) -> int:
    """A header that is a number."""
    text = run.headers.get(name, b"")
    if not text.isdigit() or len(text) > 18:
        raise BadBatch(INVALID_RECORD, f"they have no header {name} with a number.")
    return int(text)


def _tell(sentence: str) -> None:
    """To the person who runs the server: clients see an error code at most."""
    print(sentence, file=sys.stderr, flush=True)
