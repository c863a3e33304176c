"""The whole workflow through the SDK, the same wherever Hopsworks is; test_universal.py says where.

It needs nothing but pytest and an SDK, so that it also runs in an environment with another version
of the SDK:

    HOPSWORKS_HOST=… HOPSWORKS_API_KEY=… HOPSWORKS_PROJECT=… pytest --noconftest -c /dev/null
    tests/universal/suite.py

UNIVERSAL_WAY=embedded logs in through local_hopsworks. UNIVERSAL_WAY=restarted serves a store, and
kills it and starts it again before every test, while this client lives on. What is made has names
nobody else uses, and is deleted.
"""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import hopsworks
import numpy as np
import pandas as pd
import pytest

NAME = f"universal_{uuid.uuid4().hex[:8]}"
WAY = os.environ.get("UNIVERSAL_WAY")
PORT = os.environ.get("UNIVERSAL_PORT", "0")
READINGS = pd.DataFrame(
    {
        "sensor": [1, 1, 2, 2, 3, 3],
        "hour": pd.to_datetime(["2024-01-01 00:00", "2024-01-01 06:00"] * 3).astype(
            "datetime64[us]"
        ),
        "celsius": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "is_warm": [0, 0, 0, 1, 1, 1],
    }
)
PLACES = pd.DataFrame(
    {
        "sensor": [1, 1, 2],
        "since": pd.to_datetime(
            ["2023-12-01 00:00", "2024-01-01 03:00", "2024-01-01 05:00"]
        ).astype("datetime64[us]"),
        "place": ["roof", "cellar", "attic"],
    }
)
served: list[subprocess.Popen] = []


