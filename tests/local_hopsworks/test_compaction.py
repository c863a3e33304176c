"""Small files become large ones between inserts; no row, no history and no client's transaction suffers from it."""

import pandas as pd
import pytest
from deltalake import DeltaTable

from local_hopsworks.query import compaction


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
    return [entry["operation"] for entry in DeltaTable(folder).history()]


def test_after_so_many_inserts_there_are_few_files_with_the_same_rows(group, table):
    insert(group, *range(10))
    assert operations(table(group)).count("OPTIMIZE") == 3
    assert len(DeltaTable(table(group)).file_uris()) < 5
    assert sorted(group.read()["id"]) == list(range(10))


def test_history_is_told_and_read_as_if_nothing_had_been_compacted(group, table):
    insert(group, *range(10))
    assert "OPTIMIZE" in operations(table(group))
    commits = sorted(group.commit_details())
    assert len(commits) == 10
    for count in (1, 3, 4, 5, 10):
        assert sorted(group.select_all().as_of(commits[count - 1]).read()["id"]) == list(range(count))
    changed = group.select_all().as_of(commits[7], exclude_until=commits[1]).read()
    assert sorted(changed["id"]) == list(range(2, 8))


def test_deleted_and_updated_rows_stay_so(group, table):
    insert(group, 1, 2, 3, 1, 2)
    group.remove_rows(pd.DataFrame({"id": [3], "x": [3.0]}))
    insert(group, 4, 5, 6)
    assert "OPTIMIZE" in operations(table(group))
    assert sorted(group.read()["id"]) == [1, 2, 4, 5, 6]


def test_table_that_a_client_of_any_server_writes_is_left_alone(group, table):
    other = compaction.Writers()  # as in another process: locks of one do not count for the other
    insert(group, 0)
    other.begin("somebody", table(group))
    insert(group, *range(1, 9))
    assert "OPTIMIZE" not in operations(table(group))
    other.end("somebody", table(group))
    insert(group, *range(9, 13))
    assert "OPTIMIZE" in operations(table(group)) and len(group.read()) == 13


def test_client_that_died_while_it_wrote_is_not_waited_for_without_end(group, table, monkeypatch):
    writers = compaction.Writers()
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
    begun.delete("id = 1")  # between the moment that the compaction looked and the one that it commits

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
