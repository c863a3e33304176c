"""Bike rides an hour at stations, all in polars: written, read, joined in time, split, and scored
as a batch."""

import datetime

import hopsworks
import polars as pl
from sklearn.linear_model import LinearRegression

START = datetime.datetime(2026, 3, 2)
hours = pl.datetime_range(
    START, START + datetime.timedelta(hours=47), "1h", eager=True, time_unit="us"
)
rides = pl.DataFrame({"hour": hours}).join(
    pl.DataFrame({"station": ["harbour", "museum"]}), how="cross"
)
rides = rides.with_columns(
    pl.int_range(pl.len()).alias("ride_id"),
    (pl.col("hour").dt.hour() * 3 + pl.col("station").str.len_chars())
    .cast(pl.Int64)
    .alias("rides"),
    pl.col("hour").dt.date().alias("day"),
    (pl.col("hour").dt.hour() % 2 == 0).alias("is_even"),
)
weather = pl.DataFrame(
    {
        "station": ["harbour", "museum"] * 2,
        "hour": [START, START, *[START + datetime.timedelta(days=1)] * 2],
        "degrees": [3.5, None, 7.25, 6.5],
    }
)

fs = hopsworks.login().get_feature_store()
made = {}
for name, frame, key in (("rides", rides, "ride_id"), ("weather", weather, "station")):
    made[name] = fs.get_or_create_feature_group(name, 1, primary_key=[key], event_time="hour")
    made[name].insert(frame)
assert [feature.type for feature in made["rides"].features] == [
    "timestamp", "string", "bigint", "bigint", "date", "boolean"
]  # fmt: skip

back = made["rides"].read(dataframe_type="polars")
assert back.sort("ride_id").equals(rides), back
made["rides"].insert(rides.head(4).with_columns(rides=pl.lit(1000, pl.Int64)))
busy = made["rides"].filter(made["rides"].rides >= 1000).read(dataframe_type="polars")
assert busy["ride_id"].sort().to_list() == [0, 1, 2, 3]

view = fs.get_or_create_feature_view(
    name="rides", version=1, labels=["rides"],
    query=made["rides"].select(["rides"]).join(made["weather"].select(["degrees"]), on=["station"]),
)  # fmt: skip
joined = view.query.read(dataframe_type="polars")
assert len(joined) == 96 and joined["degrees"].null_count() == 24
X_train, X_test, y_train, y_test = view.train_test_split(test_size=0.25, dataframe_type="polars")
assert isinstance(X_train, pl.DataFrame) and (len(X_train), len(y_test)) == (72, 24)
known = pl.concat([X_train, y_train], how="horizontal").drop_nulls()
model = LinearRegression().fit(known.select("degrees").to_numpy(), known["rides"].to_numpy())
new = view.get_batch_data(start_time=START + datetime.timedelta(hours=46), dataframe_type="polars")
assert len(new) == 4 and model.predict(new.select("degrees").to_numpy()).shape == (4,)
print("done")