def serve() -> None:
    """On the port of the last time, so that a client can go on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local_hopsworks", "serve", "--port", PORT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    served.append(process)
    for line in process.stdout:
        if line.startswith("  export "):
            variable, value = line.removeprefix("  export ").strip().split("=", 1)
            os.environ[variable] = value
        if "Ctrl-C" in line:
            return
    raise RuntimeError("local_hopsworks serve ended at once.")


def kill() -> None:
    served[-1].kill()
    served.pop().communicate()


@pytest.fixture(scope="module")
def project():
    if WAY == "restarted":
        serve()
    if WAY == "embedded":
        from local_hopsworks import login
    else:
        from hopsworks import login
    yield login()
    hopsworks.logout()
    if served:
        kill()


@pytest.fixture(autouse=True)
def restarted(project):
    if served:
        kill()
        serve()


@pytest.fixture(scope="module")
def feature_store(project):
    return project.get_feature_store()


@pytest.fixture(scope="module")
def readings(feature_store):
    group = feature_store.get_or_create_feature_group(
        name=f"{NAME}_readings",
        version=1,
        primary_key=["sensor"],
        event_time="hour",
        description="Temperatures",
    )
    group.insert(READINGS, write_options={"wait_for_job": True})
    yield group
    group.delete()


@pytest.fixture(scope="module")
def places(feature_store):
    group = feature_store.get_or_create_feature_group(
        name=f"{NAME}_places", version=1, primary_key=["sensor"], event_time="since"
    )
    group.insert(PLACES, write_options={"wait_for_job": True})
    yield group
    group.delete()


@pytest.fixture(scope="module")
def view(feature_store, readings, places):
    query = readings.select_all().join(places.select(["place"]), on=["sensor"], join_type="left")
    view = feature_store.get_or_create_feature_view(
        name=f"{NAME}_view",
        version=1,
        query=query,
        labels=["is_warm"],
        transformation_functions=[
            feature_store.get_transformation_function("min_max_scaler")("celsius")
        ],
    )
    yield view
    view.delete()


def in_order(frame, *by):
    return frame.sort_values(list(by)).reset_index(drop=True)


def test_stored_rows_are_read_as_they_were_inserted(readings):
    found = in_order(readings.read(), "sensor", "hour")[list(READINGS)]
    assert found.to_dict("list") == READINGS.to_dict("list")


def test_inserting_a_stored_key_again_updates_its_row(readings):
    warmer = READINGS.head(1).assign(celsius=1.5)
    readings.insert(warmer, write_options={"wait_for_job": True})
    found = readings.filter(readings.celsius < 2.0).read()
    assert len(readings.read()) == len(READINGS) and found["celsius"].tolist() == [1.5]
    readings.insert(READINGS.head(1), write_options={"wait_for_job": True})


def test_group_is_found_by_another_client_with_its_schema(feature_store, readings):
    found = feature_store.get_feature_group(readings.name, 1)
    assert (
        found.description == "Temperatures"
        and found.event_time == "hour"
        and found.primary_key == ["sensor"]
    )
    assert {feature.name: feature.type for feature in found.features} == {
        "sensor": "bigint",
        "hour": "timestamp",
        "celsius": "double",
        "is_warm": "bigint",
    }


def test_commits_are_listed(readings):
    commits = readings.commit_details()
    assert sum(commit["rowsInserted"] for commit in commits.values()) >= len(READINGS)


def test_split_is_the_same_when_read_again_by_its_version(view):
    features, test_features, labels, test_labels = view.train_test_split(test_size=1 / 3)
    assert len(features) == 4 and len(test_features) == 2 and list(labels) == ["is_warm"]
    again, test_again, labels_again, test_labels_again = view.get_train_test_split(1)
    for one, other in ((features, again), (test_features, test_again), (labels, labels_again)):
        assert in_order(one, *one).equals(in_order(other, *other))
    assert in_order(test_labels, "is_warm").equals(in_order(test_labels_again, "is_warm"))


def test_join_is_correct_at_each_point_in_time(view):
    view.init_batch_scoring(1)
    batch = in_order(view.get_batch_data(transformed=False), "sensor", "hour")
    assert batch["place"].fillna("-").tolist() == ["roof", "cellar", "-", "attic", "-", "-"]


def test_batch_is_scaled_as_the_training_data_were(view):
    view.init_batch_scoring(1)
    train = view.get_train_test_split(1)[0]
    batch = view.get_batch_data()
    scaled = next(name for name in batch if "celsius" in name)
    assert (train[scaled].min(), train[scaled].max()) == (0, 1)
    assert np.corrcoef(batch.sort_values(["sensor", "hour"])[scaled], READINGS["celsius"])[
        0, 1
    ] == pytest.approx(1)


def test_batch_of_a_time_window(view):
    view.init_batch_scoring(1)
    batch = view.get_batch_data(
        start_time="2024-01-01 05:00:00", end_time="2024-01-01 07:00:00", transformed=False
    )
    assert sorted(batch["celsius"]) == [2.0, 4.0, 6.0]


def test_model_comes_back_with_its_files_metrics_and_view(project, view, tmp_path):
    registry = project.get_model_registry()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.json").write_text(json.dumps([0.5]))
    for accuracy in (0.5, 0.75):
        model = registry.python.create_model(
            name=f"{NAME}_model",
            metrics={"accuracy": accuracy},
            description="Guesses",
            feature_view=view,
            training_dataset_version=1,
        )
        model.save(str(tmp_path / "model"))
    best = registry.get_best_model(f"{NAME}_model", "accuracy", "max")
    assert best.version == 2 and best.training_metrics["accuracy"] == 0.75
    downloaded = best.download(str(tmp_path / "downloaded"))
    assert json.loads(Path(downloaded, "weights.json").read_text()) == [0.5]
    assert best.get_feature_view(init=False).name == view.name
    for version in (1, 2):
        registry.get_model(f"{NAME}_model", version).delete()
    assert registry.get_models(f"{NAME}_model") == []


def test_files_of_dataset_storage(project, tmp_path):
    datasets, folder = project.get_dataset_api(), f"Resources/{NAME}"
    datasets.mkdir(folder)
    (tmp_path / "large.bin").write_bytes(os.urandom(11 << 20))  # more than one chunk of an upload
    path = datasets.upload(str(tmp_path / "large.bin"), folder, overwrite=True)
    downloaded = datasets.download(path, str(tmp_path / "again.bin"), overwrite=True)
    assert Path(downloaded).read_bytes() == (tmp_path / "large.bin").read_bytes()
    datasets.copy(path, f"{folder}/copy.bin")
    datasets.remove(path)
    assert not datasets.exists(path) and datasets.exists(f"{folder}/copy.bin")
    datasets.remove(folder)


def test_what_is_deleted_is_gone(feature_store):
    group = feature_store.create_feature_group(
        name=f"{NAME}_short_lived", version=1, primary_key=["sensor"]
    )
    group.insert(PLACES[["sensor"]].drop_duplicates(), write_options={"wait_for_job": True})
    group.delete()
    assert feature_store.get_feature_group(f"{NAME}_short_lived", 1) is None


@pytest.fixture(scope="module")
def latest(feature_store):
    """The last reading of each sensor, online."""
    group = feature_store.get_or_create_feature_group(
        name=f"{NAME}_latest",
        version=1,
        primary_key=["sensor"],
        event_time="hour",
        online_enabled=True,
    )
    group.insert(READINGS, write_options={"wait_for_job": True, "wait_for_online_ingestion": True})
    yield group
    group.delete()


def test_online_rows_are_the_latest_of_each_key(latest):
    found = in_order(latest.read(online=True), "sensor")
    assert found["celsius"].tolist() == [2.0, 4.0, 6.0]
    assert latest.select(["celsius"]).filter(latest.celsius > 3.0).read(online=True).shape == (2, 1)


@pytest.mark.parametrize("client", ["sql", "rest"])
def test_feature_vectors_are_looked_up_by_key(feature_store, latest, client):
    view = feature_store.get_or_create_feature_view(
        name=f"{NAME}_online", version=1, query=latest.select(["sensor", "hour", "celsius"])
    )
    view.init_serving(1, init_sql_client=client == "sql", init_rest_client=client == "rest")
    six = pd.Timestamp("2024-01-01 06:00").to_pydatetime()
    assert view.get_feature_vector({"sensor": 2}) == [2, six, 4.0]
    entries = [{"sensor": 3}, {"sensor": 1}]
    assert view.get_feature_vectors(entries) == [[3, six, 6.0], [1, six, 2.0]]
    # Over SQL, the SDK before 5.2 has None for the key too
    key = None if client == "sql" and hopsworks.__version__.startswith(("5.0", "5.1")) else 9
    assert view.get_feature_vector({"sensor": 9}, allow_missing=True) == [key, None, None]
    view.delete()
