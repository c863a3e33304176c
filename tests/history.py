"""A Hopsworks with a model and passengers of many days, stored directly: the pipelines would take
as many days for it.

For programs that tests start: everything happens in the process that imports this, in the store of
its environment.
"""

import contextlib
import io
import json
import os
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier

from tests.pipelines import REPOSITORY, load

feature, training, batch = load("feature"), load("training"), load("batch_inference")


def run(pipeline, **toggles):
    """What a pipeline prints; or the sentence it ends with."""
    said, before, sleep = io.StringIO(), dict(os.environ), time.sleep
    os.environ.update(toggles)
    time.sleep = lambda seconds: sleep(
        seconds if seconds < 5 else 0
    )  # so long the SDK sleeps after saving a model
    try:
        with contextlib.redirect_stdout(said):
            pipeline.main()
    except SystemExit as error:
        return str(error)
    finally:
        time.sleep = sleep
        os.environ.clear()
        os.environ.update(before)
    return said.getvalue()


run(feature, BACKFILL="True")
project = batch.login()
store, files, registry = (
    project.get_feature_store(),
    project.get_dataset_api(),
    project.get_model_registry(),
)
encoding = json.loads(files.read_content("/" + batch.ENCODING).content)
features, label = encoding["features"], encoding["label"]
group = store.get_feature_group("titanic", 1)
store.get_or_create_feature_view("titanic", group.select([*features, label]), 1, labels=[label])


def people(size, seed=0):
    """Made up as the feature pipeline does, so far without a time."""
    rows = feature.draw(encoding["passengers"], size, np.random.default_rng(seed))
    ids = 10**9 + np.random.default_rng([seed, 1]).integers(0, 2**52, size)
    return pd.DataFrame(rows, columns=[*features, label]).assign(passenger_id=ids)


def ago(text):
    """A time of so long ago, as the feature pipeline stores it."""
    return np.datetime64(time.time_ns() // 1000, "us") - pd.Timedelta(text).to_timedelta64().astype(
        "timedelta64[us]"
    )


def arrive(rows, when):
    group.insert(rows.assign(event_time=when), operation="insert")


def register(model=None, codes=encoding, **metrics):
    """A model, by default a small one of the real kind, as the training pipeline registers it."""
    rows = people(891)
    model = model or GradientBoostingClassifier(n_estimators=20, random_state=0)
    metrics = {
        "cv_accuracy": 0.8159,
        "cv_accuracy_std": 0.0367,
        "sex_alone_accuracy": 0.7867,
        **metrics,
    }
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(model.fit(rows[features], rows[label]), f"{folder}/model.joblib")
        Path(folder, "encoding.json").write_text(json.dumps(codes))
        for name in ("0.png", "1.png"):
            Path(folder, name).write_bytes((REPOSITORY / "assets" / name).read_bytes())
        sleep, time.sleep = (
            time.sleep,
            lambda seconds: None,
        )  # the SDK would wait 5 s before it looks
        try:
            return registry.sklearn.create_model("titanic", metrics=metrics).save(folder)
        finally:
            time.sleep = sleep


def monitor():
    return json.loads(files.read_content(f"/{batch.IMAGES}/monitor.json").content)


def put(name, text):
    """A file beside the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_text(text)
        files.upload(f"{folder}/{name}", batch.IMAGES, overwrite=True)
