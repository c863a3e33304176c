"""Queries: filters on every type, joins, point-in-time joins, time travel; the real SDK asks, the
server answers."""

import datetime
import decimal
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError
from hsfs.feature import Feature

from local_hopsworks.offline.delta import path
from tests.local_hopsworks.conditions import COMPARE

UTC = datetime.timezone.utc


def rows(query):
    """All rows of a query in the order of their keys, as a limit has them. Unlike `read()`,
    `read_batches()` shows no animation, which would take half a second."""
    with (query if query._limit is not None else query.limit(1000)).read_batches() as batches:
        return [row for batch in batches for row in batch.to_pylist()]


def column(query, name="id"):
    return [row[name] for row in rows(query)]


@pytest.fixture(scope="module")
def make_group(feature_store):
    def make(name, data, **options):
        group = feature_store.get_or_create_feature_group(
            name=name, version=1, **{"primary_key": ["id"], **options}
        )
        frame = pd.DataFrame(data)
        for timed in frame.select_dtypes(["datetime", "datetimetz"]):
            frame[timed] = frame[timed].dt.as_unit("us")  # the SDK warns of nanoseconds
        group.insert(frame)
        return group

    return make


# Filters

MOMENTS = [datetime.datetime(2024, 1, day, 12, 30) for day in range(1, 6)]
DAYS = [datetime.date(2024, 1, day) for day in range(1, 6)]
VALUES = {
    "big": [-(2**53) - 1, -1, 0, 7, 2**53 + 1],
    "whole": [-3, -1, 0, 2, 9],
    "real": [-1.5, 0.0, 0.1, 2.25, 1e300],
    "single": [-1.5, 0.0, 0.1, 2.25, 1e30],
    "word": ["a", "b'; DROP TABLE fg0; --", "naïve 中文 🚢", 'quo"te', ""],
    "flag": [True, False, True, False, True],
    "moment": MOMENTS,
    "day": DAYS,
}


@pytest.fixture(scope="module")
def typed(make_group):
    """Five rows of every type, and a sixth in which all but the key is missing."""
    data = {"id": range(1, 7)}
    dtypes = {"big": "Int64", "whole": "Int32", "real": "float64", "single": "float32"}
    for name, values in VALUES.items():
        data[name] = pd.Series([*values, None], dtype=dtypes.get(name, "object"))
    data["moment"] = pd.to_datetime(data["moment"])
    return make_group("typed", data)


@pytest.mark.parametrize("condition", COMPARE)
@pytest.mark.parametrize("name", VALUES)
def test_filter_finds_what_python_finds(typed, name, condition):
    compare, feature = COMPARE[condition], typed.get_feature(name)
    for bound in VALUES[name][1:4]:
        expected = [i for i, value in enumerate(VALUES[name], 1) if compare(value, bound)]
        assert column(typed.select(["id"]).filter(compare(feature, bound))) == expected, bound


def test_stored_types_come_back_as_they_went_in(typed):
    assert {feature.name: feature.type for feature in typed.columns} == {
        "id": "bigint",
        "big": "bigint",
        "whole": "int",
        "real": "double",
        "single": "float",
        "word": "string",
        "flag": "boolean",
        "moment": "timestamp",
        "day": "date",
    }
    for name, values in VALUES.items():
        got = column(typed.select_all(), name)
        assert got[:5] == [pytest.approx(value) if name == "single" else value for value in values]
        assert got[5] is None


# There the SDK itself fails on None
@pytest.mark.parametrize("name", sorted(VALUES.keys() - {"moment"}))
def test_filter_by_none_tells_missing_from_present(typed, name):
    feature = typed.get_feature(name)
    assert column(typed.select(["id"]).filter(feature == None)) == [6]  # noqa: E711
    assert column(typed.select(["id"]).filter(feature != None)) == [1, 2, 3, 4, 5]  # noqa: E711


@pytest.mark.parametrize("name", ["big", "whole", "real", "single", "word", "flag"])
def test_isin_finds_the_listed_values(typed, name):
    listed = VALUES[name][1:3]
    expected = [i for i, value in enumerate(VALUES[name], 1) if value in listed]
    assert column(typed.select(["id"]).filter(typed.get_feature(name).isin(listed))) == expected


