"""Feature groups: everything the SDK does with one, against the embedded server."""

import datetime
import time

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError
from hsfs.feature import Feature

DAY = pd.Timestamp("2026-01-01").as_unit("us")


def passengers(*ids, fare=10.0):
    return pd.DataFrame(
        {"passenger_id": list(ids), "fare": [fare] * len(ids), "sex": ["female"] * len(ids)}
    )


def fares(rows):
    """What is stored, as {passenger_id: fare}; fails if a key occurs twice."""
    assert rows["passenger_id"].is_unique
    return dict(zip(rows["passenger_id"], rows["fare"], strict=True))


@pytest.fixture
def make(feature_store, name):
    """A saved feature group under the test's own name, with rows if some are given."""

    def create(rows=None, **options):
        group = feature_store.create_feature_group(
            name,
            **{
                "version": 1,
                "primary_key": ["passenger_id"],
                "description": "the passengers",
                **options,
            },
        )
        group.insert(passengers(1, 2, 3) if rows is None else rows)
        return group

    return create


# ---------------------------------------------------------------------------------------- create,
# find, list, delete


def test_created_group_is_found_as_it_was_described(make, feature_store, name):
    make(passengers(1).assign(event_time=DAY), event_time="event_time")
    group = feature_store.get_feature_group(name, 1)
    assert (group.name, group.version, group.description) == (name, 1, "the passengers")
    assert (group.primary_key, group.event_time) == (["passenger_id"], "event_time")
    assert [(feature.name, feature.type, feature.primary) for feature in group.columns] == [
        ("passenger_id", "bigint", True),
        ("fare", "double", False),
        ("sex", "string", False),
        ("event_time", "timestamp", False),
    ]


def test_get_or_create_returns_what_is_there(make, feature_store, name):
    created = make()
    again = feature_store.get_or_create_feature_group(
        name, version=1, primary_key=["something_else"]
    )
    assert again.id == created.id and again.primary_key == ["passenger_id"]


def test_missing_group_is_none(feature_store, name):
    assert feature_store.get_feature_group(name, 1) is None
    assert not feature_store.get_feature_groups(name)


@pytest.mark.filterwarnings("ignore:No version provided for creating feature group")
def test_version_that_is_not_given_is_the_next(make, feature_store, name):
    assert make().version == 1
    assert make(version=None).version == 2
    assert {group.version for group in feature_store.get_feature_groups(name)} == {1, 2}


def test_all_groups_are_listed(make, feature_store, name):
    make()
    assert name in [group.name for group in feature_store.get_feature_groups()]


def test_two_unsaved_handles_create_one_group(feature_store, name):
    handles = [
        feature_store.get_or_create_feature_group(name, 1, primary_key=["passenger_id"])
        for _ in range(2)
    ]
    for position, handle in enumerate(handles):
        handle.insert(passengers(position))
    assert handles[0].id == handles[1].id
    assert set(fares(handles[0].read())) == {0, 1}


def test_second_group_of_the_same_version_must_have_the_same_columns(make, feature_store, name):
    make()
    other = feature_store.create_feature_group(name, 1, primary_key=["passenger_id"])
    with pytest.raises(
        RestAPIError, match=f"Feature group {name} version 1 exists with another schema"
    ):
        other.insert(passengers(1).assign(deck="C"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"description": "others"}, "with another description; get it"),
        ({"online_enabled": True}, "with another setting of online_enabled; get it"),
    ],
)
def test_what_is_asked_of_a_group_that_exists_is_not_passed_over(
    make, feature_store, name, options, sentence
):
    make()
    other = feature_store.create_feature_group(name, 1, primary_key=["passenger_id"], **options)
    with pytest.raises(RestAPIError, match=sentence) as refused:
        other.insert(passengers(1))
    assert refused.value.error_code == 270089
    kept = feature_store.get_feature_group(name, 1)
    assert (kept.online_enabled, kept.description) != (True, "others")


@pytest.mark.parametrize("wrong", ["Capital", "1st", "with space", "../up", "x" * 64])
def test_name_that_hopsworks_would_refuse_is_refused(feature_store, wrong):
    group = feature_store.create_feature_group(wrong, 1, primary_key=["passenger_id"])
    with pytest.raises((RestAPIError, FeatureStoreException), match="1 to 63"):
        group.insert(passengers(1))


