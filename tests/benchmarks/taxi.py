"""Generated rows in the schema of the field's published benchmark of offline feature stores
(github.com/featurestoreorg/featurestore-benchmarks): taxi trips in New York, what was known of a
zone every 15 minutes of pick-ups, and every 30 minutes of drop-offs; and the figures published
there."""

import numpy as np
import pandas as pd

ZONES, TRIPS_A_DAY = 265, 100_000
BOROUGHS = np.array(["Manhattan", "Brooklyn", "Queens", "Bronx", "Staten Island", "EWR"])
START = pd.Timestamp("2022-01-01")
# Million rows a second into pandas, read off the charts: clusters of 16 cores and 60 GB
PUBLISHED = {
    "read": {"Hopsworks 3.4": 2.3, "SageMaker": 0.16, "Databricks": 0.08, "Vertex": 0.03},
    "join": {"Hopsworks 3.4": 0.97, "SageMaker": 0.09, "Databricks": 0.06, "Vertex": 0.10},
}


def trips(rows):
    """One trip a row, in the order of their beginnings."""
    random = np.random.default_rng(rows)
    seconds = np.sort(random.integers(0, int(86400 * max(rows / TRIPS_A_DAY, 1)), rows))
    begins = (START + pd.to_timedelta(seconds, "s")).astype("datetime64[us]")
    lasts = pd.to_timedelta(random.integers(60, 3600, rows), "s")
    from_zone, to_zone = random.integers(1, ZONES + 1, (2, rows))
    return pd.DataFrame(
        {
            "row_id": np.arange(rows),
            "tpep_pickup_datetime": begins,
            "tpep_dropoff_datetime": (begins + lasts).astype("datetime64[us]"),
            "trip_distance": random.gamma(2, 1.5, rows),
            "fare_amount": random.gamma(4, 4, rows),
            "pu_location_id": from_zone,
            "do_location_id": to_zone,
            "pu_borough": BOROUGHS[from_zone % len(BOROUGHS)],
            "do_borough": BOROUGHS[to_zone % len(BOROUGHS)],
        }
    )


def pickups(taxi):
    """Mean fare and number of the trips that began in a zone, every 15 minutes."""
    windows = taxi.assign(ts=taxi["tpep_pickup_datetime"].dt.floor("15min"))
    grouped = windows.groupby(["pu_location_id", "pu_borough", "ts"])["fare_amount"]
    found = grouped.agg(mean_fare="mean", count_trips="count").reset_index()
    found = found.rename(columns={"pu_location_id": "location_id", "pu_borough": "borough"})
    return found.assign(row_id=np.arange(len(found)))


def dropoffs(taxi):
    """Number of the trips that ended in a zone, every 30 minutes."""
    windows = taxi.assign(ts=taxi["tpep_dropoff_datetime"].dt.floor("30min"))
    found = windows.groupby(["do_location_id", "do_borough", "ts"]).size()
    found = found.rename("count_trips").reset_index()
    found = found.rename(columns={"do_location_id": "location_id", "do_borough": "borough"})
    is_weekend = found["ts"].dt.dayofweek >= 5
    return found.assign(is_weekend=is_weekend, row_id=np.arange(len(found)))