def test_isin_of_dates_and_of_nothing(typed):
    assert column(typed.select(["id"]).filter(typed.day.isin([str(DAYS[0]), str(DAYS[3])]))) == [
        1,
        4,
    ]
    assert column(typed.select(["id"]).filter(typed.moment.isin([str(MOMENTS[1])]))) == [2]
    assert rows(typed.filter(typed.word.isin([]))) == []


@pytest.mark.parametrize(
    ("pattern", "expected"), [("a%", [1]), ("%文%", [3]), ("_", [1]), ("%'%", [2]), ("", [5])]
)
def test_like_matches_patterns(typed, pattern, expected):
    assert column(typed.select(["id"]).filter(typed.word.like(pattern))) == expected


def test_and_or_nest_as_written(typed):
    where = ((typed.whole > 0) | (typed.flag == True)) & ((typed.real < 2) | (typed.word == ""))  # noqa: E712
    assert column(typed.select(["id"]).filter(where)) == [1, 3, 5]


def test_chained_filters_all_hold(typed):
    assert column(typed.select(["id"]).filter(typed.whole >= 0).filter(typed.flag == False)) == [4]  # noqa: E712


@pytest.mark.parametrize(
    "bound", ["2024-01-03 12:30:00", "2024-01-03T12:30:00Z", MOMENTS[2], 1704285000000]
)
def test_times_may_be_text_datetime_or_milliseconds(typed, bound):
    assert column(typed.select(["id"]).filter(typed.moment >= bound)) == [3, 4, 5]


@pytest.mark.parametrize("zone", [None, UTC])
def test_a_window_of_time_reads_only_the_files_it_lies_in(make_group, name, zone):
    old, new = (
        [datetime.datetime(year, 1, day, tzinfo=zone) for day in (1, 2)] for year in (2024, 2025)
    )
    group = make_group(name, {"id": [1, 2], "moment": old}, statistics_config=False)
    (of_old,) = path(group.location).glob("*.parquet")
    frame = pd.DataFrame({"id": [3, 4], "moment": pd.Series(new).dt.as_unit("us")})
    group.insert(frame, operation="insert")
    of_old.write_bytes(b"whoever reads this fails")
    an_hour_east = datetime.datetime(
        2025, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
    )
    for bound in (new[0], "2025-01-01", an_hour_east):
        assert column(group.filter(group["moment"] >= bound)) == [3, 4]


