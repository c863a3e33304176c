"""Rows of online feature groups: inserted, replaced, deleted and overwritten with the real SDK."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hopsworks.client.exceptions import RestAPIError
from hsfs.feature import Feature

from local_hopsworks import Server
from tests.local_hopsworks.online.conftest import WAIT
from tests.processes import wait

PROGRAMS = Path(__file__).parents[1] / "programs"
MORNING = pd.Timestamp("2026-01-01 08:00").as_unit("us")
EVENING = pd.Timestamp("2026-01-01 20:00").as_unit("us")
UNCHECKED = {"schema_validation": False, "run_validation": False}


def prices(*ids, price=1.0):
    return pd.DataFrame({"id": list(ids), "price": [price] * len(ids)})


def by_id(rows):
    return {row["id"]: row["price"] for row in rows}


# -------------------------------------------------------------------------------------------------
# inserts


def test_rows_are_in_both_stores_when_the_insert_returns(online_group, online_rows):
    group = online_group()
    group.insert(prices(1, 2), write_options=WAIT)
    assert by_id(online_rows()) == {1: 1.0, 2: 1.0}
    offline = group.read()
    assert dict(zip(offline["id"], offline["price"], strict=True)) == {1: 1.0, 2: 1.0}


def test_group_is_online_for_every_program_that_asks(online_group, feature_store, name):
    online_group().insert(prices(1), write_options=WAIT)
    group = feature_store.get_feature_group(name, 1)
    assert group.online_enabled and not group.stream
    assert {each.name: each.online_type for each in group.columns} == {
        "id": "bigint",
        "price": "double",
    }


def test_row_of_a_known_key_replaces_the_one_before(online_group, online_rows):
    group = online_group()
    group.insert(prices(1, 2, price=1.0), write_options=WAIT)
    group.insert(prices(2, 3, price=5.0), write_options=WAIT)
    assert by_id(online_rows()) == {1: 1.0, 2: 5.0, 3: 5.0}


def test_latest_event_time_of_an_insert_stays(online_group, online_rows):
    rows = pd.DataFrame({"id": [1, 1], "price": [2.0, 1.0], "at": [EVENING, MORNING]})
    rows = rows.astype({"at": "datetime64[us]"})
    online_group(event_time="at").insert(rows, write_options=WAIT)
    assert by_id(online_rows()) == {1: 2.0}


def test_row_that_was_written_last_stays_unless_only_newer_ones_were_asked_for(
    online_group, online_rows
):
    group = online_group(event_time="at")
    group.insert(prices(1, price=2.0).assign(at=EVENING), write_options=WAIT)
    only_newer = {**WAIT, "online_ingestion_options": {"upsert_if_newer": True}}
    group.insert(prices(1, price=1.0).assign(at=MORNING), write_options=only_newer)
    assert by_id(online_rows()) == {1: 2.0}
    ignored = group.get_latest_online_ingestion().results
    assert [(each.status, each.rows) for each in ignored] == [("IGNORED", 1)]
    group.insert(prices(1, price=1.0).assign(at=MORNING), write_options=WAIT)
    assert by_id(online_rows()) == {1: 1.0}


def test_key_of_several_columns(online_group, online_rows):
    group = online_group(primary_key=["id", "shop"])
    group.insert(prices(1, 1).assign(shop=["north", "south"]), write_options=WAIT)
    group.insert(prices(1, price=9.0).assign(shop="south"), write_options=WAIT)
    assert [(row["shop"], row["price"]) for row in online_rows()] == [
        ("north", 1.0),
        ("south", 9.0),
    ]


@pytest.mark.parametrize("storage", ["online", "offline"])
def test_rows_for_one_store_alone(online_group, online_rows, storage):
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    group.insert(prices(2), write_options=WAIT, storage=storage)
    in_both, in_one = {1}, {1, 2}
    assert set(by_id(online_rows())) == (in_one if storage == "online" else in_both)
    assert set(group.read()["id"]) == (in_one if storage == "offline" else in_both)


def test_parts_of_an_insert_arrive_in_their_order(online_group, online_rows):
    group = online_group()
    group.insert(prices(0, price=-1.0), write_options=WAIT)
    with group.multi_part_insert() as writer:
        for part in range(10):
            writer.insert(prices(*range(part * 5, part * 5 + 10), price=float(part)))
    assert by_id(online_rows()) == {row: min(9.0, row // 5) for row in range(55)}


def test_polars_frames_are_written_too(run, reach, server):
    done = run(
        sys.executable, PROGRAMS / "online_polars.py", env={**server.environment, **reach("polars")}
    )
    assert done.returncode == 0, done.stderr[-2000:]


# -------------------------------------------------------------------------------------------------
# deletes, overwrites, changes


def test_removed_rows_are_gone_from_both_stores(online_group, online_rows):
    group = online_group()
    group.insert(prices(1, 2, 3), write_options=WAIT)
    group.remove_rows(pd.DataFrame({"id": [1, 3]}), write_options=WAIT)
    assert set(by_id(online_rows())) == set(group.read()["id"]) == {2}
    deleted = group.get_latest_online_ingestion().results
    assert [(each.status, each.rows) for each in deleted] == [("DELETED", 2)]


@pytest.mark.parametrize("storage", ["online", "offline"])
def test_removed_rows_of_one_store_alone(online_group, online_rows, storage):
    group = online_group()
    group.insert(prices(1, 2), write_options=WAIT)
    group.remove_rows(pd.DataFrame({"id": [1]}), write_options=WAIT, storage=storage)
    assert set(by_id(online_rows())) == ({2} if storage == "online" else {1, 2})
    assert set(group.read()["id"]) == ({2} if storage == "offline" else {1, 2})


@pytest.mark.parametrize("storage", [None, "online", "offline"])
def test_overwrite_leaves_the_new_rows_alone(online_group, online_rows, storage):
    group = online_group()
    group.insert(prices(1, 2), write_options=WAIT)
    group.insert(prices(3), write_options=WAIT, overwrite=True, storage=storage)
    assert set(by_id(online_rows())) == (set() if storage == "offline" else {3})
    if storage != "online":  # there is no offline table left to read
        assert set(group.read()["id"]) == {3}


def test_appended_feature_is_null_in_rows_of_before(online_group, online_rows, feature_store, name):
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    knows_two_features = feature_store.get_feature_group(name, 1)
    assert len(knows_two_features.subject) > 0  # the SDK keeps the schema that it was given
    group.append_features([Feature("colour", "string")])
    feature_store.get_feature_group(name, 1).insert(
        prices(2).assign(colour="red"), write_options=WAIT
    )
    knows_two_features.insert(prices(2, 3, price=7.0), write_options=WAIT, storage="online")
    assert [(row["id"], row["price"], row["colour"]) for row in online_rows()] == [
        (1, 1.0, None),
        (2, 7.0, "red"),  # a program that does not know a feature leaves it as it is
        (3, 7.0, None),
    ]


@pytest.mark.parametrize(
    ("type_", "default", "expected"),
    [
        ("int", "5", 5), ("tinyint", "-3", -3), ("double", "0.1", 0.1), ("float", "0.5", 0.5),
        ("string", "it's", "it's"), ("string", "", ""), ("boolean", "true", 1),
        ("decimal(5,2)", "3", decimal.Decimal("3.00")), ("binary", "a'b", b"a'b"),
        ("date", "2024-02-29", datetime.date(2024, 2, 29)), ("int", None, None),
        ("timestamp", "1960-01-01 00:00:01", datetime.datetime(1960, 1, 1, 0, 0, 1)),
    ],
)  # fmt: skip
def test_rows_of_before_have_the_default_of_an_appended_feature_online_too(
    online_group, online_rows, type_, default, expected
):
    """As Hopsworks' ALTER TABLE … ADD COLUMN … DEFAULT has it."""
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    group.append_features([Feature("more", type_, default_value=default)])
    assert [row["more"] for row in online_rows()] == [expected]
    if type_ != "binary":  # which the SDK's SQL reader decodes as text
        assert len(group.read(online=True)) == len(group.read()) == 1


