"""Training data: in memory and as files, whole or split at random or by time, and the same again by
its version."""

import datetime
import sys
from pathlib import Path

import pandas as pd
import pytest
from hopsworks.client.exceptions import RestAPIError

from tests.local_hopsworks.training_rows import ROWS, fill, make_view

SPLITS_ELSEWHERE = Path(__file__).with_name("programs") / "splits_elsewhere.py"


@pytest.fixture(scope="module")
def group(feature_store):
    return fill(feature_store)


@pytest.fixture(scope="module")
def view(feature_store, group):
    return make_view(feature_store, group, "training")


def newest(view):
    return max(dataset.version for dataset in view.get_training_datasets())


def same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        pd.testing.assert_frame_equal(
            a.reset_index(drop=True), b.reset_index(drop=True), check_dtype=False
        )


def total(*frames):
    """The x of all frames, sorted: each row must be in one of them."""
    return sorted(x for frame in frames for x in frame["x"])


# In memory


def test_training_data_is_features_and_label(view):
    features, label = view.training_data()
    assert list(features.columns) == ["x", "colour"] and list(label.columns) == ["label"]
    assert (
        features["x"].tolist() == ROWS["x"].tolist()
        and label["label"].tolist() == ROWS["label"].tolist()
    )
    same(view.get_training_data(newest(view)), (features, label))


def test_training_data_with_keys_event_time_and_helpers(view):
    features, _ = view.training_data(
        primary_key=True, event_time=True, training_helper_columns=True
    )
    assert list(features.columns) == [
        "x", "colour", "weight", "tests_training_root_1_key", "tests_training_root_1_event_time",
    ]  # fmt: skip


def test_training_data_of_a_time_window_keeps_it_by_version(view):
    features, label = view.training_data(start_time="2024-01-11", end_time="2024-01-21")
    assert features["x"].tolist() == ROWS["x"][10:20].tolist()
    same(view.get_training_data(newest(view)), (features, label))


def test_extra_filter_is_kept_by_version(view, group):
    features, label = view.training_data(extra_filter=(group.colour == "ünï") & (group.x < 10))
    assert features["x"].tolist() == [1.5, 3.5, 5.5, 7.5, 9.5]
    same(view.get_training_data(newest(view)), (features, label))


def test_batch_data_heeds_the_extra_filter_of_the_version_it_scores_for(feature_store, view, group):
    view.training_data(extra_filter=group.x >= 19)
    fresh = feature_store.get_feature_view("training", 1)
    fresh.init_batch_scoring(newest(view))
    assert fresh.get_batch_data()["x"].tolist() == [19.0, 19.5]


def test_random_split_of_two_comes_again_by_version(view):
    split = view.train_test_split(test_size=0.25)
    assert [len(part) for part in split] == [30, 10, 30, 10]
    assert total(*split[:2]) == ROWS["x"].tolist()
    assert split[0]["x"].tolist() != sorted(ROWS["x"])[:30]
    version = newest(view)
    same(view.get_train_test_split(version), split)
    same(view.get_train_test_split(version), split)


def test_random_split_of_three_comes_again_by_version(view):
    split = view.train_validation_test_split(validation_size=0.25, test_size=0.25)
    assert [len(part) for part in split] == [20, 10, 10, 20, 10, 10]
    assert total(*split[:3]) == ROWS["x"].tolist()
    same(view.get_train_validation_test_split(newest(view)), split)


def test_versions_split_differently(view):
    first, second = view.train_test_split(test_size=0.5)[0], view.train_test_split(test_size=0.5)[0]
    assert first["x"].tolist() != second["x"].tolist()


def test_features_and_labels_of_a_split_belong_together(view):
    x_train, x_test, y_train, y_test = view.train_test_split(test_size=0.3)
    for features, labels in ((x_train, y_train), (x_test, y_test)):
        assert (features["x"] * 2 % 2).astype(int).tolist() == labels["label"].tolist()


def test_split_by_time(view):
    split = view.train_test_split(
        train_end="2024-01-21", test_start="2024-01-21", test_end="2024-02-01"
    )
    assert split[0]["x"].tolist() == ROWS["x"][:20].tolist()
    assert split[1]["x"].tolist() == ROWS["x"][20:31].tolist()
    assert list(split[0].columns) == ["x", "colour"]
    same(view.get_train_test_split(newest(view)), split)


