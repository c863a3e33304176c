"""Comparisons in filters, of every type with every value and every other type: the oracle is
Python."""

import datetime
import decimal
import itertools
import json
import math
import operator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hopsworks.client.exceptions import RestAPIError
from hypothesis import given, settings
from hypothesis import strategies as st

from local_hopsworks.errors import HopsworksError
from local_hopsworks.offline.planner import make_plan
from local_hopsworks.offline.run import Engine
from tests.local_hopsworks.conditions import COMPARE

ENGINE = Engine()
INF, NAN = math.inf, math.nan
TYPES = {
    "id": ("bigint", pa.int64()),
    "i": ("int", pa.int32()),
    "n": ("bigint", pa.int64()),
    "f": ("float", pa.float32()),
    "x": ("double", pa.float64()),
    "m": ("decimal(9,2)", pa.decimal128(9, 2)),
    "w": ("decimal(38,10)", pa.decimal128(38, 10)),
    "s": ("string", pa.string()),
    "u": ("string", pa.string()),
    "b": ("boolean", pa.bool_()),
    "c": ("boolean", pa.bool_()),
    "d": ("date", pa.date32()),
    "t": ("timestamp", pa.timestamp("us", "UTC")),
    "y": ("binary", pa.binary()),
    "z": ("binary", pa.binary()),
}
D, UTC = decimal.Decimal, datetime.timezone.utc
# Of decimal(38,10); Delta itself reads none above 1e27
LARGE = D("12345678901234567890.0000000001")
DAY, NOON = datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 12, tzinfo=UTC)
MIDNIGHT = datetime.datetime(2024, 1, 1, tzinfo=UTC)
ROWS = [
    (0, 0, 0, 0.0, 0.0, D("0.00"), D(0), "a", "a", True, False, DAY, MIDNIGHT, b"a", b"a"),
    (
        1,
        -(2**31),
        -(2**63),
        -INF,
        -INF,
        D("-9999999.99"),
        LARGE.copy_negate(),
        "",
        "a",
        True,
        True,
        DAY,
        NOON,
        b"",
        b"\x00",
    ),
    (
        2,
        2**31 - 1,
        2**63 - 1,
        INF,
        INF,
        D("9999999.99"),
        LARGE,
        "b'a'x",
        "B",
        False,
        True,
        datetime.date.max,
        datetime.datetime.max.replace(tzinfo=UTC),
        b"\xff",
        b"\xfe",
    ),
    (3, None, None, None, None, None, None, None, None, None, None, None, None, None, None),
    (
        4,
        16777217,
        2**53 + 1,
        16777216.0,
        2.0**53,
        D("0.10"),
        D("0.1"),
        '{"name": 1}',
        "中🚢",
        False,
        False,
        datetime.date.min,
        datetime.datetime.min.replace(tzinfo=UTC),
        b"'",
        b"'",
    ),
    (
        5,
        1,
        1,
        NAN,
        NAN,
        D("1.00"),
        D("1.005"),
        "%_\\",
        "%",
        None,
        True,
        datetime.date(1969, 12, 31),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        b"zz",
        None,
    ),
    (6, None, 7, 0.1, 0.1, D("7.00"), None, "zz", None, True, None, None, NOON, None, b"zz"),
]
TABLE = [dict(zip(TYPES, row, strict=True)) for row in ROWS]
for _row in TABLE:
    _row["f"] = None if _row["f"] is None else float(np.float32(_row["f"]))
NUMBERS, TIMES = "infxmw", "dt"


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """The ids of the rows for which a filter holds; all rows are in one file."""
    folder = tmp_path_factory.mktemp("store") / "table"
    schema = pa.schema([(name, type_) for name, (_, type_) in TYPES.items()])
    write_deltalake(folder, pa.Table.from_pylist(TABLE, schema))
    features = [{"name": name, "type": type_} for name, (type_, _) in TYPES.items()]
    group = {"id": 1, "name": "g", "version": 1, "location": folder.as_uri(), "features": features}

    def read_ids(name, condition, value):
        where = {"feature": {"name": name}, "condition": condition, "value": value}
        document = {"leftFeatureGroup": {"id": 1}, "leftFeatures": [{"name": "id"}]}
        plan = make_plan({**document, "filter": where}, lambda _: group, "project")
        return ENGINE.table(plan)["id"].to_pylist()

    return read_ids


def feature(name):
    """As the SDK writes one in the place of a value."""
    return json.dumps({
        "name": name, "type": TYPES[name][0], "description": None, "partition": False,
        "hudiPrecombineKey": False, "offlineOnly": False, "primary": False, "foreign": False,
        "onlineType": None, "defaultValue": None, "featureGroupId": 1, "onDemand": False,
        "useFullyQualifiedName": False, "columnName": name,
    })  # fmt: skip


