"""Stream feature groups: rows go to Kafka alone, and a job brings them into the offline table."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from local_hopsworks.online import topics
from local_hopsworks.online.materialise import Target, materialise
from tests.local_hopsworks.online.conftest import WAIT

STREAM_KILLED = Path(__file__).parents[1] / "programs" / "stream_killed.py"
LATER = {**WAIT, "start_offline_materialization": False}


def prices(*ids, price=1.0):
    return pd.DataFrame({"id": list(ids), "price": [price] * len(ids)})


@pytest.fixture
def stream_group(online_group):
    return lambda **options: online_group(stream=True, **options)


@pytest.fixture
def bring(online_store, server, name):
    """Do what the group's job does, without a process of its own; how many rows it brought."""

    def work(group):
        with online_store.transaction(write=False) as db:
            table = online_store.find_with_topic(db, group.id)
        folder = server.store.feature_group(server.project, name, 1, group.id)
        partition_key = [each.name for each in group.columns if each.partition]
        return materialise(online_store, table, Target(folder, group.id, partition_key))

    return work


@pytest.fixture
def waiting(online_store):
    """How many record batches wait in a group's topic."""

    def count(group):
        with online_store.transaction(write=False) as db:
            return len(topics.batches(db, group._online_topic_name, 0, 0, 2**30))

    return count


@pytest.fixture
def broken_off_commit(bring, monkeypatch):
    """Bring rows offline, and end before it is noted."""

    def work(group):
        with monkeypatch.context() as patch:
            patch.setattr(topics, "set_materialised", broken_off)
            with pytest.raises(KeyboardInterrupt):
                bring(group)

    def broken_off(*arguments):
        raise KeyboardInterrupt

    return work


def by_id(group):
    rows = group.read()
    assert rows["id"].is_unique
    return dict(zip(rows["id"], rows["price"], strict=True))


def test_insert_runs_the_job_that_brings_its_rows_offline(stream_group, online_rows):
    group = stream_group()
    job, _ = group.insert(prices(1, 2), write_options={**WAIT, "wait_for_job": True})
    assert job.name.endswith("_offline_fg_materialization")
    assert [(each.state, each.final_status) for each in job.get_executions()] == [
        ("FINISHED", "SUCCEEDED")
    ]
    assert by_id(group) == {1: 1.0, 2: 1.0}
    assert {row["id"] for row in online_rows()} == {1, 2}


def test_rows_wait_in_the_topic_until_the_job_is_run(stream_group, online_rows, bring, waiting):
    group = stream_group()
    group.insert(prices(1, 2), write_options=LATER)
    group.insert(prices(2, 3, price=5.0), write_options=LATER)
    assert {row["id"]: row["price"] for row in online_rows()} == {1: 1.0, 2: 5.0, 3: 5.0}
    assert waiting(group)
    assert bring(group) == 3
    assert by_id(group) == {1: 1.0, 2: 5.0, 3: 5.0} and not waiting(group)
    assert bring(group) == 0


def test_every_row_is_brought_once_wherever_a_run_is_broken_off(
    stream_group, bring, waiting, online_store
):
    group = stream_group()
    group.insert(prices(1), write_options=LATER)
    bring(group)
    with online_store.transaction(write=True) as db:  # as if killed after the commit of the table
        topics.set_materialised(db, group.id, group._online_topic_name, 0)
    group.insert(prices(2), write_options=LATER)
    assert bring(group) == 1
    assert by_id(group) == {1: 1.0, 2: 1.0}
    assert [each["rowsInserted"] for each in group.commit_details().values()] == [1, 1]


def test_run_that_was_killed_when_the_rows_were_there_is_not_due_for_ever(
    stream_group, bring, waiting, broken_off_commit
):
    group = stream_group()
    group.insert(prices(1), write_options=LATER)
    broken_off_commit(group)
    assert waiting(group)
    assert bring(group) == 0
    assert not waiting(group) and by_id(group) == {1: 1.0}


