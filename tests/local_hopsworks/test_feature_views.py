"""Feature views: created, found, changed, deleted; batch data with and without a window, keys and
helper columns."""

import datetime

import pandas as pd
import pytest
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError

DAYS = pd.Series(pd.date_range("2024-01-01", periods=10, freq="D", unit="us"))
ROWS = pd.DataFrame(
    {
        "key": range(10),
        "event_time": DAYS,
        "x": [i * 0.5 for i in range(10)],
        "colour": list("rgbrgbrgbr"),
        "label": [i % 2 for i in range(10)],
        "audit": range(100, 110),
        "weight": [1.0] * 10,
    }
)


@pytest.fixture(scope="module")
def group(feature_store):
    group = feature_store.get_or_create_feature_group(
        name="views_root", version=1, primary_key=["key"], event_time="event_time"
    )
    group.insert(ROWS)
    return group


@pytest.fixture(scope="module")
def view(feature_store, group):
    """A view with a label and helper columns, without key and event time."""
    return feature_store.create_feature_view(
        name="views",
        version=1,
        description="first",
        query=group.select(["x", "colour", "label", "audit", "weight"]),
        labels=["label"],
        inference_helper_columns=["audit"],
        training_helper_columns=["weight"],
    )


# Metadata


def test_a_label_may_be_a_helper_column_too(feature_store, group, name):
    view = feature_store.create_feature_view(
        name, group.select(["x", "label"]), version=1, labels=["label"],
        inference_helper_columns=["label"], training_helper_columns=["label"],
    )  # fmt: skip
    found = feature_store.get_feature_view(name, version=1)
    for each in (view, found):
        assert each.labels == each.inference_helper_columns == ["label"]
        assert each.training_helper_columns == ["label"]
    features, labels = found.training_data()
    assert (list(features), list(labels)) == (["x"], ["label"])


@pytest.mark.parametrize(("key", "selected"), [([], ["x", "label"]), (["key"], ["label"])])
def test_a_view_that_has_no_key_to_look_up_is_created(feature_store, name, key, selected):
    """Of a group without a key, or of nothing but labels. The SDK asks for prepared statements."""
    group = feature_store.create_feature_group(name, 1, primary_key=key)
    group.insert(ROWS)
    view = feature_store.create_feature_view(
        name, group.select(selected), version=1, labels=["label"]
    )
    assert view.serving_keys == set()
    _, labels = view.training_data()
    assert sorted(labels["label"]) == [0] * 5 + [1] * 5


def test_view_comes_back_as_it_was_created(feature_store, view):
    found = feature_store.get_feature_view("views", version=1)
    assert (found.id, found.description, found.labels) == (view.id, "first", ["label"])
    assert (found.inference_helper_columns, found.training_helper_columns) == (
        ["audit"],
        ["weight"],
    )
    assert [(feature.name, feature.type) for feature in found.features] == [
        ("x", "double"),
        ("colour", "string"),
        ("label", "bigint"),
        ("audit", "bigint"),
        ("weight", "double"),
    ]
    assert found.primary_keys == {"key"}


def test_missing_view_is_none(feature_store):
    assert feature_store.get_feature_view("no_such_view", version=1) is None
    assert feature_store.get_feature_views("no_such_view") == []


def test_versions_count_up_and_are_listed(feature_store, group, name):
    created = [
        feature_store.create_feature_view(name=name, query=group.select(["x"])) for _ in range(3)
    ]
    assert [view.version for view in created] == [1, 2, 3]
    assert [view.version for view in feature_store.get_feature_views(name)] == [1, 2, 3]


def test_a_version_cannot_be_created_twice(feature_store, group, name):
    feature_store.create_feature_view(name=name, version=4, query=group.select(["x"]))
    with pytest.raises(
        RestAPIError, match=f"Feature view {name} version 4 exists already"
    ) as caught:
        feature_store.create_feature_view(name=name, version=4, query=group.select(["x"]))
    assert caught.value.response.json()["errorCode"] == 270179


def test_get_or_create_returns_the_first(feature_store, group, name):
    first = feature_store.get_or_create_feature_view(
        name=name, version=1, query=group.select(["x"])
    )
    again = feature_store.get_or_create_feature_view(
        name=name, version=1, query=group.select(["colour"])
    )
    assert again.id == first.id and [feature.name for feature in again.features] == ["x"]


def test_description_can_be_changed(feature_store, group, name):
    view = feature_store.create_feature_view(
        name=name, version=1, description="old", query=group.select(["x"])
    )
    view.description = "new «déjà vu»"
    view.update()
    assert feature_store.get_feature_view(name, version=1).description == "new «déjà vu»"


def test_tags_are_kept_until_deleted(feature_store, group, name):
    view = feature_store.create_feature_view(name=name, version=1, query=group.select(["x"]))
    view.add_tag("owner", {"team": "ml", "since": 2024})
    view.add_tag("stage", "test")
    assert view.get_tag("owner") == {"team": "ml", "since": 2024}
    assert view.get_tags() == {"owner": {"team": "ml", "since": 2024}, "stage": "test"}
    view.delete_tag("owner")
    assert view.get_tags() == {"stage": "test"}


