"""`local_hopsworks check` finds what is wrong with the online store, and repairs it from the
offline tables."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from local_hopsworks.check import check
from local_hopsworks.online import online_table
from local_hopsworks.online.store import OnlineStore

KILLED = Path(__file__).parents[1] / "programs" / "online_killed.py"
AS_EXPECTED = {key: 2.0 if key >= 50 else 1.0 for key in range(150)}


@pytest.fixture(scope="module")
def stores(tmp_path_factory, run):
    """Stores in which the same insert was broken off at different places."""
    folder = tmp_path_factory.mktemp("killed")
    for where in ("offline", "stream", "never"):
        done = run(sys.executable, KILLED, where, env={"LOCAL_HOPSWORKS_HOME": str(folder / where)})
        assert done.returncode == (0 if where == "never" else -9), done.stderr[-2000:]
    return folder


@pytest.fixture
def home(stores, tmp_path):
    """A copy of one of those stores."""

    def copy(where):
        shutil.copytree(stores / where, tmp_path / "store")
        return tmp_path / "store"

    return copy


def opened(home):
    return contextlib.closing(OnlineStore(home / "online" / "local.db"))


def online_prices(home):
    with opened(home) as store, store.transaction(write=False) as db:
        table = store.find_version(db, "prices", 1)
        return dict(online_table.scan(db, table, ["id", "price"]))


@pytest.mark.parametrize(("where", "missing"), [("offline", 100), ("stream", 40)])
def test_insert_that_was_killed_on_the_way_is_found_and_finished(home, where, missing):
    store = home(where)
    assert online_prices(store) != AS_EXPECTED
    _, faults = check(store)
    (what,) = [fault.what for fault in faults if fault.what.startswith("A write into")]
    assert f"was broken off: {missing} keys of its offline table are missing online" in what
    assert check(store, repair=True)[1] == []
    assert online_prices(store) == AS_EXPECTED


def test_store_whose_halves_agree_has_no_fault(home):
    store = home("never")
    assert online_prices(store) == AS_EXPECTED and check(store)[1] == []


def test_lost_table_is_filled_anew(home):
    store = home("never")
    with contextlib.closing(sqlite3.connect(store / "online" / "local.db")) as db:
        db.execute('DROP TABLE "prices_1_1"')
        db.commit()
    assert ["has lost its online table" in fault.what for fault in check(store)[1]] == [True]
    _, faults = check(store, repair=True)
    assert not faults and online_prices(store) == AS_EXPECTED


def test_lost_database_is_filled_anew(home):
    store = home("never")
    shutil.rmtree(store / "online")
    assert ["has lost its online table" in fault.what for fault in check(store)[1]] == [True]
    _, faults = check(store, repair=True)
    assert not faults and online_prices(store) == AS_EXPECTED


def test_damaged_database_is_moved_aside_and_filled_anew(home):
    store = home("never")
    file = store / "online" / "local.db"
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # everything is in the file itself
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)
    assert ["is damaged" in fault.what for fault in check(store)[1]] == [True]
    repaired, faults = check(store, repair=True)
    assert not faults and online_prices(store) == AS_EXPECTED
    assert "aside" in repaired[0] and list((store / "aside").rglob("local.db"))


def test_table_of_no_group_is_removed(home):
    store = home("never")
    key = {"name": "id", "type": "bigint", "primary": True}
    group = {"id": 77, "name": "gone", "version": 1, "onlineEnabled": True, "features": [key]}
    with opened(store) as online, online.transaction(write=True) as db:
        online.create(db, online_table.table_of(group, "topic"))
    assert ["of no feature group" in fault.what for fault in check(store)[1]] == [True]
    assert check(store, repair=True)[1] == []
