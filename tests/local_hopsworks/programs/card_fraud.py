"""Credit-card fraud: transactions with windows over them, joined to card holders' profiles as they
were at the time."""

import hopsworks
import numpy as np
import pandas as pd

random = np.random.default_rng(7)
hours = pd.date_range("2026-01-01", periods=400, freq="h")
trans_df = pd.DataFrame(
    {
        "tid": [f"t{number}" for number in range(400)],
        "datetime": hours,
        "cc_num": random.integers(1, 6, 400),
        "category": random.choice(["grocery", "travel", "restaurant"], 400),
        "amount": random.gamma(2, 50, 400).round(2),
        "fraud_label": random.integers(0, 2, 400),
    }
)
by_card = (
    trans_df.sort_values("datetime")
    .set_index("datetime")
    .groupby("cc_num")["amount"]
    .rolling("24h")
)
window_aggs_df = by_card.agg(["mean", "count"]).add_prefix("trans_volume_24h_").reset_index()
profiles = pd.DataFrame(
    {
        "cc_num": [1, 2, 3, 4, 5, 1],
        "gender": ["F", "M", "F", "M", "F", "X"],
        "datetime": [pd.Timestamp("2025-12-01")] * 5 + [pd.Timestamp("2026-01-10")],
    }
)

project = hopsworks.login()
fs = project.get_feature_store()
trans_fg = fs.get_or_create_feature_group(
    name="transactions",
    version=1,
    description="Transaction data",
    primary_key=["cc_num"],
    event_time="datetime",
    partition_key=["category"],
    online_enabled=True,
)
trans_fg.insert(trans_df, write_options={"wait_for_job": True})
window_aggs_fg = fs.get_or_create_feature_group(
    name="transactions_4h_aggs",
    version=1,
    primary_key=["cc_num"],
    event_time="datetime",
    parents=[trans_fg],
)
window_aggs_fg.insert(window_aggs_df, wait=True)
profile_fg = fs.get_or_create_feature_group(
    name="profiles", version=1, primary_key=["cc_num"], event_time="datetime"
)
profile_fg.insert(profiles, storage="offline")
assert [parent.name for parent in window_aggs_fg.get_parent_feature_groups().accessible] == [
    "transactions"
]

query = (
    trans_fg.select(["fraud_label", "category", "amount", "datetime"])
    .join(window_aggs_fg.select_except(["cc_num"]), prefix="w_")
    .join(profile_fg.select(["gender"]), on=["cc_num"])
)
shown = query.show(5)
assert len(shown) == 5 and "w_trans_volume_24h_mean" in shown.columns
label_encoder = fs.get_transformation_function(name="label_encoder")
feature_view = fs.get_or_create_feature_view(
    name="transactions_view", version=1, query=query, labels=["fraud_label"],
    transformation_functions=[label_encoder("category"), label_encoder("gender")],
)  # fmt: skip
X_train, X_test, y_train, y_test = feature_view.train_test_split(
    description="transactions fraud batch training dataset",
    train_start="2026-01-01",
    train_end="2026-01-12",
    test_start="2026-01-12",
    test_end="2026-01-20",
)
assert len(X_train) == 11 * 24 and len(X_test) == 400 - 11 * 24
assert set(X_train["label_encoder_category_"]) == {0, 1, 2}

rows = query.read()
before, after = rows[rows["datetime"] < "2026-01-10"], rows[rows["datetime"] >= "2026-01-10"]
# As known at the time
assert len(rows) == 400 and "X" not in set(before["gender"]) and "X" in set(after["gender"])

feature_view.init_batch_scoring(1)
batch = feature_view.get_batch_data(start_time="2026-01-15", end_time="2026-01-16")
assert len(batch) == 24 and batch["label_encoder_category_"].notna().all()
try:
    feature_view.get_feature_vector({"cc_num": 1})
except Exception as error:
    assert "online enabled" in str(error), error
else:
    raise AssertionError("online reads are not there")
print("done")
