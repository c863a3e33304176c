"""Small files become large ones between inserts; no row, no history and no client's transaction
suffers from it."""

import os
import shutil
import threading

import pandas as pd
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hsfs.feature import Feature

from local_hopsworks.offline import archive, compaction, delta, delta_log, history
from local_hopsworks.offline.plan import Column, Plan, Table
from local_hopsworks.offline.run import Engine

ENGINE = Engine()


@pytest.fixture
def table(server):
    """The folder of a feature group's Delta table."""
    return lambda group: server.store.feature_group("tests", group.name, group.version, group.id)


@pytest.fixture
def group(feature_store, name, monkeypatch):
    monkeypatch.setattr(compaction, "EVERY", 4)
    return feature_store.create_feature_group(name, 1, primary_key=["id"])


def insert(group, *keys):
    for key in keys:
        group.insert(pd.DataFrame({"id": [key], "x": [float(key)]}))


def operations(folder):
    with archive.whole(folder, rows=False) as whole:
        return [entry["operation"] for entry in DeltaTable(whole).history()]


def log(folder):
    return sorted(os.listdir(folder / "_delta_log"))


def archived(folder):
    return sorted(os.listdir(folder / archive.FOLDER))


def versions(names):
    return [int(name[:20]) for name in names if name.endswith(".json")]


def ids(query):
    return sorted(query.read()["id"])


def test_after_so_many_inserts_there_are_few_files_with_the_same_rows(group, table):
    insert(group, *range(10))
    assert operations(table(group)).count("OPTIMIZE") == 3
    assert len(DeltaTable(table(group)).file_uris()) < 5
    assert sorted(group.read()["id"]) == list(range(10))


def test_commits_of_which_no_server_was_told_count_too(group, table):
    insert(group, 0)
    for key in range(1, 6):
        write_deltalake(table(group), pd.DataFrame({"id": [key], "x": [0.0]}), mode="append")
    assert "OPTIMIZE" not in operations(table(group))
    insert(group, 6)
    assert operations(table(group)).count("OPTIMIZE") == 1
    assert sorted(group.read()["id"]) == list(range(7))


def test_history_is_told_and_read_as_if_nothing_had_been_compacted(group, table):
    insert(group, *range(10))
    assert "OPTIMIZE" in operations(table(group)) and 0 in versions(archived(table(group)))
    commits = sorted(group.commit_details())
    assert len(commits) == 10
    for count in (1, 3, 4, 5, 10):
        assert ids(group.select_all().as_of(commits[count - 1])) == list(range(count))
    assert ids(group.select_all().as_of(commits[7], exclude_until=commits[1])) == list(range(2, 8))


def read(group, as_of=None, since=None):
    """The ids, as the query service reads them, but faster."""
    table = Table(group.id, group.name, group.location, as_of, since, (("id", "bigint"),))
    return sorted(
        ENGINE.table(Plan([table], [(Column(0, "id", "bigint"), "id")]))["id"].to_pylist()
    )


def all_is_told(group, inserts):
    """Of a group into which the ids 0, 1, … were inserted one by one."""

    commits = sorted(commit["commitid"] for commit in history.commits(group.location))
    assert len(commits) == inserts and read(group) == list(range(inserts))
    for count, commit in enumerate(commits, 1):
        assert read(group, as_of=commit) == list(range(count))
        assert read(group, since=commit) == list(range(count, inserts))
        assert read(group, since=commits[0], as_of=commit) == list(range(1, count))
        newest = history.commits(group.location, count)
        assert [commit["commitid"] for commit in newest] == commits[: -count - 1 : -1]


def test_log_stays_short_and_archive_and_log_lack_nothing(group, table):
    insert(group, *range(20))
    assert len(versions(log(table(group)))) <= 8
    all_versions = versions(archived(table(group))) + versions(log(table(group)))
    assert all_versions == list(range(len(all_versions))) and len(all_versions) > 20
    assert not list(delta_log.problems(table(group)))


def test_reader_that_began_before_finds_its_files(group, table):
    insert(group, *range(10))
    begun, before = DeltaTable(table(group)), log(table(group))
    newest = max(name for name in before if "checkpoint.parquet" in name)
    insert(group, 10, 11, 12)
    assert log(table(group))[0] > before[0]  # something was moved
    assert {name for name in before if name >= newest} <= set(log(table(group)))
    assert sorted(begun.to_pandas()["id"]) == list(range(10))
    begun.update_incremental()
    assert sorted(begun.to_pandas()["id"]) == list(range(13))