def ordered(value):
    """A value whose order in Python is that of SQL: NaN equals NaN and is above infinity; a day is
    its first moment."""
    if isinstance(value, int | float | D):
        is_nan = isinstance(value, float) and math.isnan(value)
        return (is_nan, 0 if is_nan else value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def holds(condition, left, right):
    return COMPARE[condition](ordered(left), ordered(right))


def found(name, condition, value):
    """The ids by Python's own comparison."""
    return [
        row["id"] for row in TABLE if row[name] is not None and holds(condition, row[name], value)
    ]


def single(number):
    """The number in single precision, unless it is too large for that."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(number))
    return number if math.isinf(rounded) else rounded


EXACT = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([-(2**63) - 1, -(2**63), 2**63 - 1, 2**63, 2**53, 10**29, -(10**400)]),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9
    ),
    st.sampled_from([D("0.5"), D("-0.5"), D("9999999.991"), D("1e-400"), D("inf"), D("-inf")]),
)
FLOATS = st.one_of(st.floats(), st.sampled_from([0.1, -0.0, 1e39, -1e300, INF, NAN, 2.0**53]))
MOMENTS = st.one_of(
    st.datetimes(timezones=st.just(UTC)), st.dates(), st.sampled_from([DAY, NOON, MIDNIGHT])
)
VALUES = {
    **dict.fromkeys("inmw", EXACT),
    "x": FLOATS,
    "f": FLOATS.map(single),
    "s": st.one_of(st.sampled_from(["a", "", "b'a'x", '{"name": 1}', "%_\\"]), st.text(max_size=4)),
    "b": st.booleans(),
    "d": MOMENTS,
    "t": MOMENTS,
    "y": st.one_of(st.sampled_from([b"", b"a", b"\xff", b"'", b"zz"]), st.binary(max_size=4)),
}


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data(), condition=st.sampled_from(sorted(COMPARE)))
@settings(max_examples=60, deadline=None)
def test_a_value_is_compared_as_python_compares_it(read, name, data, condition):
    value = data.draw(VALUES[name])
    assert read(name, condition, str(value)) == found(name, condition, value)


@pytest.mark.parametrize("name", "inxsbd")
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_list_finds_what_equals_one_of_its_values(read, name, data):
    listed = data.draw(st.lists(VALUES[name], max_size=4))
    sent = [float(value) if isinstance(value, D) else value for value in listed]
    expected = {row for value in sent for row in found(name, "EQUALS", value)}
    assert read(name, "IN", json.dumps(sent, default=str)) == sorted(expected)


@pytest.mark.parametrize("name", TYPES)
def test_none_is_found_where_a_value_is_missing(read, name):
    missing = [row["id"] for row in TABLE if row[name] is None]
    assert read(name, "EQUALS", None) == missing
    assert read(name, "NOT_EQUALS", None) == [r["id"] for r in TABLE if r["id"] not in missing]


PAIRS = [
    *itertools.product(NUMBERS, NUMBERS),
    *itertools.product(TIMES, TIMES),
    *itertools.product("su", "su"),
    *itertools.product("bc", "bc"),
    *itertools.product("yz", "yz"),
]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_two_features_are_compared_as_python_compares_them(read, left, right):
    """With a feature of floating numbers, as SQL does it, every number is one."""
    floating = not {left, right}.isdisjoint("fx")
    pairs = {
        row["id"]: [float(row[name]) if floating else row[name] for name in (left, right)]
        for row in TABLE
        if row[left] is not None and row[right] is not None
    }
    for condition in COMPARE:
        expected = [key for key, pair in pairs.items() if holds(condition, *pair)]
        assert read(left, condition, feature(right)) == expected, condition


@pytest.mark.parametrize(
    ("left", "right"), [("s", "n"), ("b", "i"), ("t", "n"), ("y", "s"), ("m", "d")]
)
def test_features_without_a_common_order_are_refused_with_a_sentence(read, left, right):
    sentence = f"'{left}' is .* and '{right}' is .*, which cannot be compared"
    with pytest.raises(HopsworksError, match=sentence):
        read(left, "EQUALS", feature(right))


REFUSED = [
    ("s", "EQUALS", str(b"a"), r'"b\'a\'" is no string, which \'s\' is compared with'),
    ("s", "EQUALS", str(bytearray(b"a")), "is no string, which 's' is compared with"),
    ("n", "EQUALS", "NaN", "'NaN' is no bigint"),
    ("m", "LESS_THAN", "x", r"'x' is no decimal\(9,2\)"),
    ("n", "IN", '["x"]', "'x' is no bigint"),
    ("n", "IN", "[[1]]", "needs a list of values"),
    ("d", "EQUALS", "99999999999999999999", "is no date"),
    ("n", "LIKE", "1%", "like needs a feature of type string"),
    ("y", "LIKE", "1%", "like needs a feature of type string"),
    ("s", "LIKE", None, "not more or less"),
    ("s", "IN", None, "not more or less"),
]


@pytest.mark.parametrize(("name", "condition", "value", "sentence"), REFUSED)
def test_what_fits_no_column_is_refused_with_a_sentence(read, name, condition, value, sentence):
    with pytest.raises(HopsworksError, match=sentence) as caught:
        read(name, condition, value)
    assert caught.value.status == 400 and len(caught.value.message) < 300


def test_truth_counts_as_one_where_numbers_are_compared(read):
    assert read("n", "EQUALS", "True") == [5]
    assert read("x", "EQUALS", "False") == [0]
    assert read("b", "EQUALS", "1") == read("b", "EQUALS", "1.0") == [0, 1, 6]


def test_a_single_value_may_stand_for_a_list_of_one(read):
    assert read("n", "IN", "7") == [6]
    assert read("s", "IN", '"zz"') == [6]


@pytest.mark.parametrize(
    ("pattern", "expected"), [("%\\", [5]), ("\\%", []), ("b'a'_", [2]), ('{"%', [4])]
)
def test_like_knows_no_other_signs_than_per_cent_and_underscore(read, pattern, expected):
    assert read("s", "LIKE", pattern) == expected


# Through the SDK


@pytest.fixture(scope="module")
def groups(feature_store):
    """Two feature groups that share the key `id`; `limit` is in the second only."""
    frame = pd.DataFrame({
        "id": [1, 2, 3, 4], "a": [1, 5, 3, None], "b": [2.0, 2.0, 3.0, 0.5],
        "word": ["x", "y", "z", None],
    })  # fmt: skip
    frame["a"] = frame["a"].astype("Int64")
    other = pd.DataFrame({"id": [1, 2, 3], "limit": [1, 7, 2], "word": ["x", "a", "z"]})
    made = []
    for name, rows in (("compared", frame), ("compared_with", other)):
        group = feature_store.get_or_create_feature_group(name, 1, primary_key=["id"])
        group.insert(rows)
        made.append(group)
    return made


SDK_CONDITIONS = {
    "==": (operator.eq, [3]),
    "!=": (operator.ne, [1, 2]),
    "<": (operator.lt, [1]),
    "<=": (operator.le, [1, 3]),
    ">": (operator.gt, [2]),
    ">=": (operator.ge, [2, 3]),
}


@pytest.mark.parametrize("sign", SDK_CONDITIONS)
def test_filter_by_another_feature(groups, sign):
    compare, expected = SDK_CONDITIONS[sign]
    (group, _) = groups
    assert sorted(group.filter(compare(group.a, group.b)).read()["id"]) == expected


def test_filter_by_a_feature_of_the_joined_group(groups):
    left, right = groups

    def found(where, join_type):
        query = left.select(["id"]).join(right.select(["limit"]), on=["id"], join_type=join_type)
        return sorted(query.filter(where).read()["id"])

    assert found(left.a <= right.limit, "inner") == [1, 2]
    assert found(left.word == right.word, "inner") == [1, 3]
    assert found(left.a > right.limit, "left") == [3]


def test_a_feature_view_and_its_training_data_keep_such_a_filter(feature_store, groups):
    left, right = groups
    query = left.select(["id", "a", "b"]).join(right.select(["limit"]), on=["id"])
    view = feature_store.create_feature_view(
        "compared", query.filter((left.a >= left.b) | (left.a == right.limit)), version=1
    )
    again = feature_store.get_feature_view("compared", 1)
    assert sorted(again.get_batch_data()["id"]) == [1, 2, 3]
    features, _ = view.training_data(extra_filter=left.a > right.limit)
    assert features["id"].tolist() == [3]


def test_a_filter_by_a_feature_group_that_is_not_read_is_refused_with_a_sentence(groups):
    left, right = groups
    for where in (left.word == right.word, right.word == "x"):
        with pytest.raises(RestAPIError, match="of a feature group that the query does not read"):
            left.filter(where).read()


def test_bytes_are_found_in_a_binary_feature(feature_store):
    group = feature_store.get_or_create_feature_group("of_bytes", 1, primary_key=["id"])
    stored = [b"a", b"b'", b"\xff\x00", b"\\"]
    group.insert(pd.DataFrame({"id": [1, 2, 3, 4], "raw": stored}))
    assert group.get_feature("raw").type == "binary"
    for number, value in enumerate(stored, 1):
        for literal in (value, bytearray(value)):
            assert group.filter(group.raw == literal).read()["id"].tolist() == [number]


def test_the_first_years_are_compared_though_python_writes_them_short(read):
    """`datetime(1, 1, 1).strftime("%Y-%m-%d")` is 1-01-01 on Linux."""
    for name in "dt":
        for short, whole in (("1-01-01 00:00:00", "0001-01-01"), ("999-12-31", "0999-12-31")):
            found = read(name, "GREATER_THAN", short)
            assert found and found == read(name, "GREATER_THAN", whole)


def test_a_column_from_one_end_of_64_bits_to_the_other_is_filtered(feature_store):
    group = feature_store.get_or_create_feature_group("ends", 1, primary_key=["id"])
    ends = np.array([-(2**63), 0, 2**63 - 1])
    group.insert(pd.DataFrame({"id": [1, 2, 3], "n": ends, "other": ends}))
    assert group.filter(group.n > 0).read()["id"].tolist() == [3]
    assert group.filter(group.n > -(2**63) - 1).read()["id"].tolist() == [1, 2, 3]
    both = (group.get_feature("id") > 1) & (group.n < 2**63 - 1) & (group.other <= 0)
    assert group.filter(both).read()["id"].tolist() == [2]
