"""Wine quality: a backfill, a synthetic wine a day, a regressor, and predictions kept beside what
came true."""

import os
import tempfile

import hopsworks
import joblib
import numpy as np
import pandas as pd
from hsml.model_schema import ModelSchema
from hsml.schema import Schema
from sklearn.ensemble import RandomForestRegressor

random = np.random.default_rng(11)


def wines(count: int) -> pd.DataFrame:
    colour = random.choice(["red", "white"], count)
    alcohol = random.uniform(8, 14, count)
    return pd.DataFrame({
        "type": colour, "alcohol": alcohol, "ph": random.normal(3.2, 0.15, count),
        "quality": np.clip(alcohol - 5 + (colour == "red"), 3, 9).round().astype(int),
    })  # fmt: skip


project = hopsworks.login()
fs = project.get_feature_store()
wine = wines(200)
wine_fg = fs.get_or_create_feature_group(
    name="wine",
    version=1,
    primary_key=["type", "alcohol", "ph"],
    description="Wine Quality Dataset",
)
wine_fg.insert(wine)
for _ in range(3):  # three days
    wine_fg.insert(wines(1), operation="insert", write_options={"wait_for_job": False})
assert len(wine_fg.read()) == 203 and len(wine_fg.commit_details()) == 4

view = fs.get_or_create_feature_view("wine", wine_fg.select_all(), version=1, labels=["quality"])
X_train, X_test, y_train, y_test = view.train_test_split(test_size=0.2)


def encoded(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(type=(frame["type"] == "red").astype(int))


regressor = RandomForestRegressor(20, random_state=0).fit(
    encoded(X_train), y_train.to_numpy().ravel()
)
error = float(np.abs(regressor.predict(encoded(X_test)) - y_test.to_numpy().ravel()).mean())
registry = project.get_model_registry()
with tempfile.TemporaryDirectory() as folder:
    joblib.dump(regressor, f"{folder}/wine_model.pkl")
    schema = ModelSchema(Schema(X_train), Schema(y_train))
    registry.sklearn.create_model("wine_model", metrics={"mae": error}, model_schema=schema).save(
        folder
    )

model = registry.get_best_model("wine_model", "mae", "min")
loaded = joblib.load(os.path.join(model.download(), "wine_model.pkl"))
batch = view.get_batch_data()
predicted = loaded.predict(encoded(batch))
monitor_fg = fs.get_or_create_feature_group(
    name="wine_predictions",
    version=1,
    primary_key=["datetime"],
    description="Wine quality prediction monitoring",
)
row = {"prediction": [round(predicted[-1], 2)], "label": [int(wine["quality"].iloc[-1])]}
monitor_fg.insert(
    pd.DataFrame({**row, "datetime": ["2026-01-01 06:00"]}), write_options={"wait_for_job": False}
)
history = monitor_fg.read(read_options={"use_hive": False})
assert len(history) == 1 and model.model_schema["input_schema"] is not None
print("done")
