"""Queries: filters on every type, order, limits, the tickets of the protocol; the real SDK asks,
the server answers."""

import datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError
from hsfs.feature import Feature

from local_hopsworks.offline.delta import path
from tests.local_hopsworks.conditions import COMPARE
from tests.local_hopsworks.reading import column, rows

UTC = datetime.timezone.utc


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