@pytest.mark.parametrize("partitioned", [False, True])
def test_past_of_a_table_that_was_given_columns_later(group, feature_store, table, partitioned):
    if partitioned:
        group = feature_store.create_feature_group(
            f"{group.name}_p", 1, primary_key=["id"], partition_key=["id"]
        )
    insert(group, 0, 1)
    group.append_features([Feature("y", "double")])
    for key in range(2, 10):
        group.insert(pd.DataFrame({"id": [key], "x": [0.5], "y": [0.25]}))
    assert 0 in versions(archived(table(group)))
    commits = sorted(group.commit_details())
    assert group.select_all().as_of(commits[1]).read()["y"].isna().tolist() == [True, True]
    changed = (
        group.select_all().as_of(commits[8], exclude_until=commits[0]).read().sort_values("id")
    )
    assert changed["id"].tolist() == list(range(1, 9)) and changed["y"].isna().sum() == 1


class Killed(BaseException):
    pass


@pytest.mark.long
def test_killed_at_any_step_of_archiving_it_is_whole(group, table, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(archive, "put_away", lambda table: None)
        insert(group, 0)
        group.delta_checkpoint()  # sorts before its commit
        insert(group, *range(1, 10))
    folder, rename, allowed, killed = table(group), os.rename, 0, True

    def move(source, target):
        nonlocal allowed
        if not allowed:
            raise Killed
        allowed -= 1
        rename(source, target)

    while killed:
        with monkeypatch.context() as mortal:
            mortal.setattr(archive.os, "rename", move)
            try:
                archive.put_away(folder)
                killed = False
            except Killed:
                allowed = 1  # of the next attempt
        all_versions = versions(archived(folder)) + versions(log(folder))
        assert all_versions == list(range(len(all_versions)))
        assert not list(delta_log.problems(folder))
        all_is_told(group, 10)
    assert len(archived(folder)) > 8


def test_table_of_an_earlier_version_is_archived_with_the_next_compaction(
    group, table, monkeypatch
):
    with monkeypatch.context() as earlier:
        earlier.setattr(archive, "put_away", lambda table: None)
        insert(group, *range(10))
    insert(group, *range(10, 14))
    assert versions(archived(table(group)))[:6] == list(range(6))
    all_is_told(group, 14)


def test_overwritten_table_begins_a_history_of_its_own(group, table):
    insert(group, *range(10))
    before = max(group.commit_details())
    group.insert(pd.DataFrame({"id": [0], "x": [0.0]}), overwrite=True)
    assert not (table(group) / archive.FOLDER).exists()
    insert(group, *range(1, 10))
    assert 0 in versions(archived(table(group))) and min(group.commit_details()) > before
    all_is_told(group, 10)


def test_overwrite_that_broke_off_gives_back_the_archive(group, table):
    insert(group, *range(10))
    group._feature_group_engine._feature_group_api._delete_content(group)
    assert not table(group).exists() and ids(group) == list(range(10))
    insert(group, 10)
    all_is_told(group, 11)


def test_archive_of_a_table_that_was_there_before_is_left_alone(group, table):
    insert(group, *range(10))
    kept = archived(table(group))
    for name in log(table(group)):  # as nobody but a user by hand does
        (table(group) / "_delta_log" / name).unlink()
    for key in range(12):
        write_deltalake(table(group), pd.DataFrame({"id": [key], "x": [0.5]}), mode="append")
        if key % 4 == 3:
            compaction._compact(table(group))
    assert archived(table(group)) == kept
    assert len(history.commits(group.location)) == 12
    assert ids(group.select_all().as_of(history.commits(group.location)[-1]["commitid"])) == [0]
    (problem,) = delta_log.problems(table(group))
    assert problem.aside == table(group) / archive.FOLDER


def test_group_goes_with_its_archive(group, table):
    insert(group, *range(10))
    group.delete()
    assert not table(group).exists()


def test_vacuum_leaves_the_archive(group, table):
    insert(group, *range(10))
    kept = archived(table(group))
    DeltaTable(table(group)).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert archived(table(group)) == kept and len(group.commit_details()) == 10


def test_question_that_the_log_can_answer_is_not_put_to_the_archive(group, table, monkeypatch):
    insert(group, *range(10))
    commits = [commit["commitid"] for commit in history.commits(group.location)]
    monkeypatch.setattr(archive, "whole", None)
    assert len(history.commits(group.location, 2)) == 2
    assert len(read(group, as_of=commits[1])) == 9
    assert len(read(group, since=commits[2])) == 2


def test_columns_are_appended_when_no_compaction_is_under_way(group, table):
    insert(group, 0)
    feature = {"name": "y", "type": "double"}
    appending = threading.Thread(target=delta.add_columns, args=(group.location, [feature]))
    with compaction._alone(table(group)):
        appending.start()
        appending.join(0.5)
        assert appending.is_alive()
    appending.join()
    assert "y" in [field.name for field in DeltaTable(table(group)).schema().fields]


def test_links_of_a_server_that_was_killed_while_it_read_go_with_the_next_compaction(group, table):
    insert(group, *range(10))
    with archive.whole(table(group), rows=True) as links:
        left = shutil.copytree(
            links, table(group) / archive.FOLDER / f"{links.name}-left", symlinks=True
        )
    all_is_told(group, 10)
    assert not list(delta_log.problems(table(group)))
    insert(group, 10, 11, 12)
    assert not left.exists() and not [
        name for name in archived(table(group)) if not name[:20].isdigit()
    ]
    all_is_told(group, 13)


def test_table_whose_past_is_read_is_left_alone(group, table):
    insert(group, *range(3))
    with archive.held(table(group)):
        insert(group, *range(3, 8))
    assert "OPTIMIZE" not in operations(table(group))


def test_deleted_and_updated_rows_stay_so(group, table):
    insert(group, 1, 2, 3, 1, 2)
    group.remove_rows(pd.DataFrame({"id": [3], "x": [3.0]}))
    insert(group, 4, 5, 6)
    assert "OPTIMIZE" in operations(table(group))
    assert sorted(group.read()["id"]) == [1, 2, 4, 5, 6]


def test_table_that_a_client_of_any_server_writes_is_left_alone(group, table, server):
    # as in another process: locks of one do not count for the other
    other = compaction.Writers(server._hopsworks)
    insert(group, 0)
    other.begin("somebody", table(group))
    insert(group, *range(1, 9))
    assert "OPTIMIZE" not in operations(table(group))
    other.end("somebody", table(group))
    insert(group, *range(9, 13))
    assert "OPTIMIZE" in operations(table(group)) and len(group.read()) == 13


def test_client_that_died_while_it_wrote_is_not_waited_for_without_end(
    group, table, monkeypatch, server
):
    writers = compaction.Writers(server._hopsworks)
    insert(group, 0)
    writers.begin("dead", table(group))
    monkeypatch.setattr(compaction, "LONGEST_INSERT", -1)
    writers.begin("alive", table(group))
    writers.end("alive", table(group))
    insert(group, *range(1, 9))
    assert "OPTIMIZE" in operations(table(group))


def test_writer_nobody_knew_of_wins(group, table, monkeypatch):
    insert(group, *range(3))
    begun = DeltaTable(table(group))
    # Between the moment that the compaction looked and the one that it commits
    begun.delete("id = 1")

    class Late:
        def __init__(self, folder):
            self.table = DeltaTable(folder, version=begun.version() - 1)
            self.optimize = self

        def compact(self, **options):
            self.table.optimize.compact(**options)
            pytest.fail("the compaction won")

    monkeypatch.setattr("deltalake.DeltaTable", Late)
    compaction._compact(table(group))
    monkeypatch.undo()
    assert sorted(group.read()["id"]) == [0, 2]


def test_row_groups_are_small_so_that_a_narrow_window_reads_little(group, table, monkeypatch):
    monkeypatch.setattr(compaction, "ROW_GROUP", 2)
    insert(group, *range(8))
    files = [file.removeprefix("file://") for file in DeltaTable(table(group)).file_uris()]
    assert max(pq.ParquetFile(file).num_row_groups for file in files) > 1