def test_a_default_that_does_not_fit_online_is_refused(online_group, online_rows):
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    with pytest.raises(RestAPIError, match="cannot be the default value of 'more', which is varc"):
        group.append_features([Feature("more", "string", default_value="x" * 101)])
    assert "more" not in online_rows()[0]


def test_deleted_group_takes_its_table_along(online_group, online_rows, feature_store, name):
    online_group().insert(prices(1), write_options=WAIT)
    feature_store.get_feature_group(name, 1).delete()
    assert online_rows() is None
    online_group().insert(prices(2), write_options=WAIT)
    assert by_id(online_rows()) == {2: 1.0}


def test_row_older_than_the_time_to_live_is_not_there(online_group, online_rows):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    group = online_group(event_time="at", ttl=datetime.timedelta(hours=1))
    rows = prices(1, 2).assign(at=[now, now - datetime.timedelta(hours=2)])
    group.insert(rows.astype({"at": "datetime64[us]"}), write_options=WAIT)
    assert set(by_id(online_rows())) == {1}
    keep_all = {**WAIT, "online_ingestion_options": {"mark_online_rows": False}}
    group.insert(rows.astype({"at": "datetime64[us]"}), write_options=keep_all, storage="online")
    assert set(by_id(online_rows())) == {1}
    group.disable_ttl()
    assert set(by_id(online_rows())) == {1, 2}
    group.enable_ttl(datetime.timedelta(hours=3))
    assert set(by_id(online_rows())) == {1, 2}
    group.enable_ttl(datetime.timedelta(minutes=30))
    assert set(by_id(online_rows())) == {1}


