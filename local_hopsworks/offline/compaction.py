"""Small files of a Delta table into large ones, while no client writes it: inserts stay as fast as
the first.

Clients write tables themselves, and of two Delta transactions at once the later one fails. So that
this is never a client's, a server holds a lock for as long as a client inserts (the SDK asks for
the expectation suite before it and tells the commit after it), and compacts a table only while no
other lock is held. Nothing is removed: what history needs stays readable, and the older part of the
log goes to the archive. The SDK announces `remove_rows` only afterwards, so a compaction can make
that fail.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from local_hopsworks.disk import Lock
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.offline import archive

_log = logging.getLogger("local_hopsworks")
EVERY = 32  # commits
TARGET_BYTES = 16 * 2**20  # of a file; larger ones stay as they are
# Rows, of which a narrow time window reads one group: delta-rs would write a million
ROW_GROUP = 1 << 17
LONGEST_INSERT = 300  # seconds; a client that has told no commit after them was killed


class Writers:
    """The clients of one server that are inserting; other servers see their locks, which end with
    the process."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._mutex = threading.Lock()
        # by client and table: since when, and the lock
        self._held: dict[tuple[str, Path], tuple[float, Lock]] = {}

    def begin(self, client: str, table: Path) -> None:
        """Before an insert; waits until a compaction under way is done. A table that is not there
        needs no lock."""
        self.end(client, table)
        with contextlib.suppress(FileNotFoundError):
            lock = Lock(table, shared=True)
            with self._mutex:
                self._held[client, table] = time.monotonic(), lock

    def end(self, client: str, table: Path) -> None:
        """After an insert."""
        now = time.monotonic()
        with self._mutex:
            over = [
                key
                for key, (since, _) in self._held.items()
                if key == (client, table) or since < now - LONGEST_INSERT
            ]
            for key in over:
                self._held.pop(key)[1].close()

    def stop(self) -> None:
        """Let go of all locks."""
        with self._mutex:
            for _, lock in self._held.values():
                lock.close()
            self._held.clear()


@contextlib.contextmanager
def _alone(table: Path) -> Iterator[bool]:
    """Whether no client inserts into the table; then none begins to before the end."""
    try:
        lock = Lock(table, wait=False)
    except BlockingIOError:
        yield False
        return
    with lock:
        yield True


def compact_if_due(table: Path) -> None:
    """Compact a table EVERY commits after its last checkpoint. While a client writes nothing is
    done, and a later commit makes up for it."""
    with contextlib.suppress(FileNotFoundError):
        names = [name for name in os.listdir(table / "_delta_log") if name[:20].isdigit()]
        newest = max((int(name[:20]) for name in names), default=0)
        checkpoint = max((int(name[:20]) for name in names if ".checkpoint." in name), default=0)
        if newest - checkpoint < EVERY - 1:
            return
        with _alone(table) as alone:
            if alone:
                _compact(table)


def _compact(table: Path) -> None:
    from deltalake import DeltaTable, WriterProperties
    from deltalake.exceptions import DeltaError

    try:
        opened = DeltaTable(table)
        written = WriterProperties(compression="SNAPPY", max_row_group_size=ROW_GROUP)
        opened.optimize.compact(target_size=TARGET_BYTES, writer_properties=written)
        opened.create_checkpoint()  # readers begin with it instead of with the first commit
        archive.put_away(table)
    except (DeltaError, OSError) as error:
        # A client that no server knew was faster; its rows are what counts
        _log.info("The table %s was not compacted: %s", table.name, error)
