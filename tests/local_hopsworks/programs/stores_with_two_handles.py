"""Gets a feature group twice and inserts a row through each."""

import pandas as pd

from local_hopsworks import login


def handle():
    store = login().get_feature_store()
    return store.get_or_create_feature_group("g", 1, primary_key=["id"], online_enabled=True)


groups = [handle(), handle()]
for number, group in enumerate(groups):
    group.insert(pd.DataFrame({"id": [number]}))
