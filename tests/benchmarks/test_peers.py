"""The same work on Feast (local provider, DuckDB) and MLflow (SQLite and files), which peers.py
does in an environment of its own: theirs, then ours, each in a program that has done its
imports."""

import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from tests.benchmarks.conftest import SIZES
from tests.benchmarks.work import COLUMNS, frame, median_of, through_the_sdk

SIZE = min(max(SIZES), 1_000_000)
WORK = {  # what peers.py measures of Feast
    "write": "write features",
    "join": "join labels to features in time",
    "read": "read all features",
    "add": "add 1,000 rows to those features",
}


@pytest.mark.timeout(1200)
def test_feast(feature_store, peer, report, tmp_path):
    data = frame(0, SIZE)
    data.to_parquet(tmp_path / "data.parquet")
    theirs = peer("feast", tmp_path, SIZE)

    options = {"primary_key": ["id"], "event_time": "event_time", "statistics_config": False}
    groups = []

    def write():
        groups.append(
            feature_store.create_feature_group(name="peer_rows", version=len(groups) + 1, **options)
        )
        groups[-1].insert(data.head(1))
        groups[-1].insert(data.tail(-1), operation="insert")

    ours, group = {"write": median_of(write)}, groups[0]
    labels = data[["id", "event_time"]].assign(
        event_time=data["event_time"] + np.timedelta64(1, "h"), label=1
    )
    label_group = feature_store.create_feature_group(name="peer_labels", version=1, **options)
    label_group.insert(labels)
    query = label_group.select_all().join(group.select(COLUMNS), on=["id"])
    ours["join"] = median_of(lambda: through_the_sdk(query))
    ours["read"] = median_of(lambda: through_the_sdk(group.select_all()))
    more = frame(SIZE, 1000)
    ours["add"] = median_of(lambda: group.insert(more, operation="insert"))
    for work, title in WORK.items():
        report(title, SIZE, ours[work], "Feast", theirs[work])


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:Model schema cannot")
def test_mlflow(project, peer, report, tmp_path, awake):
    features = np.random.default_rng(0).integers(0, 4, (891, 4))
    classifier = GradientBoostingClassifier(n_estimators=1000).fit(features, features[:, 0] > 1)
    (tmp_path / "model").mkdir()
    made = tmp_path / "model" / "model.pkl"
    # As MLflow does; joblib takes four times as long to load that
    made.write_bytes(pickle.dumps(classifier))
    theirs = peer("mlflow", tmp_path, made)
    registry = project.get_model_registry()

    def save():
        registry.sklearn.create_model("peer_model", metrics={"accuracy": 0.8}).save(
            str(tmp_path / "model")
        )

    def load(*folder):
        # Without a folder only if it was not before
        kept = registry.get_model("peer_model", 1).download(*folder)
        pickle.loads(Path(kept, "model.pkl").read_bytes())

    report(
        "save a model (of which the SDK sleeps 5 s)",
        None,
        median_of(save),
        "MLflow",
        theirs["save"],
    )
    awake()
    report("save a model, without that", None, median_of(save), "MLflow", theirs["save"])
    report("load a model, again", None, median_of(load), "MLflow", theirs["load"])
    report(
        "load a model, for the first time",
        None,
        median_of(lambda: load(str(tmp_path / f"loaded{time.monotonic_ns()}"))),
        "MLflow",
        theirs["load"],
    )
