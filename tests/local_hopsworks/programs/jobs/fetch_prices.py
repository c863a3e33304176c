"""fetch_prices.py --zone ZONE: a day's electricity prices into a feature group, with a secret."""

import argparse

import hopsworks
import pandas as pd

arguments = argparse.ArgumentParser()
arguments.add_argument("--zone")
zone = arguments.parse_args().zone
project = hopsworks.login()
key = hopsworks.get_secrets_api().get_secret("PRICE_API_KEY").value
hours = range(24)
prices = pd.DataFrame(
    {"zone": [zone] * 24, "hour": hours, "price": [float(len(key) + hour) for hour in hours]}
)
group = project.get_feature_store().get_or_create_feature_group(
    "prices", version=1, primary_key=["zone", "hour"]
)
group.insert(prices)
print("stored", len(prices), "prices of", zone)
