"""The predictor that tools/deploy_model.py deploys: a passenger's chance of survival, by id.

Asked with {"instances": [{"passenger_id": 7}]}, it looks the features up in the online store.
"""

import os
from pathlib import Path

import hopsworks
import joblib

FEATURES = ["pclass", "sex", "age_bin", "fare_bin"]


class Predict:
    """Made once per deployment; Hopsworks calls `predict` for every request."""

    def __init__(self):
        """Load the model, and connect to the online feature store."""
        self.classifier = joblib.load(Path(os.environ["MODEL_FILES_PATH"]) / "model.joblib")
        feature_store = hopsworks.login().get_feature_store()
        self.passengers = feature_store.get_feature_view("titanic_online", 1)
        self.passengers.init_serving()

    def predict(self, inputs):
        """The passengers with their features and their chance of survival, from 0 to 1."""
        keys = [{"passenger_id": row["passenger_id"]} for row in inputs]
        rows = self.passengers.get_feature_vectors(keys, return_type="pandas")
        missing = {key["passenger_id"] for key in keys} - set(rows["passenger_id"])
        if missing:
            raise ValueError(f"There is no passenger {min(missing)}.")
        rows["survival_probability"] = self.classifier.predict_proba(rows[FEATURES])[:, 1]
        return rows.to_dict("records")
