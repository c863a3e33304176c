"""What a program with Great Expectations sees, as JSON on its standard error.

For each function below, which works on a feature group of its own: what it returned, or as
"failure" how it failed. Run by test_expectations.py in a process that has Great Expectations.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

import great_expectations as gx
import hopsworks
import pandas as pd
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from hopsworks.client.exceptions import RestAPIError

Facts = dict[str, Any]


def prices(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"hour": range(len(values)), "price": [float(value) for value in values]})


def price_suite() -> gx.ExpectationSuite:
    arguments = {"column": "price", "min_value": -100, "max_value": 500}
    between = ExpectationConfiguration(type="expect_column_values_to_be_between", kwargs=arguments)
    return gx.ExpectationSuite(name="prices", expectations=[between])


def new_group(store: Any, name: str) -> Any:
    """A feature group with the suite; as it is found later, not as it was made."""
    group = store.get_or_create_feature_group(
        name, version=1, primary_key=["hour"], expectation_suite=price_suite(), description="hourly"
    )
    group.insert(prices(10, 20, 30))
    return store.get_feature_group(name, 1)


def be_strict(group: Any) -> Any:
    """Replace the suite by one that keeps bad rows out."""
    group.save_expectation_suite(
        price_suite(), run_validation=True, validation_ingestion_policy="STRICT", overwrite=True
    )
    return group.get_expectation_suite(ge_type=False)


def insert_refused(group: Any) -> list[str] | None:
    """Insert a bad row: the kind and the sentence of the error."""
    try:
        group.insert(pd.DataFrame({"hour": [100, 101], "price": [1.0, -5_000.0]}))
    except Exception as error:
        return [type(error).__name__, str(error)]
    return None


def kinds(group: Any) -> list[str]:
    suite = group.get_expectation_suite(ge_type=False)
    return [expectation.expectation_type for expectation in suite.expectations]


def always(store: Any) -> Facts:
    group = store.get_or_create_feature_group(
        "always", version=1, primary_key=["hour"], expectation_suite=price_suite()
    )
    _, good = group.insert(prices(10, 20, 30))
    _, bad = group.insert(prices(10, 20, 30, 9_999))
    suite = store.get_feature_group("always", 1).get_expectation_suite(ge_type=False)
    return {
        "good report": good.success,
        "bad report": bad.success,
        "rows": len(group.read()),
        "suite": [
            suite.expectation_suite_name,
            suite.validation_ingestion_policy,
            len(suite.expectations),
        ],
    }


def strict(store: Any) -> Facts:
    group = new_group(store, "strict")
    be_strict(group)
    facts: Facts = {"refusal": insert_refused(group), "rows": len(group.read())}
    group.insert(pd.DataFrame({"hour": [100], "price": [1.0]}))
    return {**facts, "rows after good ones": len(group.read())}


def replaced(store: Any) -> Facts:
    group = new_group(store, "replaced")
    before = group.get_expectation_suite(ge_type=False)
    after = be_strict(group)
    return {"suite": [after.validation_ingestion_policy, after.id != before.id]}


def reports(store: Any) -> Facts:
    group = new_group(store, "reports")
    group.insert(prices(10, 20, 30, 9_999))
    [expectation] = be_strict(group).expectations
    insert_refused(group)
    group.insert(pd.DataFrame({"hour": [100], "price": [1.0]}))

    def history(**filters: Any) -> Any:
        return group.get_validation_history(expectation.id, **filters)

    found = group.get_all_validation_reports(ge_type=False)
    return {
        "group": group.id,
        "reports": [[report.success, report.ingestion_result] for report in found],
        "latest report": group.get_latest_validation_report().success,
        "history": [[one.success, one.ingestion_result] for one in history(ge_type=False)],
        "history of rejected": len(history(filter_by=["REJECTED"])),
        "history from the future": len(history(start_validation_time="2100-01-01")),
    }


def one_by_one(store: Any) -> Facts:
    group = new_group(store, "one_by_one")
    suite = group.get_expectation_suite(ge_type=False)
    exists = ExpectationConfiguration(type="expect_column_to_exist", kwargs={"column": "price"})
    added = suite.add_expectation(exists, ge_type=False)
    facts: Facts = {"added": kinds(group)}
    changed = suite.get_expectation(suite.expectations[0].id, ge_type=False)
    changed.kwargs = {**changed.kwargs, "max_value": 50}
    suite.replace_expectation(changed, ge_type=False)
    found = group.get_expectation_suite(ge_type=False)
    facts["changed"] = found.get_expectation(changed.id, ge_type=False).kwargs
    suite.remove_expectation(added.id)
    return {**facts, "removed": kinds(group)}


def other_column(store: Any) -> Facts:
    group = new_group(store, "other_column")
    suite = group.get_expectation_suite(ge_type=False)
    moved = suite.get_expectation(suite.expectations[0].id, ge_type=False)
    moved.kwargs = {**moved.kwargs, "column": "hour"}
    try:
        suite.replace_expectation(moved, ge_type=False)
    except RestAPIError as error:
        return {"error": error.response.json()["errorCode"]}
    return {"error": None}


def without_report(store: Any) -> Facts:
    group = new_group(store, "without_report")
    before = len(group.get_all_validation_reports(ge_type=False))
    validated = group.validate(prices(1, 2), save_report=False).success
    group.insert(prices(1, 2), validation_options={"run_validation": False})
    after = len(group.get_all_validation_reports(ge_type=False))
    return {"validated only": validated, "reports": [before, after]}


def without_suite(store: Any) -> Facts:
    group = new_group(store, "without_suite")
    group.delete_expectation_suite()
    _, report = group.insert(pd.DataFrame({"hour": [500], "price": [-5_000.0]}))
    return {
        "suite": group.get_expectation_suite(ge_type=False),
        "report": report,
        "reports": len(group.get_all_validation_reports(ge_type=False)),
    }


def main() -> None:
    store = hopsworks.login().get_feature_store()
    facts = {}
    for see in (
        *(always, strict, replaced, reports, one_by_one, other_column),
        *(without_report, without_suite),
    ):
        try:
            facts[see.__name__] = see(store)
        except Exception:
            facts[see.__name__] = {"failure": traceback.format_exc()}
    print(json.dumps(facts), file=sys.stderr)


if __name__ == "__main__":
    main()
