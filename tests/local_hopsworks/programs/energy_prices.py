"""Energy prices with an expectation suite: hours as seconds since 1970, and bad prices kept out."""

import great_expectations as ge
import hopsworks
import pandas as pd
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

project = hopsworks.login()
fs = project.get_feature_store()
suite = ge.ExpectationSuite(name="electricity_expectations")
start = 1_767_225_600  # seconds since 1970
group = fs.get_or_create_feature_group(
    name="electricity_prices",
    version=1,
    primary_key=["area"],
    event_time="timestamp",
    expectation_suite=suite,
)


def prices(first: int, *values: float) -> pd.DataFrame:
    times = [start + 3600 * (first + number) for number in range(len(values))]
    return pd.DataFrame({"area": "se3", "timestamp": times, "price": values})


group.insert(prices(0, 10.0, 20.0, 30.0))
attached = group.get_expectation_suite(ge_type=False)
for column, low, high in (("price", -500, 5000), ("timestamp", start, None)):
    attached.add_expectation(
        ExpectationConfiguration(
            type="expect_column_min_to_be_between",
            kwargs={"column": column, "min_value": low, "max_value": high},
        )
    )
attached.validation_ingestion_policy = "STRICT"
_, report = fs.get_feature_group("electricity_prices", 1).insert(prices(3, 40.0, 50.0))
assert report.success and len(report.results) == 2
try:
    fs.get_feature_group("electricity_prices", 1).insert(prices(5, -9999.0))
except Exception as error:
    assert "strict" in str(error), error
else:
    raise AssertionError("a bad price went in")
assert sorted(group.read()["price"]) == [10.0, 20.0, 30.0, 40.0, 50.0]
view = fs.create_feature_view("electricity", group.select_all(), version=1, labels=["price"])
X_train, X_test, y_train, y_test = view.train_test_split(
    test_start=pd.Timestamp(start + 3 * 3600, unit="s")
)
assert (len(X_train), len(X_test)) == (3, 2), (len(X_train), len(X_test))
print("done")
