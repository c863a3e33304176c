"""Customer churn: three groups of one customer, scaled features, and cleaning up afterwards."""

import hopsworks
import numpy as np
import pandas as pd

random = np.random.default_rng(1)
ids = [f"c{number:03}" for number in range(80)]
demography = pd.DataFrame(
    {
        "customerid": ids,
        "gender": random.choice(["Male", "Female"], 80),
        "seniorcitizen": random.integers(0, 2, 80),
        "datetime": pd.Timestamp("2026-01-01"),
    }
)
customers = pd.DataFrame({
    "customerid": ids, "contract": random.choice(["Month-to-month", "One year"], 80),
    "tenure": random.integers(0, 70, 80), "churn": random.integers(0, 2, 80),
    "monthlycharges": random.uniform(20, 110, 80), "datetime": pd.Timestamp("2026-01-01"),
})  # fmt: skip
subscriptions = pd.DataFrame(
    {
        "customerid": ids,
        "onlinebackup": random.choice(["Yes", "No"], 80),
        "datetime": pd.Timestamp("2026-01-01"),
    }
)

project = hopsworks.login()
fs = project.get_feature_store()
groups = {}
for name, frame in {
    "demography": demography,
    "customer_info": customers,
    "subscriptions": subscriptions,
}.items():
    groups[name] = fs.get_or_create_feature_group(
        name=f"{name}",
        version=1,
        primary_key=["customerid"],
        event_time="datetime",
        online_enabled=True,
    )
    groups[name].save(frame)

selected = (
    groups["customer_info"].select_except(["customerid", "datetime"])
    .join(groups["demography"].select(["gender", "seniorcitizen"]))
    .join(groups["subscriptions"].select(["onlinebackup"]), join_type="inner")
)  # fmt: skip
names = {"tenure": "min_max_scaler", "monthlycharges": "standard_scaler", "gender": "label_encoder"}
view = fs.create_feature_view(
    name="churn_feature_view",
    version=1,
    query=selected,
    labels=["churn"],
    transformation_functions=[
        fs.get_transformation_function(name=f)(column) for column, f in names.items()
    ],
)
X_train, X_val, X_test, *_ = view.train_validation_test_split(validation_size=0.25, test_size=0.25)
assert (len(X_train), len(X_val), len(X_test)) == (40, 20, 20)
assert X_train["min_max_scaler_tenure_"].between(0, 1).all()
assert abs(X_train["standard_scaler_monthlycharges_"].mean()) < 1e-6

view.init_batch_scoring(training_dataset_version=1)
assert len(view.get_batch_data()) == 80
yearly = (
    fs.get_feature_group("customer_info", 1)
    .filter(groups["customer_info"].contract == "One year")
    .read()
)
assert 0 < len(yearly) < 80
assert len(groups["customer_info"].read(dataframe_type="numpy")) == 80
assert len(fs.get_feature_groups("customer_info")) == 1

registry = project.get_model_registry()
assert registry.get_models("churnmodel") == [] and registry.get_model("churnmodel") is None
view.delete_all_training_datasets()
view.delete()
for group in groups.values():
    group.delete()
assert (
    fs.get_feature_groups("customer_info") == []
    and fs.get_feature_view("churn_feature_view", 1) is None
)
try:
    hopsworks.login(project="nobody_has_made_this")
except Exception as error:
    assert "nobody_has_made_this" in str(error), error
else:
    raise AssertionError("there is no such project")
print("done")
