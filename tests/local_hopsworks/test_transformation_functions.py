"""Transformation functions: built in, written by the user, saved and fetched; run by the client,
and for training data in files by a child process of the server."""

import os
import sys
import threading
import time
from pathlib import Path

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

from local_hopsworks.check import check
from local_hopsworks.feature_store import transformation
from tests.processes import exists, wait

PROGRAMS = Path(__file__).resolve().parent / "programs"
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


# Training data in files, which the server transforms in a child process


@udf(float)
def marked(x):
    """Leaves behind which process it ran in."""
    import os
    from pathlib import Path

    Path(os.environ["MARK"]).write_text(str(os.getpid()))
    return x + 1.0


@udf(float)
def refuses(x):
    raise ValueError("x is not to my taste")


@udf(float)
def never_ends(x):
    import os
    import time
    from pathlib import Path

    Path(os.environ["MARK"]).write_text(str(os.getpid()))
    while True:
        time.sleep(1)


@pytest.fixture
def mark(monkeypatch, tmp_path):
    """The file in which `marked` and `never_ends` leave the number of their process."""
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    return tmp_path / "mark"


BUILT_IN = (min_max_scaler("x"), label_encoder("colour"), one_hot_encoder("colour"))


@pytest.mark.parametrize("data_format", ["parquet", "csv"])
def test_files_hold_what_training_data_in_memory_does(view, mark, data_format):
    trained = view(*BUILT_IN, standard_scaler("label"), marked("x"))
    in_memory, _ = trained.training_data()
    version, _ = trained.create_training_data(data_format=data_format)
    from_files, _ = trained.get_training_data(version)
    assert list(from_files.columns) == list(in_memory.columns)
    pd.testing.assert_frame_equal(from_files, in_memory, check_dtype=False)
    assert int(mark.read_text()) != os.getpid()


def test_files_of_a_test_split_are_transformed_by_statistics_of_the_train_split(view):
    trained = view(min_max_scaler("x"), robust_scaler("label"))
    version, _ = trained.create_train_test_split(test_size=0.5)
    x_train, x_test, *_ = trained.get_train_test_split(version)
    scaled = x_train["min_max_scaler_x_"]
    assert (scaled.min(), scaled.max(), len(x_test)) == (0, 1, 10)
    trained.init_batch_scoring(training_dataset_version=version)
    batch = trained.get_batch_data()["min_max_scaler_x_"]
    assert set(x_train["min_max_scaler_x_"]) | set(x_test["min_max_scaler_x_"]) == set(batch)


def test_function_that_fails_is_told_and_leaves_nothing(view, server):
    trained = view(refuses("x"))
    sentence = r"cannot be applied: .*x is not to my taste"
    with pytest.raises(RestAPIError, match=sentence) as caught:
        trained.create_training_data()
    assert caught.value.response.status_code == 400
    assert trained.get_training_datasets() == []
    _, faults = check(server.store.home)
    assert [str(fault) for fault in faults if "train" in str(fault)] == []


def test_check_tells_that_a_program_stopped_between_version_and_files(run, tmp_path):
    """Its server ended as it should: nobody was killed."""
    store = tmp_path / "store"
    made = run(sys.executable, PROGRAMS / "version_without_files.py", store)
    assert made.returncode == 0, made.stderr
    _, faults = check(store)
    (fault,) = map(str, faults)
    assert "A program stopped in the middle of this write: training projects/" in fault
    repaired, faults = check(store, repair=True)
    assert (len(repaired), faults) == (1, [])


def test_files_stay_if_they_cannot_be_made_anew(view, monkeypatch, tmp_path):
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    trained = view(marked("x"))
    version, _ = trained.create_training_data()
    before, _ = trained.get_training_data(version)
    monkeypatch.setenv("MARK", str(tmp_path / "no such folder" / "mark"))
    with pytest.raises(RestAPIError, match=r"cannot be applied: .*No such file"):
        trained.recreate_training_dataset(version)
    after, _ = trained.get_training_data(version)
    pd.testing.assert_frame_equal(before, after)


def test_function_that_never_ends_ends_with_the_server(view, mark, server):
    """With the part of it that the function belongs to; the server itself is every test's."""

    def end_when_it_runs():
        while not mark.exists() or not mark.read_text():
            time.sleep(0.05)
        server._hopsworks.part(transformation.Transformations).stop()

    ending = threading.Thread(target=end_when_it_runs)
    ending.start()
    trained = view(never_ends("x"))
    with pytest.raises(RestAPIError, match="their process was ended"):
        trained.create_training_data()
    ending.join()
    wait(lambda: not exists(int(mark.read_text())))  # its keeper ends it
    assert trained.get_training_datasets() == []


def test_functions_may_not_take_for_ever(view, monkeypatch):
    monkeypatch.setattr(transformation, "LONGEST_SECONDS", 0)
    trained = view(doubled("x"))
    with pytest.raises(RestAPIError, match="they took longer than 0 s"):
        trained.create_training_data()
    assert trained.get_training_datasets() == []


@pytest.mark.parametrize("data_format", ["csv", "tsv"])
@pytest.mark.parametrize("kind", ["array", "struct", "binary"])
def test_csv_of_what_it_cannot_hold_is_refused_and_leaves_no_version(
    feature_store, name, kind, data_format
):
    columns = {"array": [[1.0], []], "struct": [{"k": 1}, {"k": 2}], "binary": [b"a", b"\xff"]}
    group = feature_store.create_feature_group(name, 1, primary_key=["key"])
    group.insert(pd.DataFrame({"key": [1, 2], "what": columns[kind]}))
    view = feature_store.create_feature_view(name, group.select_all(), version=1)
    with pytest.raises(RestAPIError, match=f"which {data_format} cannot hold") as caught:
        view.create_training_data(data_format=data_format)
    assert caught.value.response.json()["errorCode"] == 270057
    assert view.get_training_datasets() == []


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