def test_complex_values_and_times_come_into_the_offline_table(stream_group, bring):
    moment = pd.Timestamp("2026-01-02 03:04:05.678901").as_unit("us")
    rows = prices(1, 2).assign(
        at=[moment, moment],
        day=[moment.date(), None],
        floats=[[1.0, 2.0], []],
        struct=[{"number": 1}, {"number": None}],
    )
    group = stream_group(event_time="at", partition_key=["day"])
    group.insert(rows, write_options=LATER)
    assert bring(group) == 2
    found = group.read().sort_values("id").reset_index(drop=True)
    assert list(found["at"].dt.tz_localize(None)) == [moment, moment]
    assert found["day"][0] == moment.date() and pd.isna(found["day"][1])
    assert [list(each) for each in found["floats"]] == [[1.0, 2.0], []]
    assert [each["number"] for each in found["struct"]] == [1, None]


@pytest.mark.parametrize("storage", ["online", "offline"])
def test_rows_for_one_store_alone(stream_group, online_rows, bring, storage):
    group = stream_group()
    group.insert(prices(1), write_options=LATER)
    group.insert(prices(2), write_options=LATER, storage=storage)
    bring(group)
    in_both, in_one = {1}, {1, 2}
    assert {row["id"] for row in online_rows()} == (in_one if storage == "online" else in_both)
    assert set(by_id(group)) == (in_one if storage == "offline" else in_both)


def test_offline_group_can_be_a_stream_group(stream_group, online_rows, bring):
    group = stream_group(online_enabled=False)
    group.insert(prices(1, 2), write_options=LATER)
    assert online_rows() is None
    assert bring(group) == 2 and set(by_id(group)) == {1, 2}


def test_overwrite_leaves_the_new_rows_alone(stream_group, online_rows, bring):
    group = stream_group()
    group.insert(prices(1, 2), write_options=LATER)
    bring(group)
    group.insert(prices(3), write_options=LATER)  # waits when the overwrite comes
    group.insert(prices(4), write_options=LATER, overwrite=True)
    bring(group)
    assert {row["id"] for row in online_rows()} == set(by_id(group)) == {4}


def test_removed_row_stays_away_when_the_job_runs_again(stream_group, online_rows, bring):
    group = stream_group()
    group.insert(prices(1, 2), write_options=LATER)
    bring(group)
    group.remove_rows(pd.DataFrame({"id": [1]}), write_options=WAIT)
    bring(group)
    assert {row["id"] for row in online_rows()} == set(by_id(group)) == {2}


def test_deleted_group_takes_its_job_and_topic_along(stream_group, project, online_store):
    group = stream_group()
    group.insert(prices(1), write_options=LATER)
    topic, job = group._online_topic_name, group.materialization_job.name
    with pytest.warns(Warning, match="All jobs associated"):
        group.delete()
    assert project.get_job_api().get_job(job) is None
    with online_store.transaction(write=False) as db:
        assert topics.find(db, topic) is None


def test_groups_share_a_topic_if_they_are_told_to(feature_store, name, online_rows):
    groups = [
        feature_store.get_or_create_feature_group(
            f"{name}_{which}", version=1, primary_key=["id"], online_enabled=True, topic_name=name
        )
        for which in ("a", "b")
    ]
    for number, group in enumerate(groups):
        group.insert(prices(number), write_options=WAIT)
        assert group._online_topic_name == name
    assert [row["id"] for row in online_rows(f"{name}_a")] == [0]
    assert [row["id"] for row in online_rows(f"{name}_b")] == [1]
    groups[0].delete()
    groups[1].insert(prices(5), write_options=WAIT)
    assert [row["id"] for row in online_rows(f"{name}_b")] == [1, 5]


def test_topic_can_be_changed(online_group, online_rows, name, feature_store):
    group = online_group()
    group.insert(prices(1), write_options=WAIT)
    with pytest.warns(Warning):
        group.update_topic_name(f"{name}_other")
    group = feature_store.get_feature_group(name, 1)
    assert group._online_topic_name == f"{name}_other"
    group.insert(prices(2), write_options=WAIT)
    assert {row["id"] for row in online_rows()} == {1, 2}


def test_materialisation_that_was_broken_off_is_run_by_the_next_server(run, environment, tmp_path):
    home = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(sys.executable, STREAM_KILLED, "write", env=home)
    assert done.returncode == -9, done.stderr[-2000:]
    done = run(sys.executable, STREAM_KILLED, "read", env=home)
    assert done.returncode == 0, done.stderr[-2000:]
