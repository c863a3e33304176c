"""Registers a version of training data in a store and ends without having its files written."""

import sys
import tempfile

import hopsworks
import pandas as pd
from hsfs.training_dataset import TrainingDataset

from local_hopsworks import Server

with Server(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) as server:
    feature_store = hopsworks.login(
        host=server.host, port=server.port, project=server.project, api_key_value=server.api_key
    ).get_feature_store()
    group = feature_store.get_or_create_feature_group("rows", version=1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    view = feature_store.get_or_create_feature_view("rows", group.select_all(), version=1)
    dataset = TrainingDataset(
        name=view.name, version=None, data_format="parquet", featurestore_id=feature_store.id
    )
    view._feature_view_engine._create_training_data_metadata(view, dataset)
    hopsworks.logout()
print("done")
