"""Stores synthetic passengers who all are predicted already: python store_predicted.py NUMBER"""

import sys

import numpy as np
import pandas as pd

from local_hopsworks import login

number = int(sys.argv[1])
feature_store = login().get_feature_store()
rng = np.random.default_rng(1912)
now = pd.Timestamp.now("UTC").tz_localize(None).as_unit("us")
passengers = pd.DataFrame(
    {
        "pclass": rng.integers(1, 4, number),
        "sex": rng.integers(0, 2, number),
        "age_bin": rng.integers(0, 4, number),
        "fare_bin": rng.integers(0, 4, number),
        "survived": rng.integers(0, 2, number),
        "passenger_id": 10**9 + np.arange(number),
        "event_time": now - pd.to_timedelta(np.arange(number) + 1, unit="s"),
    }
)
predictions = pd.DataFrame(
    {
        "passenger_id": passengers["passenger_id"],
        "prediction": passengers["sex"],
        "label": passengers["survived"],
        "datetime": now,
        "survival_probability": 0.5,
        "model_version": 1,
    }
)
feature_store.get_feature_group("titanic", 1).insert(passengers, operation="insert")
feature_store.get_or_create_feature_group(
    "passenger_outcome_predictions", 1, primary_key=["passenger_id"]
).insert(predictions)
