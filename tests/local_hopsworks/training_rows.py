"""Forty rows to make training data of: a feature group and a feature view with them."""

import numpy as np
import pandas as pd

ROWS = pd.DataFrame(
    {
        "key": range(40),
        "event_time": pd.date_range("2024-01-01", periods=40, freq="D", unit="us"),
        "x": np.arange(40) * 0.5,
        "colour": ["red", "green", "blue", "ünï"] * 10,
        "label": [i % 2 for i in range(40)],
        "weight": np.arange(40.0),
    }
)


def fill(feature_store, group_name="training_root"):
    group = feature_store.get_or_create_feature_group(
        name=group_name, version=1, primary_key=["key"], event_time="event_time"
    )
    group.insert(ROWS)
    return group


def make_view(feature_store, group, name):
    return feature_store.get_or_create_feature_view(
        name=name,
        version=1,
        query=group.select(["x", "colour", "label", "weight"]),
        labels=["label"],
        training_helper_columns=["weight"],
    )