@pytest.mark.filterwarnings("ignore:All jobs associated to feature group")
def test_deleted_group_takes_its_rows_along(make, feature_store, name):
    first = make()
    first.delete()
    assert feature_store.get_feature_group(name, 1) is None
    second = make(passengers(9))
    assert second.id != first.id and set(fares(second.read())) == {9}


@pytest.mark.filterwarnings("ignore:All jobs associated to feature group")
def test_group_that_a_view_reads_is_not_deleted(make, feature_store, name):
    group = make()
    feature_store.create_feature_view(name, group.select_all(), version=1)
    with pytest.raises(
        RestAPIError, match=f"Feature group {name} is used by feature view {name} version 1"
    ):
        group.delete()
    assert len(group.read()) == 3
    group.delete(delete_feature_views=True)
    assert feature_store.get_feature_view(name, 1) is None


@pytest.mark.filterwarnings("ignore:All jobs associated to feature group")
def test_force_deletes_a_group_that_a_view_reads(make, feature_store, name):
    group = make()
    feature_store.create_feature_view(name, group.select_all(), version=1)
    group.delete(force=True)
    assert feature_store.get_feature_group(name, 1) is None


# --------------------------------------------------------------------------------------------------
# insert and read


def test_insert_replaces_rows_of_the_same_key(make):
    group = make(passengers(1, 2))
    group.insert(passengers(2, 3, fare=20.0))
    assert fares(group.read()) == {1: 10.0, 2: 20.0, 3: 20.0}


def test_event_time_is_part_of_the_key(make):
    group = make(passengers(1).assign(event_time=DAY), event_time="event_time")
    group.insert(passengers(1).assign(event_time=DAY))
    group.insert(passengers(1).assign(event_time=DAY + pd.Timedelta(days=1).as_unit("us")))
    assert len(group.read()) == 2


def test_append_adds_rows_without_looking_for_their_keys(make):
    group = make(passengers(1))
    group.insert(passengers(1, fare=20.0), operation="insert")
    assert sorted(group.read()["fare"]) == [10.0, 20.0]


def test_overwrite_leaves_only_the_new_rows(make):
    group = make()
    assert 4 not in fares(group.read())  # whoever has read the old rows gets the new ones too
    group.insert(passengers(4), overwrite=True)
    assert set(fares(group.read())) == {4}


def test_every_type_comes_back_as_it_went_in(make):
    row = {
        "passenger_id": [1], "text": ["naïve – 日本"], "flag": [True], "number": [1.5],
        "moment": pd.array([DAY], "datetime64[us]"), "day": [datetime.date(1912, 4, 15)],
        "small": pd.array([7], "int32"), "many": [[1.0, 2.0]],
    }  # fmt: skip
    stored = make(pd.DataFrame(row)).read().iloc[0]
    assert (stored["text"], stored["flag"], stored["number"], stored["small"]) == (
        "naïve – 日本",
        True,
        1.5,
        7,
    )
    assert pd.Timestamp(stored["moment"]).tz_localize(None) == DAY
    assert str(stored["day"])[:10] == "1912-04-15"
    assert list(stored["many"]) == [1.0, 2.0]


def test_missing_values_stay_missing(make):
    group = make(pd.DataFrame({"passenger_id": [1, 2], "fare": [None, 1.0], "sex": ["male", None]}))
    stored = group.read().set_index("passenger_id")
    assert pd.isna(stored.loc[1, "fare"]) and pd.isna(stored.loc[2, "sex"])


def test_select_returns_those_columns(make):
    assert list(make().select(["fare", "passenger_id"]).read().columns) == ["fare", "passenger_id"]


def test_select_except_returns_the_others(make):
    assert list(make().select_except(["fare"]).read().columns) == ["passenger_id", "sex"]


def test_filter_chooses_rows(make):
    group = make()
    found = group.filter(
        (group.get_feature("passenger_id") > 1) & (group.get_feature("sex") == "female")
    ).read()
    assert set(fares(found)) == {2, 3}


def test_show_returns_that_many_rows(make):
    assert len(make().show(2)) == 2


def test_group_saved_without_rows_is_read_as_an_empty_frame(feature_store, name):
    group = feature_store.create_feature_group(
        name, 1, primary_key=["a"], features=[Feature("a", "bigint")]
    )
    group.save()
    assert list(group.read().columns) == ["a"] and group.read().empty