def test_row_older_than_the_time_to_live_is_removed_when_a_server_starts(
    server, online_group, online_rows
):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    group = online_group(event_time="at", ttl=datetime.timedelta(hours=1))
    rows = prices(1, 2).assign(at=[now, now - datetime.timedelta(hours=2)])
    keep_all = {**WAIT, "online_ingestion_options": {"mark_online_rows": False}}
    group.insert(rows.astype({"at": "datetime64[us]"}), write_options=keep_all, storage="online")
    with Server(server.store.home, project=server.project):
        group.disable_ttl()
    assert set(by_id(online_rows())) == {1}


# -------------------------------------------------------------------------------------------------
# what is refused


def test_group_without_a_key_cannot_be_online(online_group, feature_store, name):
    with pytest.raises(RestAPIError, match="needs a primary key to be online"):
        online_group(primary_key=[]).insert(prices(1))
    assert feature_store.get_feature_group(name, 1) is None


@pytest.mark.parametrize(("event_time", "type_"), [(None, "timestamp"), ("at", "bigint")])
def test_time_to_live_needs_an_event_time(online_group, event_time, type_):
    features = [Feature("id", "bigint"), Feature("at", type_)]
    group = online_group(event_time=event_time, ttl=60, features=features)
    with pytest.raises(RestAPIError, match="needs an event time of type timestamp or date"):
        group.save()


@pytest.mark.parametrize("type_", ["map<bigint,string>", "array<nothing>"])
def test_type_that_has_no_place_online_is_refused(online_group, type_):
    group = online_group(features=[Feature("id", "bigint"), Feature("odd", type_)])
    with pytest.raises(RestAPIError, match="online"):
        group.save()


def test_value_too_long_for_its_column_fails_alone(online_group, online_rows, caplog):
    group = online_group()
    group.insert(prices(1).assign(note="short"), write_options=WAIT)
    notes = prices(2, 3, 4).assign(note=["fits", "x" * 101, "fits too"])
    group.insert(notes, write_options=WAIT, storage="online", validation_options=UNCHECKED)
    assert [row["id"] for row in online_rows()] == [1, 2, 4]
    results = group.get_latest_online_ingestion().results
    assert {each.status: each.rows for each in results} == {"UPSERTED": 2, "FAILED": 1}
    # The broker is a process of its own, and says it beside its answer
    wait(lambda: "kept online" in caplog.text)
    (told,) = [message for message in caplog.messages if "kept online" in message]
    assert told.startswith("1 row of feature group")
    assert told.endswith("cannot be kept online: note must fit into varchar(100).")


def test_longest_text_of_the_first_insert_makes_room_for_itself(online_group, online_rows):
    group = online_group()
    group.insert(prices(1).assign(note="x" * 150), write_options=WAIT)
    assert online_rows()[0]["note"] == "x" * 150
    with pytest.raises(ValueError, match="String length exceeded"):
        group.insert(prices(2).assign(note="x" * 201), write_options=WAIT)


# -------------------------------------------------------------------------------------------------
# ingestions


def test_ingestions_are_told_by_id_and_the_latest(online_group):
    group = online_group()
    group.insert(prices(1, 2), write_options=WAIT)
    first = group.get_latest_online_ingestion()
    group.insert(prices(3), write_options=WAIT)
    latest = group.get_latest_online_ingestion()
    assert (first.num_entries, latest.num_entries) == (2, 1) and latest.id > first.id
    again = group.get_online_ingestion(first.id)
    assert [(each.status, each.rows) for each in again.results] == [("UPSERTED", 2)]
    assert group.get_online_ingestion(latest.id + 1000) is None


def test_a_hundred_ingestions_of_a_group_are_remembered(online_group, api, server):
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    path = f"/project/{group.feature_store_id}/featurestores/{group.feature_store_id}"
    path += f"/featuregroups/{group.id}/online_ingestion"
    for _ in range(120):
        assert api("POST", path, json={"numEntries": 1}).status_code == 200
    assert api("GET", path).json()["count"] == 100


@pytest.mark.parametrize("filter_by", ["OLDEST", "ID:", "ID:x", "ID:1;DROP TABLE"])
def test_unknown_filter_of_ingestions_is_refused(online_group, api, filter_by):
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    path = f"/project/{group.feature_store_id}/featurestores/{group.feature_store_id}"
    path += f"/featuregroups/{group.id}/online_ingestion"
    answer = api("GET", path, params={"filter_by": filter_by})
    assert answer.status_code == 400 and "filter_by is LATEST or ID" in answer.json()["usrMsg"]


# -------------------------------------------------------------------------------------------------
# several programs


def test_two_programs_write_one_group_at_once(environment, server, online_group, online_rows, name):
    online_group().insert(prices(-1), write_options=WAIT)
    programs = [
        subprocess.Popen(
            [sys.executable, PROGRAMS / "online_writer.py", name, str(first), "500"],
            env={**environment, **server.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (0, 500)
    ]
    for program in programs:
        _, problems = program.communicate(timeout=120)
        assert program.returncode == 0, problems[-2000:]
    assert len(online_rows()) == 1001


def test_program_that_is_never_online_starts_nothing(run, environment, tmp_path):
    home = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(sys.executable, PROGRAMS / "never_online.py", env=home)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (tmp_path / "store" / "online").exists()
