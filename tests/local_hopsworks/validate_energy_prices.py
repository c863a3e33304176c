"""What a program with Great Expectations sees: run by test_expectations.py in a process that has
it; prints JSON."""

from __future__ import annotations

import json
import sys

import great_expectations as gx
import hopsworks
import pandas as pd
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

facts: dict[str, object] = {}


def prices(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"hour": range(len(values)), "price": [float(value) for value in values]})


def between(low: float, high: float) -> ExpectationConfiguration:
    arguments = {"column": "price", "min_value": low, "max_value": high}
    return ExpectationConfiguration(type="expect_column_values_to_be_between", kwargs=arguments)


def stored(group) -> int:
    return len(group.read())


store = hopsworks.login().get_feature_store()
suite = gx.ExpectationSuite(name="prices", expectations=[between(-100, 500)])
group = store.get_or_create_feature_group(
    "energy_prices", version=1, primary_key=["hour"], expectation_suite=suite, description="hourly"
)

_, report = group.insert(prices(10, 20, 30))
facts["good report"] = report.success
_, report = group.insert(prices(10, 20, 30, 9_999))
facts["always: report"], facts["always: rows"] = report.success, stored(group)

found = store.get_feature_group("energy_prices", 1)
attached = found.get_expectation_suite(ge_type=False)
facts["suite"] = [
    attached.expectation_suite_name,
    attached.validation_ingestion_policy,
    len(attached.expectations),
]
found.save_expectation_suite(
    suite, run_validation=True, validation_ingestion_policy="STRICT", overwrite=True
)
strict = found.get_expectation_suite(ge_type=False)
facts["replaced suite"] = [strict.validation_ingestion_policy, strict.id != attached.id]
try:
    found.insert(pd.DataFrame({"hour": [100, 101], "price": [1.0, -5_000.0]}))
except Exception as error:
    facts["strict: refusal"] = [type(error).__name__, str(error)]
facts["strict: rows"] = stored(found)
found.insert(pd.DataFrame({"hour": [100], "price": [1.0]}))
facts["strict: rows after good ones"] = stored(found)

reports = found.get_all_validation_reports(ge_type=False)
facts["reports"] = [[report.success, report.ingestion_result] for report in reports]
facts["latest report"] = found.get_latest_validation_report().success
expectation = strict.expectations[0]
history = found.get_validation_history(expectation.id, ge_type=False)
facts["history"] = [[result.success, result.ingestion_result] for result in history]
facts["history of rejected"] = len(
    found.get_validation_history(expectation.id, filter_by=["REJECTED"])
)
facts["history from the future"] = len(
    found.get_validation_history(expectation.id, start_validation_time="2100-01-01")
)

added = strict.add_expectation(
    ExpectationConfiguration(type="expect_column_to_exist", kwargs={"column": "price"}),
    ge_type=False,
)
facts["added"] = [
    e.expectation_type for e in found.get_expectation_suite(ge_type=False).expectations
]
changed = strict.get_expectation(expectation.id, ge_type=False)
changed.kwargs = {**changed.kwargs, "max_value": 50}
strict.replace_expectation(changed, ge_type=False)
facts["changed"] = (
    found.get_expectation_suite(ge_type=False).get_expectation(expectation.id, ge_type=False).kwargs
)
changed.kwargs = {**changed.kwargs, "column": "hour"}
try:
    strict.replace_expectation(changed, ge_type=False)
except Exception as error:
    facts["other column"] = error.response.json()["errorCode"]
strict.remove_expectation(added.id)
facts["removed"] = [
    e.expectation_type for e in found.get_expectation_suite(ge_type=False).expectations
]
facts["validated only"] = found.validate(prices(1, 2), save_report=False).success
found.insert(prices(1, 2), validation_options={"run_validation": False})
facts["reports unless run"] = len(found.get_all_validation_reports(ge_type=False))

found.delete_expectation_suite()
facts["deleted suite"] = found.get_expectation_suite(ge_type=False)
_, report = found.insert(pd.DataFrame({"hour": [500], "price": [-5_000.0]}))
facts["without suite"] = [report, len(found.get_all_validation_reports(ge_type=False))]
print(json.dumps(facts), file=sys.stderr)
