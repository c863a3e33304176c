"""Works in two projects of one Hopsworks: what a project makes, that project reads, with either."""

import tempfile
from pathlib import Path

import hopsworks
import pandas as pd

from local_hopsworks import Server

PROJECTS = ("shop", "bank")


def work(project, factor):
    """A feature group, training data in files, and a file; all read again."""
    feature_store = project.get_feature_store()
    group = feature_store.get_or_create_feature_group("amounts", version=1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2], "amount": [factor, 2 * factor]}))
    assert group.read()["amount"].tolist() == [factor, 2 * factor]
    view = feature_store.get_or_create_feature_view("amounts", group.select_all(), version=1)
    for data_format in ("parquet", "csv"):
        version, _ = view.create_training_data(data_format=data_format)
        features, _ = view.get_training_data(version)
        assert features["amount"].tolist() == [factor, 2 * factor], features
        described = view.get_training_dataset_statistics(version).feature_descriptive_statistics
        assert max(feature.max for feature in described) == 2 * factor
    note = Path(tempfile.mkdtemp()) / "note.txt"
    note.write_text(project.name)
    datasets = project.get_dataset_api()
    downloaded = datasets.download(datasets.upload(str(note), "Resources"), tempfile.mkdtemp())
    assert Path(downloaded).read_text() == project.name


with tempfile.TemporaryDirectory() as home:
    for name in PROJECTS:
        with Server(home, project=name):
            pass  # the store has the project from now on
    with Server(home, project=PROJECTS[0]) as server:
        for factor, name in enumerate(PROJECTS, 1):
            project = hopsworks.login(
                host=server.host, port=server.port, project=name, api_key_value=server.api_key
            )
            work(project, factor)
            hopsworks.logout()
print("done")
