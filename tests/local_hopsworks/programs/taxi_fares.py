"""NYC taxi rides and fares: groups joined on a ride, explicit features, materialised training data,
model flavours."""

import tempfile
from pathlib import Path

import hopsworks
import numpy as np
import pandas as pd
from hsfs.feature import Feature

random = np.random.default_rng(3)
count = 120
rides_df = pd.DataFrame(
    {
        "ride_id": [f"r{number}" for number in range(count)],
        # ms since 1970
        "pickup_datetime": [1_767_225_600_000 + number * 60_000 for number in range(count)],
        "pickup_longitude": random.uniform(-74.1, -73.8, count),
        "distance": random.uniform(0.5, 20, count),
        "passenger_count": random.integers(1, 5, count),
    }
)
fares_df = pd.DataFrame(
    {
        "ride_id": rides_df["ride_id"],
        "total_fare": (rides_df["distance"] * 2.5 + 3).round(2),
        "toll": random.choice([0.0, 6.5], count),
    }
)

project = hopsworks.login()
fs = project.get_feature_store()
rides_fg = fs.create_feature_group(
    name="nyc_taxi_rides",
    version=1,
    primary_key=["ride_id"],
    event_time="pickup_datetime",
    description="Rides features",
    statistics_config={"enabled": True, "histograms": True, "correlations": False},
    features=[
        Feature("ride_id", "string"),
        Feature("pickup_datetime", "bigint", description="when it began, ms since 1970"),
        Feature("pickup_longitude", "double"),
        Feature("distance", "double"),
        Feature("passenger_count", "bigint"),
    ],
)
rides_fg.insert(rides_df)
fares_fg = fs.get_or_create_feature_group(
    "nyc_taxi_fares", version=1, primary_key=["ride_id"], stream=True
)
# The rows of a stream group go through Kafka: the job brings them into the offline table
fares_fg.insert(fares_df, write_options={"wait_for_job": True})
assert rides_fg.get_statistics().feature_descriptive_statistics[0].count == count

query = fares_fg.select(["total_fare", "toll"]).join(
    rides_fg.select_except(["pickup_datetime"]),
    left_on=["ride_id"],
    right_on=["ride_id"],
    join_type="inner",
)
cheap = fares_fg.select_all().join(rides_fg.select_all()).filter(fares_fg.total_fare < 30).read()
assert 0 < len(cheap) < count and (cheap["total_fare"] < 30).all()
view = fs.create_feature_view(name="nyc_taxi", query=query, labels=["total_fare"])
assert [found.version for found in fs.get_feature_views("nyc_taxi")] == [view.version] == [1]

for data_format in ("csv", "parquet"):
    version, job = view.create_train_validation_test_split(
        validation_size=0.2,
        test_size=0.1,
        data_format=data_format,
        write_options={"wait_for_job": True},
        seed=1,
    )
    parts = view.get_train_validation_test_split(version)
    assert [len(part) for part in parts] == [84, 24, 12, 84, 24, 12], [len(part) for part in parts]
version, _ = view.create_training_data(description="all rides", data_format="csv")
features, labels = view.get_training_data(version)
assert len(features) == len(labels) == count
features, labels = view.training_data(description="in memory")
assert len(features) == count

window = rides_fg.filter(rides_fg.pickup_datetime >= int(rides_df["pickup_datetime"][100])).read()
assert len(window) == 20

registry = project.get_model_registry()
for flavour in (
    registry.tensorflow,
    registry.torch,
    registry.sklearn,
    registry.python,
    registry.llm,
):
    model = flavour.create_model("nyc_taxi_fares", metrics={"rmse": 1.5}, description="fares")
    assert model.name == "nyc_taxi_fares"
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "weights.txt").write_text("2.5 3")
    model = registry.tensorflow.create_model(
        "nyc_taxi_fares", metrics={"rmse": 1.5}, input_example=features.head(1), feature_view=view,
        training_dataset_version=version,
    )  # fmt: skip
    model.save(folder)
assert registry.get_model("nyc_taxi_fares", version=1).get_feature_view().name == "nyc_taxi"
assert Path(registry.get_model("nyc_taxi_fares").download(), "weights.txt").read_text() == "2.5 3"
try:
    model.deploy()
except Exception as error:
    assert "TensorFlow Serving" in str(error), error
else:
    raise AssertionError("TensorFlow Serving is not there")
print("done")
