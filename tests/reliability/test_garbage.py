"""Rows that are not as they should be, through the SDK: stored as they are, or refused and the
table is as it was."""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError

GOOD = pd.DataFrame(
    {
        "id": [1, 2],
        "x": [0.5, 1.5],
        "s": ["a", "b"],
        "t": pd.to_datetime(["2026-01-01", "2026-01-02"]).as_unit("us"),
    }
)


def bad(**columns: Any) -> pd.DataFrame:
    return GOOD.assign(id=[3, 4]).assign(**columns)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "text for a number": (
        bad(x=["one", "two"]),
        FeatureStoreException,
        "x .expected type: 'double'",
    ),
    "text for a time": (
        bad(t=["now", "then"]),
        FeatureStoreException,
        "t .expected type: 'timestamp'",
    ),
    "number for text": (bad(s=[1, 2]), FeatureStoreException, "s .expected type: 'string'"),
    "bytes for text": (bad(s=[b"a", b"b"]), FeatureStoreException, "s .expected type: 'string'"),
    "fraction for a key": (
        bad(id=[3.5, 4.5]),
        FeatureStoreException,
        "id .expected type: 'bigint'",
    ),
    "text and numbers": (bad(s=["a", 5]), TypeError, "Expected bytes, got a 'int' object"),
    "half a character": (bad(s=["\ud800", "b"]), UnicodeEncodeError, "surrogates not allowed"),
    "key missing": (bad(id=[3, math.nan]), ValueError, "validation errors"),
    "column missing": (
        bad().drop(columns="s"),
        FeatureStoreException,
        "s .* is missing from input",
    ),
    "key column missing": (bad().drop(columns="id"), ValueError, "id is missing in input"),
    "unknown column": (
        bad(extra=[1, 2]),
        FeatureStoreException,
        "extra .* does not exist in feature group",
    ),
    "no column": (pd.DataFrame(), ValueError, "id is missing in input"),
    "no frame": ({"id": [3]}, TypeError, "not recognized"),
    "a sentence": ("all passengers", TypeError, "not recognized"),
}
# What cannot become a feature group is refused before there is one: by the SDK, or by this server
NO_GROUP: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no value says what type it has": (
        {"x": [None, None]},
        FeatureStoreException,
        "dtype 'null' not supported",
    ),
    "larger than any column": ({"x": [2**70, 1]}, OverflowError, "too large"),
    "unsigned": (
        {"x": np.array([1, 2], "uint64")},
        FeatureStoreException,
        "dtype 'uint64' not supported",
    ),
    "duration": ({"x": pd.to_timedelta([1, 2])}, FeatureStoreException, "not supported"),
    "complex": ({"x": [1j, 2j]}, NotImplementedError, "Unsupported numpy type"),
    "name that is no name": (
        {"é": [1, 2]},
        RestAPIError,
        "lower-case letters, digits and underscores",
    ),
    "name that is too long": (
        {"x" * 64: [1, 2]},
        RestAPIError,
        "lower-case letters, digits and underscores",
    ),
}


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("id").reset_index(drop=True)


def test_rows_that_do_not_fit_are_refused_and_the_table_is_as_it_was(feature_store, name, record):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(GOOD)
    for kind, (rows, error, sentence) in REFUSED.items():
        record(inputs_tried=1)
        with pytest.raises(error, match=sentence):
            group.insert(rows)
            pytest.fail(kind)
    record(rows_written=2)
    stored = in_order(group.read())
    record(rows_lost=2 - stored["id"].isin([1, 2]).sum())
    pd.testing.assert_frame_equal(stored, GOOD)
    assert len(group.commit_details()) == 1


@pytest.mark.parametrize("kind", NO_GROUP)
def test_columns_that_no_table_can_hold_make_no_feature_group(feature_store, name, record, kind):
    columns, error, sentence = NO_GROUP[kind]
    record(inputs_tried=1)
    with pytest.raises(error, match=sentence):
        feature_store.create_feature_group(name, 1, primary_key=["id"]).insert(
            pd.DataFrame({"id": [1, 2], **columns})
        )
    assert feature_store.get_feature_group(name, 1) is None


