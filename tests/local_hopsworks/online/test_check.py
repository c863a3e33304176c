"""`local_hopsworks check` finds what is wrong with the online store, and repairs it from the
offline tables."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sqlite3
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from local_hopsworks.check import check
from local_hopsworks.online import online_table, writes
from local_hopsworks.online.store import OnlineStore

PROGRAMS = Path(__file__).parents[1] / "programs"
KILLED, BREAKS = PROGRAMS / "online_killed.py", PROGRAMS / "online_store_breaks.py"
AS_EXPECTED = {key: 2.0 if key >= 50 else 1.0 for key in range(150)}


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory, run):
    """A store in which an insert was broken off at a place, or never; made once, to be copied."""

    @functools.cache
    def store(where):
        home = tmp_path_factory.mktemp("killed") / where
        done = run(sys.executable, KILLED, where, env={"LOCAL_HOPSWORKS_HOME": str(home)})
        assert done.returncode == (0 if where == "never" else -9), done.stderr[-2000:]
        return home

    return store


@pytest.fixture
def home(broken_off, tmp_path):
    """A copy of such a store."""
    return lambda where: Path(shutil.copytree(broken_off(where), tmp_path / "store"))


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


def removed_offline(home):
    """Take rows out of the offline table alone, as a removal does that is killed before it tells
    of it; the version of the table that lacks them."""
    offline = DeltaTable(next(home.glob("featurestore/local/prices_*")))
    keys = pa.table({"id": range(40)})
    removal = offline.merge(keys, "rows.id = keys.id", source_alias="keys", target_alias="rows")
    removal.when_matched_delete().execute()  # as the SDK does it
    return offline.version()


def test_removal_that_was_killed_before_it_told_of_itself_is_found_and_finished(home):
    store = home("never")
    removed_offline(store)
    _, faults = check(store)
    (what,) = [fault.what for fault in faults]
    assert what == (
        "A removal from Feature group prices version 1 was broken off: "
        "40 keys are gone offline, and still online."
    )
    assert check(store, repair=True)[1] == []
    assert set(online_prices(store)) == set(range(40, 150))


def test_removal_that_was_killed_after_it_told_of_itself_is_found_and_finished(home):
    store = home("never")
    version = removed_offline(store)
    with opened(store) as online, online.transaction(write=True) as db:
        writes.begun(db, 1, "killed", "client")
        writes.note_version(db, 1, "client", version, removes=True)
    assert ["A removal from" in fault.what for fault in check(store)[1]] == [True]
    assert check(store, repair=True)[1] == []
    assert set(online_prices(store)) == set(range(40, 150))


def test_key_that_was_written_online_again_after_its_removal_stays(home):
    store = home("never")
    version = removed_offline(store)
    with opened(store) as online, online.transaction(write=True) as db:
        writes.note_version(db, 1, "client", version, removes=True)  # and nothing is under way
    assert check(store, repair=True)[1] == []
    assert set(online_prices(store)) == set(range(150))


def test_store_that_is_opened_again_does_not_count_its_changes_anew(home):
    """Servers keep what they know of a table by that count."""
    store = home("never")
    with opened(store) as first, opened(store) as second:
        with first.transaction(write=True) as db:
            first.alter(db, first.find_version(db, "prices", 1))
            before = first.state(db)
        with opened(store) as third, third.transaction(write=False) as db:
            assert third.state(db) == before
        with second.transaction(write=False) as db:
            assert second.state(db) == before


def test_store_whose_halves_agree_has_no_fault(home):
    store = home("never")
    assert online_prices(store) == AS_EXPECTED and check(store)[1] == []


def test_damaged_offline_table_is_named_once(home):
    store = home("offline")
    newest = sorted(store.glob("featurestore/local/prices_*/_delta_log/*.json"))[-1]
    newest.write_text('{"add": ')
    faults = [fault.what for fault in check(store)[1] if "prices" in fault.what]
    assert ["last commit is damaged" in what for what in faults] == [True]


def test_removal_of_which_the_history_is_gone_is_left_alone(home):
    store = home("never")
    removed_offline(store)
    offline = DeltaTable(next(store.glob("featurestore/local/prices_*")))
    offline.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert check(store)[1] == []


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


def test_reader_of_a_damaged_database_is_told_to_check(home, run):
    store = home("never")
    done = run(sys.executable, BREAKS, env={"LOCAL_HOPSWORKS_HOME": str(store)})
    told = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
    assert len(told) == 2, done.stderr[-2000:]
    for line in told:
        assert f"A database of the store {store} cannot be used: " in line
        assert "python -m local_hopsworks check finds what is wrong." in line
    assert ["is damaged" in fault.what for fault in check(store)[1]] == [True]


def test_table_of_no_group_is_removed(home):
    store = home("never")
    key = {"name": "id", "type": "bigint", "primary": True}
    group = {"id": 77, "name": "gone", "version": 1, "onlineEnabled": True, "features": [key]}
    with opened(store) as online, online.transaction(write=True) as db:
        online.create(db, online_table.table_of(group, "topic"))
    assert ["of no feature group" in fault.what for fault in check(store)[1]] == [True]
    assert check(store, repair=True)[1] == []
