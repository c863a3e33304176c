"""Transformation functions: built in, written by the user, saved and fetched; always run by the
client."""

import numpy as np
import pandas as pd
import pytest
from hopsworks import udf
from hopsworks.client.exceptions import RestAPIError
from hsfs.builtin_transformations import (
    label_encoder,
    min_max_scaler,
    one_hot_encoder,
    robust_scaler,
    standard_scaler,
)

ROWS = pd.DataFrame({
    "key": range(20), "x": np.arange(20) * 1.5 - 4, "colour": ["red", "green", "blue", "green"] * 5,
    "label": [i % 2 for i in range(20)],
})  # fmt: skip


@udf(float, drop=["x"])
def doubled(x):
    return x * 2


@udf(int)
def plus_one(value):
    return value + 1


@udf([float, float], drop=["x"])
def low_and_high(x):
    low, high = x.clip(upper=0.0), x.clip(lower=0.0)
    return pd.concat([low, high], axis=1)


@udf(float)
def shouted(x, context):
    return x + context["volume"]


@pytest.fixture(scope="module")
def group(feature_store):
    group = feature_store.get_or_create_feature_group(
        name="transformed", version=1, primary_key=["key"]
    )
    group.insert(ROWS)
    return group


@pytest.fixture
def view(feature_store, group, name):
    def make(*functions, query=None):
        query = query or group.select(["x", "colour", "label"])
        return feature_store.create_feature_view(
            name=name,
            version=1,
            query=query,
            labels=["label"],
            transformation_functions=list(functions),
        )

    return make


# Attached to a view


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (min_max_scaler, (ROWS["x"] - ROWS["x"].min()) / (ROWS["x"].max() - ROWS["x"].min())),
        (standard_scaler, (ROWS["x"] - ROWS["x"].mean()) / ROWS["x"].std(ddof=0)),
    ],
    ids=["min_max_scaler", "standard_scaler"],
)
def test_built_in_scalers(view, function, expected):
    features, _ = view(function("x")).training_data()
    assert list(features.columns) == ["colour", f"{function.function_name}_x_"]
    assert features.iloc[:, 1].tolist() == pytest.approx(expected.tolist(), rel=0.03)


def test_robust_scaler(view):
    scaled = view(robust_scaler("x")).training_data()[0]["robust_scaler_x_"]
    assert scaled.median() == pytest.approx(0, abs=0.1)


def test_label_encoder(view):
    features, _ = view(label_encoder("colour")).training_data()
    codes = {"blue": 0, "green": 1, "red": 2}
    assert features["label_encoder_colour_"].tolist() == [
        codes[colour] for colour in ROWS["colour"]
    ]


def test_one_hot_encoder(view):
    features, _ = view(one_hot_encoder("colour")).training_data()
    encoded = features.filter(like="one_hot_encoder_colour")
    assert encoded.shape == (20, 3) and set(encoded.sum(axis=1)) == {1}


def test_user_defined_function(view):
    features, label = view(doubled("x")).training_data()
    assert features["doubled_x_"].tolist() == (ROWS["x"] * 2).tolist() and "x" not in features
    assert label["label"].tolist() == ROWS["label"].tolist()


def test_functions_are_kept_with_the_view(view, feature_store, name):
    view(doubled("x"), label_encoder("colour"))
    found = feature_store.get_feature_view(name, version=1)
    assert [f.hopsworks_udf.function_name for f in found.transformation_functions] == [
        "doubled",
        "label_encoder",
    ]
    assert found.get_batch_data.__name__ and list(found.training_data()[0].columns) == [
        "doubled_x_",
        "label_encoder_colour_",
    ]


def test_function_of_several_outputs(view):
    features, _ = view(low_and_high("x")).training_data()
    assert (features["low_and_high_x_0"] + features["low_and_high_x_1"]).tolist() == ROWS[
        "x"
    ].tolist()


