"""Stores two synthetic passengers who both are men in third class: the model says they died."""

import pandas as pd

from local_hopsworks import login

titanic = login().get_feature_store().get_feature_group("titanic", 1)
man = {"pclass": 3, "sex": 0, "age_bin": 2, "fare_bin": 0, "survived": 0}
now = pd.Timestamp.now("UTC").tz_localize(None).as_unit("us")
rows = pd.DataFrame([man, man]).assign(passenger_id=[10**9, 10**9 + 1], event_time=now)
titanic.insert(rows, wait=True)
