"""Feature vectors as Polars frames, through both clients of the SDK."""

import hopsworks
import pandas as pd
import polars as pl

store = hopsworks.login().get_feature_store()
group = store.create_feature_group("fares", 1, primary_key=["id"], online_enabled=True)
rows = pd.DataFrame({"id": [1, 2, 3], "fare": [7.25, 71.5, 8.0]})
group.insert(rows, storage="online", write_options={"wait_for_online_ingestion": True})
view = store.create_feature_view("fares", group.select(["id", "fare"]), 1)

for rest in (False, True):
    view.init_serving(1, init_sql_client=not rest, init_rest_client=rest)
    one = view.get_feature_vector({"id": 2}, return_type="polars")
    assert one.equals(pl.DataFrame({"id": [2], "fare": [71.5]})), one
    many = view.get_feature_vectors([{"id": 3}, {"id": 1}], return_type="polars")
    assert many.equals(pl.DataFrame({"id": [3, 1], "fare": [8.0, 7.25]})), many

read = group.read(online=True, dataframe_type="polars")
assert read.sort("id").equals(pl.DataFrame(rows)), read
print("done")
