"""Prints each passenger's chance of survival by version 1 of the model, as JSON after STATE."""

import json
import tempfile
from pathlib import Path

import joblib

from local_hopsworks import login

project = login()
model = project.get_model_registry().get_model("titanic", 1)
with tempfile.TemporaryDirectory() as folder:
    model.download(folder)
    classifier = joblib.load(Path(folder) / "model.joblib")
rows = project.get_feature_store().get_feature_group("titanic", 1).read().set_index("passenger_id")
chances = classifier.predict_proba(rows[["pclass", "sex", "age_bin", "fare_bin"]])[:, 1]
by_id = dict(zip(rows.index.astype(str), chances.round(2), strict=True))
print("STATE" + json.dumps(by_id))
