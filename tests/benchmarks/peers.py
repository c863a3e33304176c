"""The same work on Feast and MLflow, in an environment of their own; test_peers.py runs this.
Prints seconds as JSON.

python peers.py feast FOLDER ROWS      python peers.py mlflow FOLDER MODEL
"""

import json
import pickle
import statistics
import sys
import time
from pathlib import Path

ROUNDS = 3


def median_of(function):
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def feast(folder, rows):
    """Local provider with DuckDB as offline store: write features, join them to labels in time,
    read them all."""
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
    from feast.types import Int64

    data = pd.read_parquet(folder / "data.parquet")
    data["event_time"] = data["event_time"].dt.tz_localize("UTC")
    data.head(1).to_parquet(folder / "source.parquet")
    source = FileSource(path=str(folder / "source.parquet"), timestamp_field="event_time")
    names = [name for name in data if name.startswith("x")]
    entity = Entity(name="id", join_keys=["id"])
    view = FeatureView(
        name="rows", entities=[entity], source=source, online=False,
        schema=[Field(name=name, dtype=Int64) for name in ["id", *names]],
    )  # fmt: skip
    store = FeatureStore(
        config=RepoConfig(
            project="bench", provider="local", registry=str(folder / "registry.db"), offline_store={"type": "duckdb"},
            online_store={"type": "sqlite", "path": str(folder / "online.db")}, entity_key_serialization_version=3,
        )
    )  # fmt: skip
    store.apply([entity, view])
    labels = data[["id", "event_time"]].assign(
        event_time=data["event_time"] + pd.Timedelta(hours=1), label=1
    )
    features = [f"rows:{name}" for name in names]

    def write():
        data.head(1).to_parquet(folder / "source.parquet")
        store.write_to_offline_store("rows", data)

    def join():
        assert len(store.get_historical_features(labels, features).to_df()) == rows

    # DuckDB's historical features need entities; this is what materialisation reads with
    def read():
        times = data["event_time"].min().to_pydatetime(), data["event_time"].max().to_pydatetime()
        job = store._get_provider().offline_store.pull_all_from_table_or_query(
            store.config, source, ["id"], names, "event_time", None, *times
        )
        assert len(job.to_df()) >= rows

    def add():
        store.write_to_offline_store("rows", data.head(1000))

    return {
        "write": median_of(write),
        "join": median_of(join),
        "read": median_of(read),
        "add": median_of(add),
    }


def mlflow(folder, model):
    """SQLite and files: log and register a model, load it again."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment(
            "bench", artifact_location=(folder / "files").as_uri()
        )
    )
    classifier = pickle.loads(Path(model).read_bytes())

    def save():
        with mlflow.start_run():
            mlflow.log_metric("accuracy", 0.8)
            mlflow.sklearn.log_model(
                classifier,
                name="model",
                registered_model_name="bench",
                serialization_format="cloudpickle",
            )

    return {
        "save": median_of(save),
        "load": median_of(lambda: mlflow.sklearn.load_model("models:/bench/1")),
    }


if __name__ == "__main__":
    what, where, size_or_model = sys.argv[1:]
    measured = (
        feast(Path(where), int(size_or_model))
        if what == "feast"
        else mlflow(Path(where), size_or_model)
    )
    print("MEASURED" + json.dumps(measured))