def test_group_whose_overwriting_was_interrupted_has_its_earlier_rows(make, api):
    group = make()
    # And the new rows never come
    api("POST", f"/project/1/featurestores/1/featuregroups/{group.id}/clear")
    assert set(fares(group.read())) == {1, 2, 3}


def test_unknown_column_is_refused_with_those_there_are(make):
    with pytest.raises(RestAPIError, match="has no feature 'ticket', but passenger_id, fare, sex"):
        make().select(["ticket"]).read()


def test_removed_rows_are_gone(make):
    group = make()
    group.remove_rows(passengers(1))
    assert set(fares(group.read())) == {2, 3}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:hsfs.*", "ignore:.*commit_delete_record")
def test_commit_delete_record_removes_rows_too(make):
    group = make()
    group.commit_delete_record(passengers(1, 2))
    assert set(fares(group.read())) == {3}


# -----------------------------------------------------------------------------------------------
# commits, time travel


def test_commits_tell_what_each_insert_did(make):
    group = make(passengers(1, 2))
    group.insert(passengers(2, 3))
    group.remove_rows(passengers(1))
    counts = [
        (c["rowsInserted"], c["rowsUpdated"], c["rowsDeleted"])
        for c in group.commit_details().values()
    ]
    assert counts == [(0, 0, 1), (1, 1, 0), (2, 0, 0)]
    assert [len(group.commit_details(limit=limit)) for limit in (2, 0, -1)] == [2, 3, 3]


def test_commits_up_to_a_time_leave_out_later_ones(make):
    group = make(passengers(1))
    (first,) = group.commit_details()
    group.insert(passengers(2))
    assert list(group.commit_details(wallclock_time=first)) == [first]
    assert group.commit_details(wallclock_time="1960-01-01") == {}


def test_commit_is_told_though_its_writer_died_before_telling_it(make, feature_store, name):
    group = make(passengers(1))
    # All that an interrupted insert got to do
    write_deltalake(group.location, passengers(2, 3), mode="append")
    newest = next(iter(feature_store.get_feature_group(name, 1).commit_details().values()))
    assert newest["rowsInserted"] == 2
    assert len(group.read()) == 3


def test_group_is_read_as_it_was(make):
    group = make(passengers(1))
    (first,) = group.commit_details()
    group.insert(passengers(1, 2, fare=20.0))
    assert fares(group.as_of(first).read()) == {1: 10.0}
    assert fares(group.read()) == {1: 20.0, 2: 20.0}


def test_before_the_first_commit_there_is_nothing_to_read(make):
    with pytest.raises(FeatureStoreException, match="No commits found for featuregroup"):
        make().as_of("2000-01-01").read()


def test_changes_are_the_rows_of_the_commits_between(make):
    group = make(passengers(1, 2))
    (first,) = group.commit_details()
    time.sleep(0.01)
    group.insert(passengers(2, 3, fare=20.0))
    group.remove_rows(passengers(1))
    assert fares(group.read_changes(first, int(time.time() * 1000))) == {2: 20.0, 3: 20.0}


def test_changes_are_refused_of_a_group_that_does_not_record_them(feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["passenger_id"])
    group.insert(passengers(1, 2), write_options={"delta.enableChangeDataFeed": "false"})
    (first,) = group.commit_details()
    time.sleep(0.01)
    group.insert(passengers(2, fare=20.0))  # rewrites the file in which 1 stands too
    with pytest.raises(FeatureStoreException, match=r"delta\.enableChangeDataFeed is off"):
        group.read_changes(first, int(time.time() * 1000))


# ---------------------------------------------------------------------- appended features,
# descriptions, tags, online


def test_appended_feature_has_its_default_in_rows_stored_before(make):
    group = make(passengers(1))
    group.append_features(
        [Feature("deck", "string", default_value="unknown"), Feature("cabin", "bigint")]
    )
    group.insert(passengers(2).assign(deck="C", cabin=85))
    stored = group.read().set_index("passenger_id")
    assert dict(stored["deck"]) == {1: "unknown", 2: "C"}
    assert pd.isna(stored.loc[1, "cabin"]) and stored.loc[2, "cabin"] == 85