@pytest.mark.parametrize("by", ["id", "at"])
def test_within_bounds_only_the_pages_that_may_hold_such_rows_are_read(make_group, name, by):
    ids, start = np.arange(200_000), pd.Timestamp("2024-01-01").as_unit("us")
    data = {
        "id": ids,
        "at": start + pd.to_timedelta(ids, "s").as_unit("us"),
        "x": np.random.default_rng(0).random(200_000),
    }
    group = make_group(f"{name}_{by}", data, statistics_config=False)
    bound = 199_999 if by == "id" else data["at"][199_999]
    (file,) = path(group.location).glob("*.parquet")
    x = pq.ParquetFile(file).metadata.row_group(0).column(2)
    with file.open("r+b") as stored:
        stored.seek(x.data_page_offset)
        pages = x.dictionary_page_offset + x.total_compressed_size - x.data_page_offset
        stored.write(b"\xff" * (pages // 2))  # whoever reads that fails
    assert column(group.filter(group[by] >= bound)) == [199_999]
    with pytest.raises(FeatureStoreException):
        column(group.select_all())


def test_rows_are_read_in_one_order_however_many_there_are(make_group, name):
    """Of a file of over ten megabytes an engine with more than one thread would read parts as they
    come."""
    group = make_group(
        name, {"id": np.arange(1_500_000), "x": np.random.default_rng(0).random(1_500_000)}
    )
    with group.select(["id"]).read_batches() as batches:
        assert np.array_equal(
            np.concatenate([batch["id"].to_numpy() for batch in batches]), np.arange(1_500_000)
        )


def test_a_feature_that_was_appended_bounds_the_rows_that_have_it(make_group, name):
    group = make_group(name, {"id": [1, 2]})
    group.append_features([Feature("late", "bigint"), Feature("told", "bigint", default_value="7")])
    assert column(group.filter(group["late"] >= 0)) == []
    assert column(group.filter(group["told"] >= 7)) == [1, 2]
    group.insert(pd.DataFrame({"id": [3], "late": [5], "told": [6]}))
    assert column(group.filter(group["late"] >= 0)) == [3]
    assert column(group.filter((group["told"] >= 7) & (group["id"] > 1))) == [2]


def test_a_day_lies_before_its_noon(typed):
    noon = datetime.datetime(2024, 1, 3, 12, tzinfo=UTC)
    assert column(typed.select(["id"]).filter(typed.day < noon)) == [1, 2, 3]
    assert column(typed.select(["id"]).filter(typed.day >= noon)) == [4, 5]


@pytest.mark.parametrize("bound", [0.5, "7.0", 1e30, "1e999999999", "-inf"])
def test_a_whole_number_compares_with_any_number(typed, bound):
    expected = [i for i, value in enumerate(VALUES["big"], 1) if value > float(bound)]
    assert column(typed.select(["id"]).filter(typed.big > bound)) == expected


@pytest.mark.parametrize(
    ("name", "bound"), [("big", "seven"), ("big", "NaN"), ("flag", "maybe"), ("day", "x")]
)
def test_a_value_of_another_type_is_refused_with_a_sentence(typed, name, bound):
    with pytest.raises(
        RestAPIError, match=rf"'{bound}' is no \w+, which '{name}' is compared with"
    ):
        rows(typed.filter(typed.get_feature(name) == bound))


def test_more_than_none_and_like_on_numbers_are_refused(typed):
    with pytest.raises(RestAPIError, match="can be equal to None or not, but not more or less"):
        rows(typed.filter(typed.whole > None))
    with pytest.raises(RestAPIError, match="like needs a feature of type string; 'whole' is int"):
        rows(typed.filter(typed.whole.like("1%")))


HOSTILE = [
    "'",
    "''",
    '"',
    "\\",
    "\\'",
    "'; DROP TABLE fg0; --",
    "/* x */",
    "' OR '1'='1",
    "%",
    "_",
    "\x00",
    "\u2028",
    "’ OR 1=1",
    "{}",
    "$1",
    "?",
    "🚢",
]


def test_hostile_values_are_only_values(make_group):
    group = make_group("hostile", {"id": range(len(HOSTILE)), "word": HOSTILE})
    for i, value in enumerate(HOSTILE):
        assert column(group.filter(group.word == value)) == [i], value
        assert column(group.filter(group.word.isin([value, "no such"]))) == [i], value


@pytest.mark.parametrize(
    "evil", ['id";drop/**/table/**/fg0;--', "id,(select/**/1)", "*", "naïve", "", "fg0.id"]
)
def test_hostile_names_are_refused_with_a_sentence(typed, evil):
    with pytest.raises(RestAPIError, match="has no feature"):
        rows(typed.select(["id", evil]))


def test_limit_and_show_return_the_first_rows(typed):
    assert column(typed.select(["id"]).limit(2)) == [1, 2]
    assert rows(typed.select(["id"]).limit(0)) == []
    assert typed.select(["id"]).filter(typed.get_feature("id") > 2).show(3)["id"].tolist() == [
        3,
        4,
        5,
    ]


def test_read_gives_a_pandas_frame_even_of_no_rows(typed):
    frame = typed.filter(typed.get_feature("id") > 99).read()
    assert list(frame.columns) == ["id", *VALUES] and len(frame) == 0


def test_rows_that_are_being_overwritten_are_read_until_the_new_ones_are_there(
    make_group, api, name
):
    """As after a program that was stopped within `insert(overwrite=True)`."""
    group = make_group(name, {"id": [1]})
    assert api("POST", f"/project/1/featurestores/1/featuregroups/{group.id}/clear").ok
    assert group.read()["id"].tolist() == [1]


def test_a_query_over_a_deleted_group_is_refused_with_a_sentence(make_group, name):
    group = make_group(name, {"id": [1]})
    query = group.select_all()
    group.delete()
    with pytest.raises(RestAPIError, match="reads the feature group with id") as caught:
        rows(query)
    assert caught.value.response.json()["errorCode"] == 270009


# Joins

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
    "moment": [MOMENTS[0], datetime.datetime(2024, 1, 2), None],
    "day": [DAYS[0], DAYS[1], None],
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


# Time travel


@pytest.fixture(scope="module")
def travelled(make_group):
    """A group of three commits (insert 1-3; change 2, insert 4; insert 5) and the ms at which each
    was done."""
    done = []
    for data in (
        {"id": [1, 2, 3], "x": [1, 2, 3]},
        {"id": [2, 4], "x": [22, 4]},
        {"id": [5], "x": [5]},
    ):
        group = make_group("travelled", data)
        done.append(max(group.commit_details(limit=1)))
        time.sleep(0.02)  # commits are told apart by milliseconds
    return group, done


def values(query):
    return {row["id"]: row["x"] for row in rows(query)}


def moment(milliseconds):
    return datetime.datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_as_of_reads_the_rows_of_that_time(travelled):
    group, done = travelled
    assert values(group.select_all().as_of(moment(done[0]))) == {1: 1, 2: 2, 3: 3}
    assert values(group.select_all().as_of(moment(done[1]))) == {1: 1, 2: 22, 3: 3, 4: 4}
    assert values(group.select_all().as_of(moment(done[2] + 60_000))) == {
        1: 1,
        2: 22,
        3: 3,
        4: 4,
        5: 5,
    }


def test_as_of_a_time_before_the_first_commit_says_so(travelled):
    group, done = travelled
    with pytest.raises(
        FeatureStoreException, match="No commits found for featuregroup travelled_1 up to 20"
    ):
        group.select_all().as_of(moment(done[0] - 1)).read()


@pytest.mark.parametrize("time_", ["1960-01-01", "1970-01-01"])
def test_times_up_to_1970_are_times_before_the_first_commit(travelled, time_):
    group, _ = travelled
    with pytest.raises(FeatureStoreException, match=f"travelled_1 up to {time_}"):
        group.select_all().as_of(time_).read()
    changes = rows(group.select_all().as_of(None, exclude_until=time_))
    assert sorted((row["id"], row["x"]) for row in changes) == [
        (1, 1), (2, 2), (2, 22), (3, 3), (4, 4), (5, 5),
    ]  # fmt: skip


def test_changes_between_two_commits_are_new_rows_and_new_images(travelled):
    group, done = travelled
    first, second, third = map(moment, done)
    assert values(group.select_all().as_of(second, exclude_until=first)) == {2: 22, 4: 4}
    assert values(group.select_all().as_of(third, exclude_until=first)) == {2: 22, 4: 4, 5: 5}
    assert values(group.select_all().as_of(None, exclude_until=second)) == {5: 5}
    assert rows(group.select_all().as_of(None, exclude_until=third)) == []


def test_as_of_applies_to_each_side_of_a_join(travelled, make_group):
    group, done = travelled
    names = make_group("travel_names", {"id": [1, 2, 4], "word": ["one", "two", "four"]})
    query = names.select_all().join(group.select(["x"]).as_of(moment(done[0])), join_type="inner")
    assert rows(query) == [{"id": 1, "word": "one", "x": 1}, {"id": 2, "word": "two", "x": 2}]


# The protocol


def test_limited_rows_are_the_first_by_key_however_they_were_merged(make_group, name):
    frame = pd.DataFrame({"id": np.arange(3000), "x": np.arange(3000)})
    for part in (frame[1000:2000], frame[:1500], frame[1500:], frame[:10]):
        group = make_group(name, part)
    assert column(group.select(["x"]).limit(2500), "x") == frame["x"][:2500].tolist()


def test_the_query_service_is_on_a_port_of_its_own_and_tickets_are_ascii(server, typed):
    """The SDK appends ":5005" to the variable; the slash makes that a path. And it encodes tickets
    as ASCII."""
    from hsfs.core import arrow_flight_client

    assert column(typed.filter(typed.word == VALUES["word"][2])) == [3]
    address = arrow_flight_client._get_instance().host_url
    assert address.startswith("grpc+tls://127.0.0.1:") and address.endswith("/:5005")
    assert f":{server.port}/" not in address


def test_a_ticket_of_another_signature_is_refused(typed):
    from hsfs.core import arrow_flight_client, query_constructor_api

    query = query_constructor_api.QueryConstructorApi()._construct_query(
        typed.select_all(), hqs=True
    )
    query._hqs_payload = query.hqs_payload.replace('"id"', '"big"')
    with pytest.raises(FeatureStoreException, match="The query was not signed by this Hopsworks"):
        arrow_flight_client._get_instance()._read_query(query, {}, "pandas")
