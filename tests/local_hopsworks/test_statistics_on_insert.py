"""Statistics of feature groups: there after every insert, though computed only when somebody
looks."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pandas as pd
import pytest


def fares(*values):
    frame = pd.DataFrame({"id": range(len(values)), "fare": [float(value) for value in values]})
    return frame.assign(port=["S", "C", "S", "Q"][: len(values)])


@pytest.fixture
def make(feature_store, name):
    def create(rows, **options):
        group = feature_store.create_feature_group(name, 1, primary_key=["id"], **options)
        group.insert(rows)
        return group

    return create


def of(statistics):
    return {feature.feature_name: feature for feature in statistics.feature_descriptive_statistics}


def test_statistics_describe_the_rows_after_each_insert(make):
    group = make(fares(10, 20, 30))
    first = group.get_statistics()
    assert (of(first)["fare"].mean, of(first)["fare"].max, of(first)["fare"].count) == (
        20.0,
        30.0,
        3,
    )
    assert of(first)["port"].approx_num_distinct_values == 2
    group.insert(fares(10, 20, 30, 100))
    second = group.get_statistics()
    assert (of(second)["fare"].mean, of(second)["fare"].count) == (40.0, 4)
    assert second.computation_time > first.computation_time
    assert len(group.get_all_statistics()) == 2


def test_statistics_bear_the_time_of_the_insert_not_of_the_look(make):
    group = make(fares(1, 2))
    commit = max(group.commit_details())
    assert group.get_statistics().computation_time == commit
    assert group.get_statistics(computation_time=commit).window_end_commit_time == commit


def test_looking_twice_computes_once(make, server):
    group = make(fares(1, 2))
    for _ in range(2):
        group.get_statistics()
    assert rows_of(server, group) == 1
    group.compute_statistics()  # they are there for the latest commit, so nothing is left to do
    assert rows_of(server, group) == 1


def rows_of(server, group):
    with closing(sqlite3.connect(server.store.metadata_file)) as database:
        query = "SELECT count(*) FROM statistics WHERE owner = ?"
        return database.execute(query, [f"feature_groups/{group.id}"]).fetchone()[0]


def test_only_the_features_asked_for_are_told(make):
    group = make(fares(1, 2))
    assert list(of(group.get_statistics(feature_names=["fare"]))) == ["fare"]


def test_group_that_wants_no_statistics_gets_none(make):
    assert make(fares(1, 2), statistics_config=False).get_statistics() is None


def test_statistics_of_no_rows_count_none(feature_store, name):
    from hsfs.feature import Feature

    features = [Feature("id", "bigint", primary=True)]
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], features=features)
    group.save()
    assert of(group.get_statistics())["id"].count == 0


def test_configuration_says_which_columns_and_what_more(make):
    config = {
        "enabled": True,
        "columns": ["fare", "port"],
        "histograms": True,
        "correlations": True,
    }
    group = make(fares(1, 2, 2, 4), statistics_config={**config, "exact_uniqueness": True})
    found = of(group.get_statistics())
    assert set(found) == {"fare", "port"}
    histogram = {
        bin_["value"]: bin_["count"] for bin_ in found["port"].extended_statistics["histogram"]
    }
    assert histogram == {"S": 2, "C": 1, "Q": 1}
    assert found["fare"].uniqueness == 0.5 and found["fare"].entropy == pytest.approx(
        1.0397, abs=1e-4
    )
    assert found["fare"].extended_statistics["correlations"] == [
        {"column": "fare", "correlation": 1.0}
    ]


def test_histogram_of_many_numbers_has_equal_bins(feature_store, name):
    group = feature_store.create_feature_group(
        name, 1, primary_key=["id"], statistics_config={"histograms": True}
    )
    group.insert(pd.DataFrame({"id": range(100)}))
    histogram = of(group.get_statistics())["id"].extended_statistics["histogram"]
    assert [bin_["count"] for bin_ in histogram] == [5] * 20
