"""Joins and point-in-time joins; the real SDK asks, the server answers."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hopsworks.client.exceptions import RestAPIError
from hsfs.feature import Feature

from tests.local_hopsworks.reading import column, rows

UTC = datetime.timezone.utc

LEFT = pd.DataFrame({"id": [1, 2, 3, 4], "x": [10, 20, 30, 40]})
RIGHT = pd.DataFrame({"id": [2, 4, 6], "y": ["two", "four", "six"]})


@pytest.fixture(scope="module")
def left(make_group):
    return make_group("left_group", LEFT)


@pytest.fixture(scope="module")
def right(make_group):
    return make_group("right_group", RIGHT)


def merged(**options):
    frame = LEFT.merge(RIGHT, **options).astype(object)
    return set(frame.where(frame.notna(), None).itertuples(index=False, name=None))


@pytest.mark.parametrize("kind", ["inner", "left", "right", "full"])
def test_join_finds_what_pandas_finds(left, right, kind):
    found = rows(left.select(["x"]).join(right.select(["y"]), join_type=kind))
    expected = merged(on="id", how={"full": "outer"}.get(kind, kind))
    assert {(row["x"], row["y"]) for row in found} == {(x, y) for _, x, y in expected}
    assert len(found) == len(expected)


DEFAULTS = {
    "count": ("bigint", "7", 7),
    "ratio": ("double", "0.5", 0.5),
    "word": ("string", "none", "none"),
    "flag": ("boolean", "true", True),
    "day": ("date", "2024-01-02", datetime.date(2024, 1, 2)),
    "moment": (
        "timestamp",
        "2024-01-02 03:04:05",
        datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    ),
    "price": ("decimal(9,2)", "1.50", decimal.Decimal("1.50")),
}


def test_join_has_defaults_of_every_type_where_nothing_is_stored(left, make_group, name):
    other = make_group(name, {"id": [2], "parts": [[1, 2]], "tags": [{"a": 1}]})
    other.append_features(
        [Feature(key, kind, default_value=text) for key, (kind, text, _) in DEFAULTS.items()]
    )
    found = rows(left.select(["x"]).join(other.select(["parts", "tags", *DEFAULTS])))
    default = {key: value for key, (_, _, value) in DEFAULTS.items()}
    assert [{key: row[key] for key in default} for row in found] == [default] * len(found)
    assert [(row["x"], row["parts"], row["tags"]) for row in found] == [
        (10, None, None), (20, [1, 2], {"a": 1}), (30, None, None), (40, None, None)
    ]  # fmt: skip


def test_side_of_a_join_that_selects_nothing_still_counts(left, right):
    query = left.select(["x"]).join(right.select([]), on=["id"], join_type="inner")
    assert [row["x"] for row in rows(query)] == [20, 40]


def test_keys_are_returned_once(left, right):
    query = left.select_all().join(right.select_all(), on=["id"], join_type="inner")
    assert rows(query) == [{"id": 2, "x": 20, "y": "two"}, {"id": 4, "x": 40, "y": "four"}]


def test_left_on_and_right_on_keep_both_keys(left, make_group):
    other = make_group("other_key", {"key": [1, 3], "z": [0.5, 1.5]}, primary_key=["key"])
    query = left.select_all().join(
        other.select_all(), left_on=["id"], right_on=["key"], join_type="inner"
    )
    assert rows(query) == [
        {"id": 1, "x": 10, "key": 1, "z": 0.5},
        {"id": 3, "x": 30, "key": 3, "z": 1.5},
    ]


def test_whole_numbers_are_joined_by_their_value_however_long_they_are(make_group, name):
    """Those within 32 bits are joined in 32 bits."""
    short = make_group(name, {"id": [1, 2, 3], "key": [1, 2, -(2**31)]})
    long = make_group(f"{name}_long", {"id": [7, 8, 9], "key": [1, 2**32 + 2, -(2**31)]})
    query = short.select_all().join(long.select(["key"]), on=["key"], join_type="inner")
    assert column(query) == [1, 3]
    assert column(query.filter(short["id"] < 2**32)) == [1, 3]
    assert column(query.filter(short["id"] == 2**32 + 1)) == []


def test_prefix_names_the_right_side(left, right):
    assert rows(left.select_all().join(right.select_all(), prefix="r_", join_type="inner"))[0] == {
        "id": 2, "x": 20, "r_id": 2, "r_y": "two",
    }  # fmt: skip


def test_point_in_time_join_of_many_rows_is_no_nested_loop(make_group):
    """With one it would take minutes, and the test run out of time."""
    ids, start = list(range(200_000)), pd.Timestamp("2024-01-01").as_unit("us")
    early = make_group("many_early", {"id": ids, "at": start, "x": ids}, event_time="at")
    late = make_group(
        "many_late", {"id": ids, "at": start + pd.Timedelta(1, "h").as_unit("us")}, event_time="at"
    )
    found = late.select(["id"]).join(early.select(["x"]), on=["id"]).read()
    assert len(found) == len(ids) and (found["id"] == found["x"]).all()


def test_names_that_collide_get_the_name_of_their_feature_group(left, make_group):
    twin = make_group("twin", LEFT)
    found = rows(left.select_all().join(twin.select_all()))
    assert [list(row) for row in found] == [["id", "x", "twin_x"]] * len(LEFT["id"])
    assert all(row["twin_x"] == row["x"] for row in found)


def test_names_that_collide_in_spite_of_their_prefix_are_refused_with_a_sentence(left, make_group):
    twin = make_group("twin", LEFT)
    twice = (
        left.select(["x"])
        .join(twin.select(["x"]), prefix="t_")
        .join(twin.select(["x"]), prefix="t_")
    )
    with pytest.raises(
        RestAPIError, match="Two features of the query are called 't_x'; give a join a prefix"
    ):
        rows(twice)


def test_groups_that_share_no_key_are_refused_with_a_sentence(left, make_group):
    stranger = make_group("stranger", {"key": [1]}, primary_key=["key"])
    with pytest.raises(
        RestAPIError, match="left_group and stranger share no primary key to join on"
    ) as caught:
        rows(left.select_all().join(stranger.select_all()))
    assert caught.value.response.json()["errorCode"] == 270096


def test_filter_may_name_either_side(left, right):
    query = left.select_all().join(right.select_all(), join_type="left")
    assert column(query.filter((right.y == "two") | (left.x == 30))) == [2, 3]


def test_filter_of_the_right_side_holds_in_the_result(left, right):
    """As Hopsworks does it: the conditions of all groups stand in the one WHERE."""
    query = left.select_all().join(right.select_all().filter(right.y == "two"), join_type="left")
    assert column(query) == [2]


def test_three_groups_join_side_by_side_and_nested(left, right, make_group):
    third = make_group("third", {"y": ["two", "six"], "w": [2.0, 6.0]}, primary_key=["y"])
    beside = left.select_all().join(right.select_all(), join_type="inner").join(
        third.select(["w"]), left_on=["id"], right_on=["w"], join_type="inner"
    )  # fmt: skip
    assert rows(beside) == [{"id": 2, "x": 20, "y": "two", "w": 2.0}]
    within = right.select_all().join(third.select(["w"]), on=["y"], join_type="inner")
    assert [
        (row["id"], row["w"]) for row in rows(left.select(["id"]).join(within, join_type="left"))
    ] == [
        (1, None),
        (2, 2.0),
        (3, None),
        (4, None),
    ]


def test_a_limit_inside_a_join_is_refused_with_a_sentence(left, right):
    with pytest.raises(RestAPIError, match="Only a whole query can have a limit"):
        rows(left.select_all().join(right.select_all().limit(1)))


MIXED = {
    "whole": [16_777_217, 2, None],
    "single": [16_777_216.0, 2.0, None],
    "exact": [decimal.Decimal("1.5"), decimal.Decimal(2), None],
    "fine": [decimal.Decimal("1." + "0" * 36 + "1"), decimal.Decimal(2), None],
    "word": ["2", "x", None],
    "flag": [True, False, None],
    "moment": [datetime.datetime(2024, 1, 1, 12, 30), datetime.datetime(2024, 1, 2), None],
    "day": [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2), None],
    "raw": [b"2", b"x", None],
    "listed": [[2], [3], None],
}
KINDS = [{"whole", "single", "exact", "fine"}, {"moment", "day"}]


@pytest.fixture(scope="module")
def mixed(make_group):
    """Two groups with a column of each type; of values of one kind, those of row 2 are equal."""
    frame = pd.DataFrame({"id": [1, 2, 3], **MIXED})
    frame = frame.astype({"whole": "Int64", "single": "float32", "flag": "boolean"})
    return [make_group(name, frame) for name in ("mixed", "mixed_with")]


@pytest.mark.parametrize("right", MIXED)
@pytest.mark.parametrize("left", MIXED)
def test_keys_of_different_types_are_joined_as_numbers_or_times_or_not_at_all(mixed, left, right):
    ours, theirs = mixed
    on = {"left_on": [left], "right_on": [right], "join_type": "inner"}
    query = ours.select(["id"]).join(theirs.select(["id"]), prefix="r_", **on)
    if left == right:
        assert column(query) == [1, 2]
    elif any({left, right} <= kind for kind in KINDS):
        assert column(query) == [2]
    else:
        sentence = f"'{left}' is .* and '{right}' is .*, which cannot be joined on; give both"
        with pytest.raises(RestAPIError, match=sentence):
            rows(query)


# Point-in-time joins, against pandas.merge_asof

EPOCH = pd.Timestamp("2024-01-01")
UNITS = {
    "timestamp": lambda days: EPOCH + pd.to_timedelta(days, unit="D"),
    "date": lambda days: pd.Series(
        (EPOCH + pd.to_timedelta(days, unit="D")).dt.date, dtype="object"
    ),
    "seconds": lambda days: 1_704_067_200 + days * 86_400,
    "milliseconds": lambda days: 1_704_067_200_000 + days * 86_400_000,
}


def history(seed, count, feature):
    """Distinct (key, day) pairs of four keys and forty days with a feature to recognise each by."""
    pairs = np.random.default_rng(seed).permutation(4 * 40)[:count]
    frame = pd.DataFrame({"id": pairs % 4, "days": pairs // 4, feature: np.arange(count)})
    return frame.astype("int64")


LABELS, FIRST, SECOND = history(0, 60, "label"), history(1, 30, "a"), history(2, 25, "b")


def timed(make_group, frame, feature, unit):
    data = {"id": frame["id"], "event_time": UNITS[unit](frame["days"]), feature: frame[feature]}
    return make_group(f"pit_{feature}_{unit}", data, event_time="event_time")


def as_of(*others, kind="left"):
    """The oracle: for every label the latest row of each other history that is not later."""
    frame = LABELS.sort_values("days")
    for other in others:
        feature = other.columns[-1]
        frame = pd.merge_asof(frame, other.sort_values("days"), on="days", by="id")
        frame[feature] = frame[feature].astype("Int64")
    if kind == "inner":
        frame = frame.dropna()
    frame = frame.sort_values(["id", "days"]).drop(columns=["id", "days"]).astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


@pytest.mark.parametrize("kind", ["left", "inner"])
@pytest.mark.parametrize("unit", UNITS)
def test_point_in_time_join_of_two_groups(make_group, unit, kind):
    labels, first = timed(make_group, LABELS, "label", unit), timed(make_group, FIRST, "a", unit)
    assert rows(labels.select(["label"]).join(first.select(["a"]), join_type=kind)) == as_of(
        FIRST, kind=kind
    )


@pytest.mark.parametrize(
    ("unit", "others"),
    [
        ("timestamp", ("timestamp", "timestamp")),
        ("milliseconds", ("seconds", "date")),
        ("date", ("timestamp", "milliseconds")),
    ],
)
def test_point_in_time_join_of_three_groups(make_group, unit, others):
    labels = timed(make_group, LABELS, "label", unit)
    first, second = (
        timed(make_group, FIRST, "a", others[0]),
        timed(make_group, SECOND, "b", others[1]),
    )
    query = labels.select(["label"]).join(first.select(["a"])).join(second.select(["b"]))
    assert rows(query) == as_of(FIRST, SECOND)


@pytest.mark.parametrize("unit", ["date", "seconds", "milliseconds"])
def test_what_is_known_within_the_same_millisecond_but_later_is_not_known_yet(make_group, unit):
    days = pd.Series([0, -30_000])  # the second is before 1970
    labels = timed(make_group, pd.DataFrame({"id": [1, 2], "days": days, "soon": [0, 0]}), "soon",
                   unit)  # fmt: skip
    moments = UNITS["timestamp"](days)
    later = moments + pd.Timedelta(1, "us").as_unit("us")
    known = {"id": [1, 2, 1, 2], "at": [*moments, *later], "v": [0, 0, 1, 1]}
    group = make_group("pit_later", known, event_time="at")
    assert column(labels.select(["id"]).join(group.select(["v"])), "v") == [0, 0]


def test_event_times_at_both_ends_of_64_bits_are_joined(make_group):
    ends = {"id": [1, 2, 3], "at": [-(2**63), 0, 2**63 - 1]}
    labels = make_group("pit_ends", ends, event_time="at")
    known = {"id": [1, 2, 3], "at": [datetime.datetime(1960, 1, 1)] * 3, "v": [1, 2, 3]}
    group = make_group("pit_known", known, event_time="at")
    assert column(labels.select(["id"]).join(group.select(["v"])), "v") == [None, 2, 3]


def test_point_in_time_join_returns_key_and_event_time_of_the_left(make_group):
    labels, first = (
        timed(make_group, LABELS, "label", "timestamp"),
        timed(make_group, FIRST, "a", "timestamp"),
    )
    found = rows(labels.select_all().join(first.select_all()))
    assert list(found[0]) == ["id", "event_time", "label", "a"]
    times = (LABELS.sort_values(["id", "days"])["days"]).tolist()
    assert [(row["event_time"] - EPOCH).days for row in found] == times


def test_filter_of_the_right_side_chooses_before_the_latest_is_taken(make_group):
    labels, first = (
        timed(make_group, LABELS, "label", "timestamp"),
        timed(make_group, FIRST, "a", "timestamp"),
    )
    query = labels.select(["label"]).join(first.select(["a"]).filter(first.a < 10))
    expected = [row for row in as_of(FIRST[FIRST["a"] < 10]) if row["a"] is not None]
    assert rows(query) == expected
    # It matters
    assert expected != [row for row in as_of(FIRST) if row["a"] is not None and row["a"] < 10]


def test_filter_of_the_whole_query_holds_after_the_latest_is_taken(make_group):
    labels, first = (
        timed(make_group, LABELS, "label", "timestamp"),
        timed(make_group, FIRST, "a", "timestamp"),
    )
    query = labels.select(["label"]).join(first.select(["a"])).filter(first.a < 10)
    assert rows(query) == [row for row in as_of(FIRST) if row["a"] is not None and row["a"] < 10]
