"""The same work on Feast and MLflow, in an environment of their own; test_peers.py runs this.
Prints seconds as JSON.

python peers.py feast FOLDER ROWS      python peers.py mlflow FOLDER MODEL
python peers.py taxi FOLDER ROWS
python peers.py feast_online FOLDER ROWS
"""

import json
import pickle
import statistics
import sys
import time
from pathlib import Path

ROUNDS = 3
MANY = 2_000_000  # of more rows each work is measured once
# Feast joins each trip with all that was ever known of its zone before it looks for the latest: a
# million trips need more than 21 GB of memory
LARGEST_JOIN = 200_000


def median_of(function, rounds=ROUNDS):
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


FEAST = """project: bench
provider: local
registry: {folder}/registry.db
offline_store: {{type: duckdb}}
online_store: {{type: sqlite, path: {folder}/online.db}}
entity_key_serialization_version: 3
"""


def feast_rows(folder, online):
    """A Feast repository in the folder with a view of the rows of data.parquet: the store, its
    source and the rows."""
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource
    from feast.types import Int64

    data = pd.read_parquet(folder / "data.parquet")
    data["event_time"] = data["event_time"].dt.tz_localize("UTC")
    data.head(1).to_parquet(folder / "source.parquet")
    source = FileSource(path=str(folder / "source.parquet"), timestamp_field="event_time")
    names = ["id", *(name for name in data if name.startswith("x"))]
    entity = Entity(name="id", join_keys=["id"])
    view = FeatureView(
        name="rows",
        entities=[entity],
        source=source,
        online=online,
        schema=[Field(name=name, dtype=Int64) for name in names],
    )
    (folder / "feature_store.yaml").write_text(FEAST.format(folder=folder))
    store = FeatureStore(repo_path=str(folder))
    store.apply([entity, view])
    return store, source, data


def feast_online(folder, rows):
    """Write the rows into the SQLite online store, for vector_client.py."""
    store, _, data = feast_rows(folder, online=True)
    store.write_to_online_store("rows", data)
    return {"rows": rows}


def feast(folder, rows):
    """Local provider with DuckDB as offline store: write features, join them to labels in time,
    read them all."""
    import pandas as pd

    store, source, data = feast_rows(folder, online=False)
    names = [name for name in data if name.startswith("x")]
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


def taxi(folder, rows):
    """The taxi rows of taxi.py: read the trips, and join both kinds of what was known of their
    zones to them in time."""
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
    from feast.types import Float64, Int64, String

    store = FeatureStore(
        config=RepoConfig(
            project="taxi",
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": "duckdb"},
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
        )
    )

    def view(name, key, times, fields):
        frame = pd.read_parquet(folder / f"{name}.parquet").rename(columns={"location_id": key})
        frame[times] = frame[times].dt.tz_localize("UTC")
        frame.to_parquet(folder / f"{name}_utc.parquet")
        source = FileSource(path=str(folder / f"{name}_utc.parquet"), timestamp_field=times)
        entity = Entity(name=key, join_keys=[key])
        schema = [Field(name=key, dtype=Int64)]
        schema += [Field(name=field, dtype=kind) for field, kind in fields.items()]
        made = FeatureView(name=name, entities=[entity], source=source, online=False, schema=schema)
        store.apply([entity, made])
        return frame, source

    known = {"borough": String, "count_trips": Int64}
    view("pickups", "pu_location_id", "ts", {**known, "mean_fare": Float64})
    view("dropoffs", "do_location_id", "ts", known)
    kept = {
        "trip_distance": Float64,
        "fare_amount": Float64,
        "pu_location_id": Int64,
        "do_location_id": Int64,
    }
    kept |= {"pu_borough": String, "do_borough": String}
    times = "tpep_pickup_datetime"
    trips, source = view("trips", "row_id", times, kept)
    entities = trips.rename(columns={times: "event_timestamp"})
    features = ["pickups:borough", "pickups:count_trips", "pickups:mean_fare"]
    features += ["dropoffs:borough", "dropoffs:count_trips"]

    def read():
        span = trips[times].min().to_pydatetime(), trips[times].max().to_pydatetime()
        job = store._get_provider().offline_store.pull_all_from_table_or_query(
            store.config, source, ["row_id"], list(kept), times, None, *span
        )
        assert len(job.to_df()) == rows

    def join():
        found = store.get_historical_features(entities, features, full_feature_names=True).to_df()
        assert len(found) == rows

    rounds = ROUNDS if rows <= MANY else 1
    measured = {"read": median_of(read, rounds)}
    if rows <= LARGEST_JOIN:
        measured["join"] = median_of(join, rounds)
    return measured


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
    folder = Path(where)
    if what == "mlflow":
        measured = mlflow(folder, size_or_model)
    else:
        measure = {"feast": feast, "feast_online": feast_online, "taxi": taxi}[what]
        measured = measure(folder, int(size_or_model))
    print("MEASURED" + json.dumps(measured))