def test_split_of_three_by_time(view):
    split = view.train_validation_test_split(
        train_end="2024-01-11",
        validation_start="2024-01-11",
        validation_end="2024-01-21",
        test_start="2024-01-21",
    )
    assert [len(part) for part in split[:3]] == [10, 10, 20]
    same(view.get_train_validation_test_split(newest(view)), split)


def test_the_wrong_getter_names_the_right_one(view):
    view.train_test_split(test_size=0.5)
    with pytest.raises(ValueError, match=r"Use `feature_view\.get_train_test_split` instead"):
        view.get_training_data(newest(view))


def test_a_missing_version_is_refused_with_a_sentence(view):
    with pytest.raises(
        RestAPIError, match="version 1 has no training dataset version 9999"
    ) as caught:
        view.get_training_data(9999)
    assert caught.value.response.json()["errorCode"] == 270012


def test_a_version_that_is_taken_is_refused_with_a_sentence(view, api):
    version, _ = view.create_train_test_split(test_size=0.2)
    path = f"/project/1/featurestores/1/featureview/{view.name}/version/{view.version}"
    body = {"version": version, "trainingDatasetType": "IN_MEMORY_TRAINING_DATASET"}
    answer = api("POST", f"{path}/trainingdatasets", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 270016)
    sentence = f"Training data {view.name}_{view.version} version {version} exists already."
    assert answer.json()["usrMsg"] == sentence


def test_split_stays_the_same_when_an_upsert_changes_nothing(view, group):
    """An upsert writes rows anew, in another order."""
    split = view.train_test_split(test_size=0.5)
    group.insert(ROWS[::-1])
    same(view.get_train_test_split(newest(view)), split)


def test_split_is_the_same_in_a_fresh_process_and_in_a_fresh_store(
    feature_store, group, server, run, name, tmp_path
):
    train = make_view(feature_store, group, name).train_test_split(test_size=0.3)[0]["x"].tolist()
    home, fresh = server.store.home, tmp_path / "fresh"
    done = run(sys.executable, SPLITS_ELSEWHERE, home, name, fresh)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("TRAIN")] == [
        f"TRAIN {train}"
    ] * 2


# As files


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tsv"])
def test_training_data_as_files(view, data_format):
    version, _ = view.create_training_data(data_format=data_format)
    features, label = view.get_training_data(version)
    assert list(features.columns) == ["x", "colour"]
    assert (
        features["x"].tolist() == ROWS["x"].tolist()
        and features["colour"].tolist() == ROWS["colour"].tolist()
    )
    assert label["label"].tolist() == ROWS["label"].tolist()


@pytest.mark.parametrize("data_format", ["parquet", "csv", "tsv"])
def test_random_splits_as_files(view, data_format):
    version, _ = view.create_train_test_split(test_size=0.2, data_format=data_format, seed=42)
    split = view.get_train_test_split(version)
    assert [len(part) for part in split] == [32, 8, 32, 8]
    assert total(*split[:2]) == ROWS["x"].tolist()
    version, _ = view.create_train_test_split(test_size=0.2, data_format=data_format, seed=42)
    same(view.get_train_test_split(version), split)  # the seed decides


def test_split_of_three_as_files_by_time(view):
    version, _ = view.create_train_validation_test_split(
        train_end="2024-01-11",
        validation_start="2024-01-11",
        validation_end="2024-01-21",
        test_start="2024-01-21",
    )
    split = view.get_train_validation_test_split(version)
    assert [part["x"].tolist() for part in split[:3]] == [
        ROWS["x"][a:b].tolist() for a, b in ((0, 10), (10, 20), (20, 40))
    ]


def test_split_of_three_as_files_at_random(view):
    version, _ = view.create_train_validation_test_split(
        validation_size=0.25, test_size=0.25, data_format="csv"
    )
    split = view.get_train_validation_test_split(version)
    assert [len(part) for part in split[:3]] == [20, 10, 10] and total(*split[:3]) == ROWS[
        "x"
    ].tolist()


