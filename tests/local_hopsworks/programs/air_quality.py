"""Air quality: measurements and weather by city and day, a secret key to the sensor, a backfill and
a daily run."""

import datetime
import json

import hopsworks
import pandas as pd

project = hopsworks.login()
fs = project.get_feature_store()
secrets = hopsworks.get_secrets_api()
if secrets.get_secret("AQI_API_KEY") is None:
    secrets.create_secret("AQI_API_KEY", "not-a-real-key")
where = {"country": "sweden", "city": "stockholm", "street": "hornsgatan"}
secrets.create_secret("SENSOR_LOCATION_JSON", json.dumps(where))
location = json.loads(secrets.get_secret("SENSOR_LOCATION_JSON").value)
assert location == where and secrets.get_secret("AQI_API_KEY").value == "not-a-real-key"

days = pd.date_range("2025-11-01", periods=60, freq="D")
aq_df = pd.DataFrame(
    {"date": days, "pm25": [float(5 + number % 17) for number in range(60)], **location}
)
aq_df["pm25"] = aq_df["pm25"].astype("float32")
weather_df = pd.DataFrame({
    "date": days.date,  # a date, where air quality has timestamps
    "temperature_2m_mean": [float(number % 12 - 4) for number in range(60)],
    "wind_speed_10m_max": [float(number % 9) for number in range(60)],
    "city": "stockholm",
})  # fmt: skip
air_quality_fg = fs.get_or_create_feature_group(
    name="air_quality", description="Air Quality characteristics of each day", version=1,
    primary_key=["country", "city", "street"], event_time="date",
)  # fmt: skip
air_quality_fg.insert(aq_df)
air_quality_fg.update_feature_description("date", "Date of measurement of air quality")
weather_fg = fs.get_or_create_feature_group(
    name="weather",
    description="Weather characteristics of each day",
    version=1,
    primary_key=["city"],
    event_time="date",
)
weather_fg.insert(weather_df, wait=True)

selected_features = air_quality_fg.select(["pm25", "date"]).join(
    weather_fg.select_features(), on=["city"]
)
feature_view = fs.get_or_create_feature_view(
    name="air_quality_fv", description="weather features with air quality as the target", version=1,
    labels=["pm25"], query=selected_features,
)  # fmt: skip
X_train, X_test, y_train, y_test = feature_view.train_test_split(
    test_start=datetime.datetime(2025, 12, 21)
)
assert (len(X_train), len(X_test)) == (50, 10)
assert list(X_train.columns) == ["date", "temperature_2m_mean", "wind_speed_10m_max"]

# the daily run
today = pd.Timestamp("2025-12-31")
air_quality_fg = fs.get_feature_group(name="air_quality", version=1)
daily = pd.DataFrame({"date": [today], "pm25": pd.Series([9.5], dtype="float32"), **location})
air_quality_fg.insert(daily)
weather_fg.insert(
    pd.DataFrame(
        {
            "date": [today.date()],
            "temperature_2m_mean": [-3.0],
            "wind_speed_10m_max": [4.0],
            "city": ["stockholm"],
        }
    )
)
batch = weather_fg.filter(weather_fg.date >= today.date()).read()
assert len(batch) == 1 and batch["temperature_2m_mean"][0] == -3.0
assert len(feature_view.get_batch_data(start_time=today)) == 1
monitor_fg = fs.get_or_create_feature_group(
    name="aq_predictions", description="Air Quality prediction monitoring", version=1,
    primary_key=["city", "street", "date", "days_before_forecast_day"], event_time="date",
)  # fmt: skip
monitor_fg.insert(
    pd.DataFrame(
        {"date": [today], "predicted_pm25": [9.1], "days_before_forecast_day": [1], **location}
    ),
    write_options={"wait_for_job": True},
)
assert len(monitor_fg.filter(monitor_fg.days_before_forecast_day == 1).read()) == 1

dataset_api = project.get_dataset_api()
if not dataset_api.exists("Resources/airquality"):
    dataset_api.mkdir("Resources/airquality")
with open("forecast.json", "w") as file:
    json.dump({"tomorrow": 9.1}, file)
dataset_api.upload("forecast.json", "Resources/airquality/stockholm", overwrite=True)
print("done", dataset_api.download("Resources/airquality/stockholm/forecast.json", overwrite=True))