APPENDED = {
    "float": (pa.float32(), "0.5"),
    "decimal(5,2)": (pa.decimal128(5, 2), "3"),
    "tinyint": (pa.int8(), "3"),
    "map<string, int>": (pa.map_(pa.string(), pa.int32()), None),
    "struct<A:int,b:array<struct<c:decimal(5,2)>>>": (
        pa.struct([
            ("A", pa.int32()), ("b", pa.list_(pa.struct([("c", pa.decimal128(5, 2))]))),
        ]),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("type_", "expected"), APPENDED.items(), ids=APPENDED)
def test_an_appended_feature_is_read_as_its_own_type(make, type_, expected):
    arrow, default = expected
    group = make(passengers(1))
    group.append_features(Feature("more", type_, default_value=default))
    with group.select(["more"]).read_batches() as batches:
        (read,) = batches
    assert read.schema.field("more").type.equals(arrow)
    assert (read["more"].to_pylist()[0] is None) == (default is None)


def test_table_as_of_before_a_feature_was_appended_has_its_default_too(make):
    group = make(passengers(1))
    before = max(group.commit_details())
    group.append_features(
        [Feature("deck", "string", default_value="unknown"), Feature("cabin", "bigint")]
    )
    group.insert(passengers(2).assign(deck="C", cabin=85))
    stored = group.select_all().as_of(before).read().set_index("passenger_id")
    assert dict(stored["deck"]) == {1: "unknown"} and pd.isna(stored.loc[1, "cabin"])


def test_appended_feature_can_be_filtered_by_its_default(make):
    group = make(passengers(1))
    group.append_features(Feature("deck", "string", default_value="unknown"))
    assert set(fares(group.filter(group.get_feature("deck") == "unknown").read())) == {1}


def test_descriptions_can_be_changed(make, feature_store, name):
    group = make()
    group.update_description("all who sailed")
    group.update_feature_description("fare", "in pounds")
    stored = feature_store.get_feature_group(name, 1)
    assert stored.description == "all who sailed"
    assert stored.get_feature("fare").description == "in pounds"


def test_tags_hold_any_json(make):
    group = make()
    group.add_tag("source", {"from": "Kaggle", "rows": 891})
    group.add_tag("plain", "text")
    group.add_tag("plain", "other text")
    assert group.get_tags() == {"source": {"from": "Kaggle", "rows": 891}, "plain": "other text"}
    group.delete_tag("plain")
    assert group.get_tag("plain") is None


# --------------------------------------------------------------------------------------------------
# statistics


def test_statistics_are_those_of_pandas(make):
    rows = passengers(*range(1, 11)).assign(fare=[1.0, 2, 2, 3, 5, 8, 13, 21, 34, None])
    group = make(rows)
    group.compute_statistics()
    found = {s.feature_name: s for s in group.get_statistics().feature_descriptive_statistics}
    expected = rows["fare"].describe()
    fare = found["fare"]
    assert (fare.count, fare.num_non_null_values, fare.num_null_values) == (10, 9, 1)
    assert (fare.min, fare.max, fare.mean) == (
        expected["min"],
        expected["max"],
        pytest.approx(expected["mean"]),
    )
    assert fare.std_dev == pytest.approx(expected["std"])
    assert fare.percentiles["50%"] == expected["50%"]
    assert found["sex"].exact_num_distinct_values == 1


def test_statistics_can_be_asked_for_one_feature(make):
    group = make()
    group.compute_statistics()
    only = group.get_statistics(feature_names=["fare"]).feature_descriptive_statistics
    assert [statistics.feature_name for statistics in only] == ["fare"]


def test_statistics_that_are_not_wanted_are_none(make):
    assert make(statistics_config=False).get_statistics() is None


# ------------------------------------------------------------- answers that the SDK cannot do
# without (protocol notes)


def test_expectation_suite_of_a_group_without_one_has_a_body(make, api):
    group = make()
    answer = api("GET", f"/project/1/featurestores/1/featuregroups/{group.id}/expectationsuite")
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "items": []})


def test_registered_commit_is_answered_with_its_address(make, api):
    group = make()
    path = f"/project/1/featurestores/1/featuregroups/{group.id}/commits"
    answer = api("POST", path, json={"commitTime": 1, "rowsInserted": 1})
    assert answer.json()["href"].endswith(path)
