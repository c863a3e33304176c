"""What the pages say of the values of a feature, held against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from deltalake import write_deltalake

from local_hopsworks.offline import summary
from local_hopsworks.offline.plan import Column, Plan, Table
from local_hopsworks.offline.run import Engine

ENGINE = Engine()
ROWS = 30_000
TYPES = {
    "number": "bigint",
    "spread": "double",
    "odd": "double",
    "word": "string",
    "text": "string",
    "truth": "boolean",
    "time": "timestamp",
    "nothing": "double",
    "vector": "array<bigint>",
}


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(7)
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 10**7, ROWS), unit="s")
    return pd.DataFrame(
        {
            "number": random.integers(-5, 6, ROWS),
            "spread": random.normal(100, 15, ROWS),
            "odd": random.choice([1.5, 2.5, np.inf, -np.inf], ROWS),
            "word": random.choice(["a", "b", None], ROWS),
            "text": [f"text {number}" for number in range(ROWS)],
            "truth": random.random(ROWS) < 0.25,
            "time": pd.Series(times).astype("datetime64[us]"),
            "nothing": pd.Series([None] * ROWS, dtype="float64"),
            "vector": [[number] for number in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def plan(frame, tmp_path_factory):
    """A plan that reads the frame from a table of several files."""
    folder = tmp_path_factory.mktemp("table")
    for start in range(0, ROWS, ROWS // 3):
        write_deltalake(folder, frame.iloc[start : start + ROWS // 3], mode="append")
    table = Table(1, "table", folder.as_uri(), None, None, tuple(TYPES.items()))
    columns = [(Column(0, name, type_), name) for name, type_ in TYPES.items()]
    return Plan(tables=[table], columns=columns)


@pytest.fixture(scope="module")
def found(plan):
    return {each.name: each for each in summary.summaries(ENGINE, plan)}


@pytest.mark.parametrize("name", TYPES)
def test_rows_and_gaps_are_counted(found, frame, name):
    assert found[name].rows == ROWS
    assert found[name].nulls == frame[name].isna().sum()


@pytest.mark.parametrize("name", ["number", "spread"])
def test_range_and_mean_are_those_of_pandas(found, frame, name):
    values = frame[name]
    assert (found[name].least, found[name].most) == (values.min(), values.max())
    assert found[name].mean == pytest.approx(values.mean())


def test_what_is_not_finite_has_no_part_in_range_and_mean(found, frame):
    finite = frame["odd"][np.isfinite(frame["odd"])]
    assert (found["odd"].least, found["odd"].most) == (1.5, 2.5)
    assert found["odd"].mean == pytest.approx(finite.mean())
    assert sum(count for _, count in found["odd"].histogram) == len(finite)


@pytest.mark.parametrize("name", ["number", "word", "truth"])
def test_few_values_are_counted_exactly_each_with_its_bar(found, frame, name):
    counts = frame[name].value_counts()
    assert found[name].distinct == len(counts) and not found[name].is_estimated
    assert {label.lower(): count for label, count in found[name].histogram} == {
        str(value).lower(): count for value, count in counts.items()
    }


def test_many_values_are_estimated_and_say_so(found):
    assert found["text"].is_estimated and found["text"].histogram == []
    assert found["text"].distinct == pytest.approx(ROWS, rel=0.1)
    assert found["text"].distinct <= ROWS


def test_bins_of_a_histogram_are_those_of_numpy(found, frame):
    expected, _ = np.histogram(frame["spread"], summary.MOST_BINS)
    counts = [count for _, count in found["spread"].histogram]
    # numpy's bins are closed on the left, these on the right; only edges differ
    assert counts == pytest.approx(expected, abs=2) and sum(counts) == ROWS


def test_bins_of_times_are_times(found):
    bins = found["time"].histogram
    assert len(bins) == summary.MOST_BINS and sum(count for _, count in bins) == ROWS
    assert bins[0][0].startswith("2026-01-01 00:")


def test_column_without_values_has_nothing_to_tell(found):
    nothing = found["nothing"]
    assert (nothing.distinct, nothing.least, nothing.mean, nothing.histogram) == (0, None, None, [])


@pytest.fixture(scope="module")
def all_rows(plan):
    return summary.head(ENGINE, plan, 0, ROWS).rows


def test_head_has_every_row(all_rows, frame):
    assert sorted(row[4] for row in all_rows) == sorted(frame["text"])


@pytest.mark.parametrize("start", [0, 7, 9_995, 29_998, ROWS])
def test_head_begins_anywhere(plan, all_rows, start):
    head = summary.head(ENGINE, plan, start, 4)
    assert [row[4] for row in head.rows] == [row[4] for row in all_rows[start : start + 4]]
    assert head.goes_on == (start + 4 < ROWS)
