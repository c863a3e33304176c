"""The topics of all projects of a store, as its broker sees them.

Every project has a database of its own, and topics have names that differ over all projects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from local_hopsworks.online import record_batch, topics
from local_hopsworks.online.ingest import Appended, Ingest, Produced
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.online.topics import Topic
from local_hopsworks.online.wire import NONE, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION

_LATEST, _EARLIEST = -1, -2  # Kafka's times for the end and the beginning of a partition


@dataclass(frozen=True)
class Fetched:
    """Records of a partition from some offset on, as they came."""

    error: int
    end: int = -1  # the offset of the next record that comes
    records: bytes = b""


class Brokered:
    """The online stores in `folder`; one that appears is opened when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stores: dict[Path, OnlineStore] = {}
        self._ingests: dict[Path, Ingest] = {}

    def topics(self) -> dict[str, Topic]:
        """All topics by name."""
        found = {}
        for store in self._opened().values():
            with store.transaction(write=False) as db:
                found.update({topic.name: topic for topic in topics.all_topics(db)})
        return found

    def produce(self, parts: list[Produced]) -> list[Appended]:
        """Apply the record batches of a request. Raises sqlite3.Error; see Ingest.produce."""
        answers = dict.fromkeys(range(len(parts)), Appended(UNKNOWN_TOPIC_OR_PARTITION))
        by_store: dict[Path, list[int]] = {}
        for position, part in enumerate(parts):
            file = self._file_of(part.topic)
            if file is not None:
                by_store.setdefault(file, []).append(position)
        for file, positions in by_store.items():
            appended = self._ingest(file).produce([parts[position] for position in positions])
            answers.update(zip(positions, appended, strict=True))
        return list(answers.values())

    def offset(self, name: str, part: int, moment: int) -> int | None:
        """The offset of a partition at a time (ms since 1970; -1: its end, -2: its beginning).

        -1 if nothing is as late as that; None if there is no such partition.
        """
        file = self._file_of(name)
        if file is None:
            return None
        with self._stores[file].transaction(write=False) as db:
            topic = topics.find(db, name)
            if topic is None or not 0 <= part < topic.partitions:
                return None
            if moment == _LATEST:
                return topics.next_offset(db, name, part)
            if moment == _EARLIEST:
                return topics.first_offset(db, name, part)
            return topics.offset_at(db, name, part, moment)

    def fetch(self, name: str, part: int, offset: int, own_most: int, most: int) -> Fetched:
        """The batches of a partition from `offset` on: one, and more while they are small."""
        file = self._file_of(name)
        if file is None:
            return Fetched(UNKNOWN_TOPIC_OR_PARTITION)
        with self._stores[file].transaction(write=False) as db:
            topic = topics.find(db, name)
            if topic is None or not 0 <= part < topic.partitions:
                return Fetched(UNKNOWN_TOPIC_OR_PARTITION)
            end = topics.next_offset(db, name, part)
            if not topics.first_offset(db, name, part) <= offset <= end:
                return Fetched(OFFSET_OUT_OF_RANGE, end)
            found = topics.batches(db, name, part, offset, min(own_most, most))
        records = b"".join(record_batch.at_offset(each.data, each.first) for each in found)
        return Fetched(NONE, end, records)

    def commit(self, group: str, name: str, part: int, offset: int) -> bool:
        """Keep how far a consumer group has read; whether there is such a topic."""
        file = self._file_of(name)
        if file is None:
            return False
        with self._stores[file].transaction(write=True) as db:
            topics.commit(db, group, name, part, offset)
        return True

    def committed(self, group: str, name: str, part: int) -> int:
        """How far a consumer group has read a partition; -1 if it has not said so."""
        file = self._file_of(name)
        if file is None:
            return -1
        with self._stores[file].transaction(write=False) as db:
            return topics.committed(db, group, name, part)

    def _opened(self) -> dict[Path, OnlineStore]:
        for file in sorted(self._folder.glob("*.db")):
            if file not in self._stores:
                self._stores[file] = OnlineStore(file)
        return self._stores

    def _file_of(self, topic: str) -> Path | None:
        for file, store in self._opened().items():
            with store.transaction(write=False) as db:
                if topics.find(db, topic) is not None:
                    return file
        return None

    def _ingest(self, file: Path) -> Ingest:
        if file not in self._ingests:
            self._ingests[file] = Ingest(self._stores[file])
        return self._ingests[file]