def test_deleted_view_is_gone_and_its_name_free(feature_store, group, name):
    view = feature_store.create_feature_view(name=name, version=1, query=group.select(["x"]))
    view.add_tag("stage", "test")
    view.delete()
    assert feature_store.get_feature_view(name, version=1) is None
    assert (
        feature_store.create_feature_view(
            name=name, version=1, query=group.select(["x"])
        ).get_tags()
        == {}
    )


def test_view_of_a_deleted_group_is_no_longer_valid(feature_store, name):
    doomed = feature_store.get_or_create_feature_group(name=name, version=1, primary_key=["key"])
    doomed.insert(ROWS)
    view = feature_store.create_feature_view(name=name, version=1, query=doomed.select(["x"]))
    with pytest.raises(RestAPIError, match=f"is used by feature view {name} version 1"):
        doomed.delete()
    doomed._feature_group_engine._feature_group_api._delete(doomed, force=True)
    with pytest.raises(ValueError, match="no longer valid"):
        feature_store.get_feature_view(name, version=1)
    view.delete()
    assert feature_store.get_feature_view(name, version=1) is None


def test_time_travel_is_ignored_as_the_sdk_says(feature_store, group, name):
    """A view of a query as of a time before the first insert still reads what there is."""
    with pytest.warns(
        UserWarning, match="will be ignored because feature view does not support time travel"
    ):
        view = feature_store.create_feature_view(
            name=name, version=1, query=group.select(["x"]).as_of("2020-01-01 00:00:00")
        )
    assert len(view.get_batch_data()) == 10


@pytest.mark.parametrize("bad", ["Upper", "with space", "../x", "1st", "x" * 64])
def test_impossible_names_are_refused_with_a_sentence(feature_store, group, bad):
    with pytest.raises((RestAPIError, ValueError, FeatureStoreException), match="name"):
        feature_store.create_feature_view(name=bad, version=1, query=group.select(["x"]))


# Batch data


def test_batch_data_has_no_label_and_no_helpers(view):
    batch = view.get_batch_data()
    assert list(batch.columns) == ["x", "colour"]
    assert batch["x"].tolist() == ROWS["x"].tolist()


def test_batch_data_with_helpers_keys_and_event_time(view):
    batch = view.get_batch_data(primary_key=True, event_time=True, inference_helper_columns=True)
    assert list(batch.columns) == [
        "x",
        "colour",
        "audit",
        "tests_views_root_1_key",
        "tests_views_root_1_event_time",
    ]
    assert batch["tests_views_root_1_key"].tolist() == ROWS["key"].tolist()
    assert batch["tests_views_root_1_event_time"].tolist() == ROWS["event_time"].tolist()


def test_selected_key_and_event_time_keep_their_names(feature_store, group, name):
    view = feature_store.create_feature_view(
        name=name, version=1, query=group.select(["key", "event_time", "x"])
    )
    assert list(view.get_batch_data(primary_key=True, event_time=True).columns) == [
        "key",
        "event_time",
        "x",
    ]


def test_key_that_is_a_helper_column_comes_when_keys_are_asked_for(feature_store, group, name):
    view = feature_store.create_feature_view(
        name=name, version=1, query=group.select(["key", "x"]), inference_helper_columns=["key"]
    )
    assert list(view.get_batch_data().columns) == ["x"]
    assert list(view.get_batch_data(primary_key=True).columns) == ["key", "x"]


def test_filter_of_the_view_and_extra_filter_both_hold(feature_store, group, name):
    query = group.select(["x", "colour"]).filter((group.x >= 1) & (group.colour.isin(["r", "g"])))
    view = feature_store.create_feature_view(name=name, version=1, query=query)
    assert view.get_batch_data()["x"].tolist() == [1.5, 2.0, 3.0, 3.5, 4.5]
    assert view.get_batch_data(extra_filter=group.label == 1)["x"].tolist() == [1.5, 3.5, 4.5]
    assert view.get_batch_data(extra_filter=(group.x > 4) | (group.x < 2))["x"].tolist() == [
        1.5,
        4.5,
    ]


TIMES = {
    "timestamp": DAYS,
    "date": DAYS.dt.date.astype("object"),
    "seconds": DAYS.astype("int64") // 10**6,
    "milliseconds": DAYS.astype("int64") // 10**3,
}


@pytest.mark.parametrize("unit", TIMES)
def test_time_window_is_from_start_to_before_end(feature_store, name, unit):
    group = feature_store.get_or_create_feature_group(
        name=name, version=1, primary_key=["key"], event_time="event_time"
    )
    group.insert(pd.DataFrame({"key": range(10), "event_time": TIMES[unit], "x": range(10)}))
    view = feature_store.create_feature_view(name=name, version=1, query=group.select(["x"]))
    assert view.get_batch_data(start_time="2024-01-03", end_time="2024-01-06")["x"].tolist() == [
        2,
        3,
        4,
    ]
    noon = datetime.datetime(2024, 1, 8, 12, tzinfo=datetime.timezone.utc)
    assert view.get_batch_data(start_time=noon)["x"].tolist() == [8, 9]
    assert view.get_batch_data(end_time=1704153600)["x"].tolist() == [0]


