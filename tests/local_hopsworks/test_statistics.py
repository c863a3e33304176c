"""Statistics of every type, of empty, missing, infinite and extreme values, by every call; and by
time."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hopsworks.client.exceptions import RestAPIError

from local_hopsworks.offline import profile

# numpy's, of what the SDK computes in this process
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
INF, NAN, D = math.inf, math.nan, decimal.Decimal
PROGRAMS = Path(__file__).parent / "programs"
CONFIG = {"enabled": True, "histograms": True, "correlations": True, "exact_uniqueness": True}
DAY, MOMENT = datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1)
TYPES = {
    "tiny": (pa.int8(), [1, 2], [-128, 127]),
    "small": (pa.int16(), [1, 2], [-(2**15), 2**15 - 1]),
    "whole": (pa.int32(), [1, 2], [-(2**31), 2**31 - 1]),
    "big": (pa.int64(), [1, 2], [-(2**63), 2**63 - 1]),
    "single": (pa.float32(), [1.0, 2.0], [-3e38, 3e38]),
    "real": (pa.float64(), [1.0, 2.0], [-1.7e308, 1.7e308]),
    "money": (pa.decimal128(20, 2), [D("1.00"), D("2.50")], [D(10**17), D("-0.01")]),
    "word": (pa.string(), ["a", "b"], ["", "\N{SHIP}" * 1000]),
    "raw": (pa.binary(), [b"a", b"b"], [b"", b"\xff" * 1000]),
    "flag": (pa.bool_(), [True, False], [True, True]),
    "day": (pa.date32(), [DAY, DAY], [datetime.date.min, datetime.date.max]),
    "moment": (
        pa.timestamp("us"),
        [MOMENT, MOMENT],
        [datetime.datetime.min, datetime.datetime.max],
    ),
    "list": (pa.list_(pa.float64()), [[1.0], [2.0]], [[], [INF, NAN]]),
    "struct": (pa.struct([("k", pa.int64())]), [{"k": 1}, {"k": 2}], [{"k": None}, {"k": 2**62}]),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], []], [[], [("", 2**62)]]),
}
CASES = ("plain", "extreme", "missing", "some missing", "one row", "no rows", "not finite", "many")


def values(kind, case):
    """Of one type, as they are stored."""
    type_, plain, extreme = TYPES[kind]
    found = {
        "plain": plain,
        "extreme": extreme,
        "missing": [None, None],
        "some missing": [*plain, None],
        "one row": plain[:1],
        "no rows": [],
        "not finite": [INF, -INF, NAN, 1.0] if kind in ("single", "real") else plain * 2,
        "many": plain * 30 + extreme,
    }[case]
    if case == "many" and pa.types.is_floating(type_):
        found = [*np.linspace(-1.0, 1.0, 60).tolist(), INF, *extreme]
    return pa.array(found, type_)


def finite(number):
    return number if number is not None and math.isfinite(number) else None


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", TYPES)
def test_statistics_of_any_values_are_json_and_right(kind, case):
    column = values(kind, case)
    rows = pa.table({"x": column, "y": column})
    for document in profile.describe(rows, {"histograms", "correlations", "exactUniqueness"}):
        json.dumps(document, allow_nan=False)
        known = [value for value in column.to_pylist() if value is not None]
        assert document["count"] == len(column)
        assert document["numNullValues"] == len(column) - len(known)
        if "min" in document:
            numbers = [float(value) for value in known if not math.isnan(value)]
            largest = max(map(abs, numbers))
            assert document["min"] == finite(min(numbers))
            assert document["max"] == finite(max(numbers))
            mean = finite(sum(numbers) / len(numbers))
            assert document["mean"] == pytest.approx(mean, abs=1e-15 * largest)
        histogram = json.loads(document.get("extendedStatistics", "{}")).get("histogram", [])
        infinite = sum(1 for each in known if isinstance(each, float) and not math.isfinite(each))
        if histogram:
            assert sum(bin_["count"] for bin_ in histogram) in (len(known), len(known) - infinite)


def test_bins_of_numbers_that_are_close_together_are_told_apart():
    close = [0.0001 * i for i in range(100)]
    (document,) = profile.describe(pa.table({"x": close}), {"histograms"})
    histogram = json.loads(document["extendedStatistics"])["histogram"]
    assert [bin_["count"] for bin_ in histogram] == [5] * 20
    assert len({bin_["value"] for bin_ in histogram}) == 20


@pytest.mark.parametrize("type_", [pa.float16(), pa.float32(), pa.float64()])
def test_both_zeros_are_one_value(type_):
    zeros = pa.array(np.array([0.0, -0.0, 1.0], type_.to_pandas_dtype()), type_)
    (document,) = profile.describe(pa.table({"x": zeros}), {"histograms", "exactUniqueness"})
    assert document["exactNumDistinctValues"] == 2
    assert document["uniqueness"] == pytest.approx(1 / 3)
    histogram = json.loads(document["extendedStatistics"])["histogram"]
    assert [(bin_["value"], bin_["count"]) for bin_ in histogram] == [("0.0", 2), ("1.0", 1)]


# Through the SDK. Every value that pandas and the SDK can insert, in one feature group per case.

INSERTED = (
    "whole",
    "big",
    "single",
    "real",
    "money",
    "word",
    "raw",
    "flag",
    "moment",
    "list",
    "struct",
)
FLAT = [kind for kind in INSERTED if kind not in ("list", "struct", "raw")]  # what CSV can hold


def frame(case):
    columns = {kind: values(kind, case).to_pylist() for kind in INSERTED}
    length = max(len(column) for column in columns.values())
    columns = {kind: (column * length)[:length] for kind, column in columns.items()}
    found = pd.DataFrame({"id": range(length)})
    dtypes = {"whole": "Int32", "big": "Int64", "single": "float32", "real": "float64"}
    for kind, column in columns.items():
        found[kind] = pd.Series(column, dtype=dtypes.get(kind, "object"))
    found["moment"] = pd.Series(np.array(columns["moment"], "datetime64[us]"))
    return found


@pytest.fixture(scope="module", params=["plain", "extreme", "some missing", "not finite", "many"])
def stored(request, feature_store):
    """A feature group with the values of a case, and a view of it."""
    name = request.param.replace(" ", "_")
    group = feature_store.create_feature_group(
        f"statistics_{name}", 1, primary_key=["id"], statistics_config=CONFIG
    )
    group.insert(frame(request.param))
    query = group.select(["id", *FLAT])
    return group, feature_store.create_feature_view(f"statistics_{name}", query, version=1)


def of(statistics):
    return {feature.feature_name: feature for feature in statistics.feature_descriptive_statistics}


def expected(rows, name="real"):
    """Minimum, maximum and mean, as pandas has them, where they are finite."""
    with np.errstate(all="ignore"):
        column = rows[name].astype(float)
        return [finite(column.min()), finite(column.max()), pytest.approx(finite(column.mean()))]


def test_every_call_about_a_feature_group_tells_the_same(stored):
    group, _ = stored
    rows = group.read()
    group.compute_statistics()
    for found in (
        group.statistics,
        group.get_statistics(),
        group.get_statistics_by_commit_window(to_commit_time=max(group.commit_details())),
        group.get_statistics(feature_names=["real", "big"]),
    ):
        assert [found and of(found)["real"].min, of(found)["real"].max, of(found)["real"].mean] == (
            expected(rows)
        )
        assert of(found)["big"].count == len(rows)
    latest = max(group.commit_details())
    assert {each.window_end_commit_time for each in group.get_all_statistics()} == {latest}
    assert set(of(group.statistics)) == {feature.name for feature in group.columns}


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tsv", None])
def test_training_data_has_statistics(stored, data_format):
    _, view = stored
    if data_format is None:
        view.training_data(statistics_config=CONFIG)
    else:
        view.create_training_data(data_format=data_format, statistics_config=CONFIG)
    version = max(each.version for each in view.get_training_datasets())
    found = of(view.get_training_dataset_statistics(version))
    rows = view.query.read()
    assert [found["real"].min, found["real"].max, found["real"].mean] == expected(rows)
    assert set(found) == {"id", *FLAT}


@pytest.mark.parametrize("in_memory", [True, False])
def test_each_split_has_statistics(stored, in_memory):
    _, view = stored
    if in_memory:
        view.train_test_split(0.5)
    else:
        view.create_train_test_split(0.5)
    version = max(each.version for each in view.get_training_datasets())
    splits = view.get_training_dataset_statistics(version).split_statistics
    assert {split.name for split in splits} == {"train", "test"}
    counts = [
        feature.count
        for split in splits
        for feature in split.feature_descriptive_statistics
        if feature.feature_name == "id"
    ]
    assert sum(counts) == len(view.query.read())


def test_statistics_of_files_are_those_of_the_latest_files(feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    view = feature_store.create_feature_view(name, group.select_all(), version=1)
    view.create_training_data()
    assert of(view.get_training_dataset_statistics(1))["id"].max == 2
    group.insert(pd.DataFrame({"id": [9]}))
    view.recreate_training_dataset(1)
    assert of(view.get_training_dataset_statistics(1))["id"].max == 9
    only = view.get_training_dataset_statistics(1, feature_names=["no_such"])
    assert only.feature_descriptive_statistics == []


# By time: each commit has statistics, whether or not somebody looked when it was the latest


@pytest.fixture
def commits(feature_store, name):
    """A feature group with three commits, and their times, the earliest first."""
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    for value in (1, 2, 3):
        group.insert(pd.DataFrame({"id": [1], "x": [value]}))
    return group, sorted(group.commit_details())


def test_statistics_at_a_time_are_those_of_the_last_commit_until_then(commits):
    group, times = commits
    for value, time in enumerate(times, 1):
        for later in (0, 1):
            at = group.get_statistics_by_commit_window(to_commit_time=time + later)
            assert (of(at)["x"].max, at.window_end_commit_time) == (value, time)
            at = group.get_statistics(computation_time=time + later)
            assert (of(at)["x"].max, at.computation_time) == (value, time)
    assert of(group.statistics)["x"].max == 3
    assert group.get_statistics_by_commit_window(to_commit_time=times[0] - 1) is None
    assert group.get_statistics(computation_time=times[0] - 1) is None


def test_all_statistics_are_one_for_each_commit_until_a_time(commits):
    group, times = commits
    found = group.get_all_statistics()
    assert [each.window_end_commit_time for each in found] == times[::-1]
    assert all(each.feature_descriptive_statistics is None for each in found)
    earlier = group.get_all_statistics(computation_time=times[1])
    assert [each.computation_time for each in earlier] == times[1::-1]


def test_statistics_can_be_computed_as_of_a_time(commits):
    group, times = commits
    found = group.compute_statistics(wallclock_time=times[1])
    assert of(found)["x"].max == 2


def test_a_window_with_a_start_alone_is_refused_as_in_hopsworks(commits):
    group, times = commits
    with pytest.raises(RestAPIError, match="has a start needs an end too") as caught:
        group.get_statistics_by_commit_window(from_commit_time=times[0])
    assert caught.value.response.json()["errorCode"] == 270229
    window = {"from_commit_time": times[0], "to_commit_time": times[1]}
    assert group.get_statistics_by_commit_window(**window) is None  # nobody computed those


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Pacific/Auckland"])
def test_the_latest_statistics_are_found_in_every_time_zone(run, tmp_path, zone):
    """The SDK asks for those of now, by the local clock."""
    variables = {"TZ": zone, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(sys.executable, PROGRAMS / "latest_statistics.py", env=variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done: maximum 2.0, computed 2.0"
