"""Asks for the latest statistics of a feature group, and computes them, right after an insert."""

import pandas as pd

import local_hopsworks

feature_store = local_hopsworks.login().get_feature_store()
group = feature_store.get_or_create_feature_group("latest", version=1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1, 2]}))


def maximum(statistics):
    """Of the feature id."""
    return statistics.feature_descriptive_statistics[0].max


found = maximum(group.statistics)
print(f"done: maximum {found}, computed {maximum(group.compute_statistics())}")
