"""The online store of one project: a SQLite file in WAL mode, `.hopsworks/online/{project}.db`.

Every server of the store, its Kafka endpoint (a process of its own) and `local_hopsworks check`
open the same file. A reader never waits for a writer; writers wait for each other.

    store = OnlineStore(file)
    with store.transaction(write=False) as db:          # one state of all tables
        table = store.find(db, group_id)                # None: the group is not online
        rows = online_table.look_up(db, table, ["id", "price"], [(1,), (2,)])

Connections are kept and given to one thread at a time; `close` closes them. A commit is on disk
when it returns (`synchronous=FULL`), for what the endpoint has acknowledged must survive.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from local_hopsworks import disk
from local_hopsworks.home import StoreError
from local_hopsworks.online import online_table, subjects, topics, writes
from local_hopsworks.online.online_table import Table
from local_hopsworks.sqlite import BUSY_SECONDS, use_write_ahead_log

if TYPE_CHECKING:
    from local_hopsworks.http.hopsworks import Hopsworks

_MOST_TABLES = 500  # descriptions that are kept in memory
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS feature_groups (
        id INTEGER PRIMARY KEY,  -- as in the metadata
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        description TEXT NOT NULL  -- see online_table.to_json
    )""",
    "CREATE INDEX IF NOT EXISTS feature_groups_by_name ON feature_groups (name, version)",
    "CREATE INDEX IF NOT EXISTS feature_groups_by_topic ON feature_groups (topic)",
    # The Avro schemas that rows come in; see subjects.py
    """CREATE TABLE IF NOT EXISTS subjects (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        schema TEXT NOT NULL,
        group_id INTEGER,  -- NULL for a person's own
        UNIQUE (name, version)
    )""",
    # How far the rows of an insert have got; see ingestions.py
    """CREATE TABLE IF NOT EXISTS ingestions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        group_id INTEGER NOT NULL,
        entries INTEGER,
        upserted INTEGER NOT NULL DEFAULT 0,
        deleted INTEGER NOT NULL DEFAULT 0,
        ignored INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS ingestions_by_group ON ingestions (group_id, id)",
    # Writes whose online half may be missing; see writes.py
    """CREATE TABLE IF NOT EXISTS writes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        group_id INTEGER NOT NULL,
        server TEXT,  -- NULL: the client has gone
        client TEXT NOT NULL,
        ingestion INTEGER  -- NULL: none was announced yet
    )""",
    "CREATE INDEX IF NOT EXISTS writes_by_group ON writes (group_id)",
    # Up to which version of their offline tables clients have told of their writes; see writes.py
    """CREATE TABLE IF NOT EXISTS offline_versions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        group_id INTEGER NOT NULL,
        client TEXT NOT NULL,
        version INTEGER NOT NULL,
        removes INTEGER NOT NULL  -- whether the version lacks rows that may still be online
    )""",
    "CREATE INDEX IF NOT EXISTS offline_versions_by_group ON offline_versions (group_id)",
    # What a Kafka broker keeps; see topics.py
    """CREATE TABLE IF NOT EXISTS topics (
        name TEXT PRIMARY KEY,
        partitions INTEGER NOT NULL,
        subject TEXT,  -- of a person's own topic; NULL for one of feature groups
        subject_version INTEGER
    )""",
    """CREATE TABLE IF NOT EXISTS offsets (
        topic TEXT,
        part INTEGER,
        next INTEGER NOT NULL,
        PRIMARY KEY (topic, part)
    )""",
    """CREATE TABLE IF NOT EXISTS batches (
        topic TEXT,
        part INTEGER,
        first INTEGER,
        next INTEGER NOT NULL,
        time INTEGER NOT NULL,  -- ms since 1970
        data BLOB NOT NULL,
        PRIMARY KEY (topic, part, first)
    )""",
    """CREATE TABLE IF NOT EXISTS committed (
        consumers TEXT,  -- the name of their group
        topic TEXT,
        part INTEGER,
        offset INTEGER NOT NULL,
        PRIMARY KEY (consumers, topic, part)
    )""",
    # Up to which offset the offline table of a stream group has its rows; see materialise.py
    """CREATE TABLE IF NOT EXISTS materialised (
        group_id INTEGER PRIMARY KEY,
        topic TEXT NOT NULL,
        next INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS producers (
        id INTEGER,
        topic TEXT,
        part INTEGER,
        epoch INTEGER NOT NULL,
        last INTEGER NOT NULL,  -- sequence number
        PRIMARY KEY (id, topic, part)
    )""",
)
_NAMES = {re.findall(r"EXISTS (\w+)", statement)[0] for statement in _SCHEMA}


class OnlineStores:
    """The online stores of one server, by project: `call.hopsworks.part(OnlineStores)`."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._store = hopsworks.store
        self._opened: dict[str, OnlineStore] = {}
        self._lock = threading.Lock()

    def of(self, project: str) -> OnlineStore:
        """The online store of a project, made if it is missing."""
        with self._lock:
            if project not in self._opened:
                self._opened[project] = OnlineStore(self._store.online(project))
            return self._opened[project]

    def stop(self) -> None:
        """Close them; the server calls this when it stops."""
        with self._lock:
            for store in self._opened.values():
                store.close()
            self._opened.clear()


class OnlineStore:
    """The database in `file`; made if it is missing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._tables: dict[tuple[int, str], Table] = {}
        try:
            disk.make_folder(file.parent)
            disk.make_file(file)  # SQLite would leave its mode to the umask
            with self.transaction(write=False) as db:
                known = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if not known >= _NAMES:  # it is new, or of a version that had fewer
                with self.transaction(write=True) as db:
                    for statement in _SCHEMA:
                        db.execute(statement)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"The online store in {file} cannot be used: {error}.") from error

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are all kept at the end, or, if an error escapes, none.

        A writing one has the write lock from its start. Raises sqlite3.Error.
        """
        db = self._connection()
        try:
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield db
            db.execute("COMMIT")
        except BaseException:
            db.close()  # which undoes what is not committed
            raise
        self._idle.put(db)

    def find(self, db: sqlite3.Connection, group_id: int) -> Table | None:
        """The table of a feature group; None if it is not online."""
        table = self.find_with_topic(db, group_id)
        return table if table is not None and table.online else None

    def find_with_topic(self, db: sqlite3.Connection, group_id: int) -> Table | None:
        """A feature group that has a topic: an online one, or a stream group; None for others."""
        query = "SELECT description FROM feature_groups WHERE id = ?"
        found = db.execute(query, (group_id,)).fetchone()
        return self._parsed(group_id, found[0]) if found else None

    def _parsed(self, group_id: int, description: str) -> Table:
        """The same object for the same description: it is asked for with every batch of rows."""
        key = (group_id, description)
        table = self._tables.get(key)
        if table is None:
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            table = self._tables[key] = online_table.from_json(group_id, description)
        return table

    def find_version(self, db: sqlite3.Connection, name: str, version: int) -> Table | None:
        """The table of a feature group by its name and version; None if it is not online."""
        query = "SELECT max(id) FROM feature_groups WHERE name = ? AND version = ?"
        (group_id,) = db.execute(query, (name, version)).fetchone()
        return None if group_id is None else self.find(db, group_id)

    def all(self, db: sqlite3.Connection) -> list[Table]:
        """All feature groups that have a topic; `Table.online` says which are online."""
        rows = db.execute("SELECT id, description FROM feature_groups ORDER BY id").fetchall()
        return [online_table.from_json(group_id, description) for group_id, description in rows]

    def create(self, db: sqlite3.Connection, table: Table) -> None:
        """Make the table of a feature group, empty, with its topic and subject."""
        self.drop(db, table.group_id)  # of a creation that was never committed
        if table.online:
            online_table.create(db, table)
        topics.create(db, table.topic)
        self._describe(db, table)

    def alter(self, db: sqlite3.Connection, table: Table) -> None:
        """Take over what changed of a feature group: features, the time to live, the topic."""
        before = self.find_with_topic(db, table.group_id)
        if table.online:
            online_table.append_columns(db, table)
        topics.create(db, table.topic)
        self._describe(db, table)
        if before is not None and before.topic != table.topic:
            self._drop_topic(db, before.topic)

    def drop(self, db: sqlite3.Connection, group_id: int) -> None:
        """Remove the table of a feature group with its topic and subject, if it has one."""
        table = self.find_with_topic(db, group_id)
        if table is None:
            return
        online_table.drop(db, table)
        for name in ("subjects", "ingestions", "materialised", "writes", "offline_versions"):
            db.execute(f"DELETE FROM {name} WHERE group_id = ?", (group_id,))
        db.execute("DELETE FROM feature_groups WHERE id = ?", (group_id,))
        self._drop_topic(db, table.topic)
        self._count_change(db)

    def clear(self, db: sqlite3.Connection, group_id: int, end: int | None = None) -> None:
        """Delete all online rows of a feature group, and those in its topic that wait for its
        offline table: all, or those before the offset `end`."""
        table = self.find_with_topic(db, group_id)
        if table is None:
            return
        if table.online:
            online_table.clear(db, table)
        writes.forget_versions(db, group_id)
        if table.stream:
            end = topics.next_offset(db, table.topic, 0) if end is None else end
            position = max(end, topics.materialised(db, group_id, table.topic))
            topics.set_materialised(db, group_id, table.topic, position)

    def state(self, db: sqlite3.Connection) -> int:
        """A number that is another one after any table was made, altered or removed."""
        return int(db.execute("PRAGMA user_version").fetchone()[0])

    def _drop_topic(self, db: sqlite3.Connection, topic: str) -> None:
        """Remove a topic that no feature group has any more."""
        others = "SELECT count(*) FROM feature_groups WHERE topic = ?"
        if not db.execute(others, (topic,)).fetchone()[0]:
            topics.delete(db, topic)

    def close(self) -> None:
        """Close the connections that are not in use."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _describe(self, db: sqlite3.Connection, table: Table) -> None:
        values = (
            table.group_id,
            table.name,
            table.version,
            table.topic,
            online_table.to_json(table),
        )
        db.execute("INSERT OR REPLACE INTO feature_groups VALUES (?, ?, ?, ?, ?)", values)
        schema = json.dumps(online_table.avro_schema(table))
        subjects.register(db, f"{table.name}_{table.version}", schema, table.group_id)
        self._count_change(db)

    def _count_change(self, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA user_version = {(self.state(db) + 1) % 2**31}")

    def _connection(self) -> sqlite3.Connection:
        with contextlib.suppress(queue.Empty):
            return self._idle.get_nowait()
        db = sqlite3.connect(
            self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        use_write_ahead_log(db)
        db.execute("PRAGMA synchronous = FULL")
        return db