STORED = {
    "x": [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308],
    "s": ["", "é😀\u202e中", "\x00a\n\t", "'; DROP TABLE secret; --", "<script>", "x" * 10_000_000],
    "n": pd.array([2**63 - 1, -(2**63), 0, None, 1, -1], "Int64"),
    "b": [True, False, None, True, False, None],
    "d": [
        datetime.date(1, 1, 1),
        datetime.date(9999, 12, 31),
        None,
        *[datetime.date(1970, 1, 1)] * 3,
    ],
    "m": [
        decimal.Decimal("1.10"),
        decimal.Decimal("-99999999.99"),
        None,
        *[decimal.Decimal("0.00")] * 3,
    ],
    "a": [[1.0, 2.0], [], None, [math.nan], [math.inf], [0.0]],
    "o": [{"a": 1}, {"a": -1}, None, {"a": 0}, {"a": 2}, {"a": 3}],
}


def test_values_at_the_edge_come_back_as_they_went_in(feature_store, name, record):
    rows = pd.DataFrame({"id": range(6), **STORED})
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(rows)
    record(inputs_tried=6, rows_written=6)
    stored = in_order(group.read())
    record(rows_lost=6 - len(stored))
    for column, sent in STORED.items():
        for number, (expected, found) in enumerate(zip(sent, stored[column], strict=True)):
            where = f"{column}[{number}]"
            if isinstance(expected, list):
                np.testing.assert_array_equal(found, expected, where)
            elif expected is None or expected is pd.NA or expected != expected:
                assert pd.isna(found), where
            elif column == "n" and stored[column].dtype == "float64":
                # Pandas has no integer that may be missing
                assert found == float(expected), where
            else:
                assert found == expected, where
    assert math.copysign(1, stored["x"][3]) == -1


def test_times_of_any_zone_are_stored_as_that_moment(feature_store, name, record):
    local = pd.to_datetime(["2026-01-01 12:00", "2026-07-01 12:00", "2026-10-25 02:30"]).as_unit(
        "us"
    )
    for zone, key in (("Europe/Stockholm", 0), ("Asia/Kathmandu", 10), ("UTC", 20)):
        moments = local.tz_localize(zone, ambiguous=True)
        group = feature_store.get_or_create_feature_group(name, 1, primary_key=["id"])
        group.insert(pd.DataFrame({"id": range(key, key + 3), "t": moments}))
        record(inputs_tried=3, rows_written=3)
        stored = group.read().set_index("id")["t"].reindex(range(key, key + 3))
        record(rows_lost=int(stored.isna().sum()))
        assert list(stored.dt.tz_localize("UTC")) == list(moments.tz_convert("UTC"))


@pytest.mark.reliability
def test_a_thousand_columns_are_stored_and_read(feature_store, name, record):
    rows = pd.DataFrame(
        {"id": [1, 2], **{f"c{number}": [float(number), -1.0] for number in range(1000)}}
    )
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(rows)
    record(inputs_tried=1, rows_written=2)
    pd.testing.assert_frame_equal(in_order(group.read()), rows)


def test_a_frame_without_rows_changes_nothing(feature_store, name, record):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(GOOD)
    group.insert(GOOD.head(0))
    record(inputs_tried=1, rows_written=2)
    pd.testing.assert_frame_equal(in_order(group.read()), GOOD)


def test_a_key_that_is_twice_in_one_frame_takes_no_other_row_along(feature_store, name, record):
    # The SDK's merge compares a frame with the table and not with itself, here as on a real
    # Hopsworks: both are kept
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(GOOD)
    group.insert(bad(id=[2, 2]))
    record(inputs_tried=1, rows_written=4)
    stored = in_order(group.read())
    assert list(stored["id"]) == [1, 2, 2]
    assert set(stored["x"][1:]) == {0.5, 1.5} and stored["x"][0] == 0.5