def test_function_with_context(view):
    features, _ = view(shouted("x")).training_data(transformation_context={"volume": 100})
    assert features["shouted_x_"].tolist() == (ROWS["x"] + 100).tolist()


def test_split_is_transformed_by_statistics_of_its_train_part(view):
    x_train, x_test, *_ = view(min_max_scaler("x")).train_test_split(test_size=0.5)
    scaled = x_train["min_max_scaler_x_"]
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert len(x_test) == 10


# Batch data


def test_batch_data_is_transformed_by_the_statistics_of_its_training_data(
    view, feature_store, group, name
):
    """The statistics of before the transformation are the ones to be found among those of the
    version."""
    trained = view(min_max_scaler("x"), label_encoder("colour"))
    trained.training_data(extra_filter=group.x <= 5)
    fresh = feature_store.get_feature_view(name, version=1)
    fresh.init_batch_scoring(training_dataset_version=1)
    expected = (ROWS["x"][ROWS["x"] <= 5] + 4) / 9
    assert fresh.get_batch_data()["min_max_scaler_x_"].tolist() == pytest.approx(expected.tolist())
    assert list(fresh.get_batch_data(transformed=False).columns) == ["x", "colour"]


def test_batch_data_without_statistics_needs_no_version(view):
    assert view(doubled("x")).get_batch_data()["doubled_x_"].tolist() == (ROWS["x"] * 2).tolist()


def test_files_through_functions_are_refused_with_a_sentence(view):
    with pytest.raises(RestAPIError, match="because it never runs a client's code"):
        view(doubled("x")).create_training_data()


# On demand, attached to a feature group


def test_on_demand_function_of_a_group_runs_on_insert(feature_store, name):
    group = feature_store.get_or_create_feature_group(
        name=name,
        version=1,
        primary_key=["key"],
        transformation_functions=[plus_one("label").alias("next_label")],
    )
    group.insert(ROWS)
    found = feature_store.get_feature_group(name, 1)
    assert [f.hopsworks_udf.function_name for f in found.transformation_functions] == ["plus_one"]
    with found.select(["next_label"]).read_batches() as batches:
        stored = [row["next_label"] for batch in batches for row in batch.to_pylist()]
    assert stored == (ROWS["label"] + 1).tolist()


# Saved by name


def test_saved_function_is_found_and_runs(feature_store, view):
    feature_store.create_transformation_function(plus_one, version=3).save()
    found = feature_store.get_transformation_function("plus_one", version=3)
    assert (found.version, found.hopsworks_udf.function_name) == (3, "plus_one")
    assert (
        view(found("label")).training_data()[1]["plus_one_label_"].tolist()
        == (ROWS["label"] + 1).tolist()
    )


def test_without_a_version_the_first_is_found(feature_store):
    for _ in range(2):
        feature_store.create_transformation_function(doubled).save()
    assert feature_store.get_transformation_function("doubled").version == 1
    assert feature_store.get_transformation_function("doubled", version=2).version == 2


def test_a_version_cannot_be_saved_twice(feature_store):
    feature_store.create_transformation_function(shouted, version=1).save()
    with pytest.raises(
        RestAPIError, match="Transformation function shouted version 1 exists already"
    ):
        feature_store.create_transformation_function(shouted, version=1).save()


def test_built_in_functions_are_found_by_name(feature_store, view):
    scaler = feature_store.get_transformation_function("min_max_scaler")
    scaled = view(scaler("x")).training_data()[0]["min_max_scaler_x_"]
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_all_functions_are_listed_with_the_built_in(feature_store):
    feature_store.create_transformation_function(low_and_high, version=1).save()
    names = [f.hopsworks_udf.function_name for f in feature_store.get_transformation_functions()]
    assert {"min_max_scaler", "one_hot_encoder", "low_and_high"} <= set(names)
    feature_store.get_transformation_function("low_and_high", version=1).delete()
    assert feature_store.get_transformation_function("low_and_high", version=1) is None
