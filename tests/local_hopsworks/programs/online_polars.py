"""An online feature group written from a polars frame."""

import hopsworks
import polars as pl

store = hopsworks.login().get_feature_store()
group = store.get_or_create_feature_group(
    "polars_prices", version=1, primary_key=["id"], online_enabled=True
)
rows = pl.DataFrame({"id": [1, 2, 2], "price": [1.0, 2.0, 3.0], "note": ["a", None, "c"]})
group.insert(rows, write_options={"wait_for_online_ingestion": True})
ingestion = group.get_latest_online_ingestion()
assert ingestion.num_entries == 2, ingestion.num_entries  # of two rows of one key the last
assert [(each.status, each.rows) for each in ingestion.results] == [("UPSERTED", 2)]