@pytest.mark.parametrize("unit", [1, 1000])
def test_time_window_before_1970_of_seconds_and_of_milliseconds(feature_store, name, unit):
    group = feature_store.get_or_create_feature_group(
        name=name, version=1, primary_key=["key"], event_time="event_time"
    )
    times = [-315_619_200 * unit, -31_536_000 * unit, 86_400 * unit * 365]  # in 1960, 1969, 1971
    group.insert(pd.DataFrame({"key": range(3), "event_time": times}))
    view = feature_store.create_feature_view(name=name, version=1, query=group.select(["key"]))
    found = [view.get_batch_data(start_time=start, end_time=end)["key"].tolist()
             for start, end in (("1959-01-01", "1965-01-01"), ("1965-01-01", None))]  # fmt: skip
    assert found == [[0], [1, 2]]


def test_time_window_without_event_time_is_refused_with_a_sentence(feature_store, name):
    group = feature_store.get_or_create_feature_group(name=name, version=1, primary_key=["key"])
    group.insert(ROWS)
    view = feature_store.create_feature_view(name=name, version=1, query=group.select(["x"]))
    with pytest.raises(ValueError, match="event time column is not available"):
        view.get_batch_data(start_time="2024-01-03")


# Views of several groups


@pytest.fixture(scope="module")
def other(feature_store):
    """Colours of the keys over time."""
    other = feature_store.get_or_create_feature_group(
        name="views_other", version=1, primary_key=["key", "part"], event_time="seen"
    )
    seen = DAYS - pd.Timedelta(hours=1)
    other.insert(
        pd.DataFrame(
            {"key": range(10), "part": [7] * 10, "seen": seen.dt.as_unit("us"), "x": range(10)}
        )
    )
    return other


@pytest.fixture(scope="module")
def joined(feature_store, group, other):
    """Joined as of the root's event time."""
    query = group.select(["x", "label"]).join(other.select(["x"]), on=["key"], prefix="other_")
    return feature_store.create_feature_view(
        name="views_joined", version=1, query=query, labels=["label"]
    )


def test_joined_view_has_prefixed_features_once(joined, feature_store):
    assert [
        feature.name for feature in feature_store.get_feature_view("views_joined", 1).features
    ] == [
        "x",
        "label",
        "other_x",
    ]
    batch = joined.get_batch_data()
    assert batch.to_dict("list") == {"x": ROWS["x"].tolist(), "other_x": list(range(10))}


def test_joined_view_gives_keys_and_event_times_of_all_groups(joined):
    """Under full names; what the groups share only of the first."""
    batch = joined.get_batch_data(primary_key=True, event_time=True)
    assert sorted(set(batch.columns) - {"x", "other_x"}) == [
        "tests_views_other_1_part", "tests_views_other_1_seen",
        "tests_views_root_1_event_time", "tests_views_root_1_key",
    ]  # fmt: skip
    assert set(batch["tests_views_other_1_part"]) == {7}


def test_features_of_a_joined_view_are_listed_as_they_are_read(feature_store, group, other, name):
    query = group.select(["key", "x"]).join(other.select(["key", "part"]), on=["key"])
    view = feature_store.create_feature_view(name=name, version=1, query=query)
    assert (
        [feature.name for feature in view.features]
        == list(view.get_batch_data().columns)
        == ["key", "x", "part"]
    )


def test_names_that_collide_get_the_name_of_their_feature_group(feature_store, group, other, name):
    query = group.select(["x"]).join(other.select(["x", "part"]))
    view = feature_store.create_feature_view(name=name, version=1, query=query)
    listed = [feature.name for feature in view.features]
    assert (
        listed == list(view.get_batch_data().columns) == ["x", "views_other_x", "views_other_part"]
    )


def test_names_that_collide_in_spite_of_their_prefix_are_refused_when_the_view_is_created(
    feature_store, group, other, name
):
    twice = (
        group.select(["key"])
        .join(other.select(["x"]), prefix="o_")
        .join(other.select(["x"]), prefix="o_")
    )
    with pytest.raises(
        RestAPIError, match="Two features of the query are called 'o_x'; give a join a prefix"
    ) as caught:
        feature_store.create_feature_view(name=name, version=1, query=twice)
    assert caught.value.response.json()["errorCode"] == 270213
    assert feature_store.get_feature_view(name, version=1) is None


# Which the SDK itself uses
@pytest.mark.filterwarnings("ignore:.*FeatureGroupBase.features is deprecated")
@pytest.mark.parametrize("option", ["lookback", "spine_df"])
def test_what_is_not_embedded_is_refused_by_name(view, option):
    from hsfs.constructor.lookback import FeatureGroupLookback

    value = {
        "lookback": FeatureGroupLookback(key="EVENT_TIME", start="2024-01-01"),
        "spine_df": pd.DataFrame({"key": [1], "event_time": DAYS[:1]}),
    }[option]
    with pytest.raises(RestAPIError, match="The embedded Hopsworks does not do this"):
        view.get_batch_data(**{option: value})
