"""What all connections to the SQLite databases of a store have in common."""

from __future__ import annotations

import sqlite3
import time

BUSY_SECONDS = 30  # how long a transaction waits for one of another program
_RETRY_SECONDS = 0.01


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers and a writer do not wait for one another, from now on and for all programs.

    Raises sqlite3.OperationalError if others keep the database from it for BUSY_SECONDS. SQLite
    itself does not wait where two programs switch a new database at the same moment.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