def test_files_of_a_time_window_and_an_extra_filter(view, group):
    version, _ = view.create_training_data(
        start_time="2024-01-11", end_time=datetime.date(2024, 1, 21), extra_filter=group.label == 1
    )
    assert view.get_training_data(version)[0]["x"].tolist() == ROWS["x"][11:20:2].tolist()


def test_files_stay_as_they_are_until_recreated(feature_store, name):
    group = feature_store.get_or_create_feature_group(name=name, version=1, primary_key=["key"])
    group.insert(ROWS[["key", "x"]][:3])
    view = feature_store.create_feature_view(name=name, version=1, query=group.select(["x"]))
    version, _ = view.create_training_data()
    group.insert(ROWS[["key", "x"]][3:5])
    assert len(view.get_training_data(version)[0]) == 3
    view.recreate_training_dataset(version)
    assert len(view.get_training_data(version)[0]) == 5


def test_purged_files_can_be_written_again(view):
    version, _ = view.create_training_data()
    view.purge_training_data(version)
    with pytest.raises(RestAPIError, match="110008"):
        view.get_training_data(version)
    view.recreate_training_dataset(version)
    assert len(view.get_training_data(version)[0]) == 40


def test_deleted_training_data_is_gone_with_its_files(feature_store, group, name, server):
    view = make_view(feature_store, group, name)
    files = server.store.project("tests") / "tests_Training_Datasets"
    version, _ = view.create_training_data()
    view.training_data()
    assert (files / f"{name}_1_{version}").is_dir()
    view.delete_training_dataset(version)
    assert not (files / f"{name}_1_{version}").exists()
    assert [dataset.version for dataset in view.get_training_datasets()] == [2]
    view.delete_all_training_datasets()
    assert view.get_training_datasets() == []


def test_deleting_a_view_deletes_its_training_data(feature_store, group, name, server):
    view = make_view(feature_store, group, name)
    version, _ = view.create_training_data()
    view.delete()
    assert not (
        server.store.project("tests") / "tests_Training_Datasets" / f"{name}_1_{version}"
    ).exists()
    assert make_view(feature_store, group, name).get_training_datasets() == []


@pytest.mark.parametrize("data_format", ["tfrecord", "avro", "orc"])
def test_unknown_formats_are_refused_with_a_sentence(view, data_format):
    with pytest.raises(
        RestAPIError, match=f"written as parquet, csv or tsv here, not as '{data_format}'"
    ):
        view.create_training_data(data_format=data_format)


def test_a_place_of_ones_own_is_refused_by_name(view):
    with pytest.raises(RestAPIError, match="training data at a location of one's own"):
        view.create_training_data(location="Resources/mine")


def test_lookback_is_refused_by_name(view):
    from hsfs.constructor.lookback import FeatureGroupLookback

    with pytest.raises(RestAPIError, match="does not do this: training data with lookback"):
        view.training_data(lookback=FeatureGroupLookback(key="EVENT_TIME", start="2024-01-01"))


# What is kept with it


def test_tags_of_training_data(view):
    view.training_data(tags={"name": "stage", "value": "test"})
    version = newest(view)
    view.add_training_dataset_tag(version, "owner", {"team": "ml"})
    assert view.get_training_dataset_tags(version) == {"stage": "test", "owner": {"team": "ml"}}
    view.delete_training_dataset_tag(version, "stage")
    assert view.get_training_dataset_tag(version, "owner") == {"team": "ml"}


def test_statistics_of_training_data(view):
    view.train_test_split(test_size=0.25)
    statistics = view.get_training_dataset_statistics(newest(view))
    assert {split.name for split in statistics.split_statistics} == {"train", "test"}
    view.training_data()
    statistics = view.get_training_dataset_statistics(newest(view))
    found = {feature.feature_name: feature for feature in statistics.feature_descriptive_statistics}
    assert (found["x"].min, found["x"].max, found["x"].count) == (0.0, 19.5, 40)


def test_listed_training_data_says_what_was_asked_for(view):
    version, _ = view.create_train_test_split(
        test_size=0.2, data_format="csv", seed=7, description="mine"
    )
    found = next(dataset for dataset in view.get_training_datasets() if dataset.version == version)
    assert (found.description, found.data_format, found.seed) == ("mine", "csv", 7)
    assert {split.name: split.percentage for split in found.splits} == {"train": 0.8, "test": 0.2}
