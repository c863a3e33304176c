"""How the databases of a store are opened while others use them."""

from __future__ import annotations

import contextlib
import sqlite3
import threading

import pytest

from local_hopsworks.sqlite import use_write_ahead_log


def test_new_database_is_switched_when_the_other_program_is_through(tmp_path):
    """SQLite refuses at once, as it does for one of two programs that make a store together."""
    file = tmp_path / "new.db"
    with (
        contextlib.closing(sqlite3.connect(file, check_same_thread=False)) as other,
        contextlib.closing(sqlite3.connect(file, timeout=0)) as ours,
    ):
        other.execute("CREATE TABLE rows (id INTEGER)")
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            ours.execute("PRAGMA journal_mode=WAL")
        threading.Timer(0.2, other.execute, ["COMMIT"]).start()
        use_write_ahead_log(ours)
        assert ours.execute("PRAGMA journal_mode").fetchone() == ("wal",)
