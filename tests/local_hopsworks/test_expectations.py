"""Expectation suites and validation reports, with Great Expectations where the environment has
it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from local_hopsworks import Server
from tests import rest

VALIDATES_PRICES = Path(__file__).with_name("programs") / "validates_prices.py"


@pytest.fixture(scope="module")
def server_of_validation(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("validation")) as server:
        yield server


@pytest.fixture(scope="module")
def all_facts(server_of_validation, reach, run):
    """What the program with Great Expectations saw, by the names of its functions."""
    env = {**server_of_validation.environment, **reach("great_expectations")}
    done = run(sys.executable, VALIDATES_PRICES, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(next(line for line in done.stderr.splitlines() if line.startswith("{")))


@pytest.fixture
def facts(all_facts):
    """What one of its functions saw."""

    def of(function):
        assert "failure" not in all_facts[function], all_facts[function]["failure"]
        return all_facts[function]

    return of


def test_rows_are_validated_before_they_are_inserted(facts):
    seen = facts("always")
    assert seen["good report"] is True
    assert seen["bad report"] is False


def test_policy_always_inserts_bad_rows_and_says_so(facts):
    seen = facts("always")
    assert seen["suite"] == ["prices", "ALWAYS", 1]
    assert seen["rows"] == 4


def test_policy_strict_keeps_bad_rows_out(facts):
    seen = facts("strict")
    kind, sentence = seen["refusal"]
    assert kind == "DataValidationException" and "strict" in sentence
    assert seen["rows"] == 3
    assert seen["rows after good ones"] == 4


def test_overwriting_replaces_the_suite(facts):
    assert facts("replaced")["suite"] == ["STRICT", True]


def test_reports_are_kept_newest_first_with_what_became_of_the_rows(facts):
    seen = facts("reports")
    assert seen["reports"] == [
        [True, "INGESTED"],
        [False, "REJECTED"],
        [False, "INGESTED"],
        [True, "INGESTED"],
    ]
    assert seen["latest report"] is True


def test_history_of_an_expectation_is_its_own_and_can_be_filtered(facts):
    seen = facts("reports")
    assert seen["history"] == [[True, "INGESTED"], [False, "REJECTED"]]
    assert seen["history of rejected"] == 1
    assert seen["history from the future"] == 0


def test_expectations_are_added_changed_and_removed_one_by_one(facts):
    seen = facts("one_by_one")
    both = ["expect_column_values_to_be_between", "expect_column_to_exist"]
    assert seen["added"] == both
    assert seen["changed"] == {"column": "price", "min_value": -100, "max_value": 50}
    assert seen["removed"] == both[:1]


def test_expectation_cannot_move_to_another_column_because_of_its_history(facts):
    assert facts("other_column")["error"] == 270207


def test_validation_is_run_without_a_report_and_left_out_when_asked(facts):
    seen = facts("without_report")
    assert seen["validated only"] is True
    assert seen["reports"] == [1, 1]


def test_reports_outlive_their_suite_and_rows_go_in_unchecked_then(facts):
    seen = facts("without_suite")
    assert (seen["suite"], seen["report"], seen["reports"]) == (None, None, 1)


def test_page_of_the_group_shows_the_reports(facts, server_of_validation):
    path = f"/p/1/fs/1/fg/{facts('reports')['group']}"
    with rest.session(server_of_validation) as browser:
        browser.get(server_of_validation.page, timeout=60)
        page = browser.get(server_of_validation.address + path, timeout=60).text
    assert "rejected" in page and "expect_column_values_to_be_between" in page


# -------------------------------------------------------- what needs no Great Expectations: suites
# as the SDK's objects


@pytest.fixture
def suite_of_group(feature_store, name):
    from hsfs.expectation_suite import ExpectationSuite

    expectation = {
        "expectation_type": "expect_column_to_exist",
        "kwargs": {"column": "a"},
        "meta": {"why": "because"},
    }
    suite = ExpectationSuite(
        "s", [expectation], {"author": "me"}, validation_ingestion_policy="STRICT"
    )
    group = feature_store.create_feature_group(name, 1, primary_key=["a"], expectation_suite=suite)
    group.insert(pd.DataFrame({"a": [1]}), validation_options={"run_validation": False})
    return group, suite


def test_suite_that_comes_with_a_new_group_is_found_with_it(suite_of_group, feature_store, name):
    found = feature_store.get_feature_group(name, 1).get_expectation_suite(ge_type=False)
    assert (found.expectation_suite_name, found.meta) == ("s", {"author": "me"})
    assert found.validation_ingestion_policy == "STRICT" and found.run_validation
    [expectation] = found.expectations
    assert expectation.kwargs == {"column": "a"}
    assert expectation.meta == {"why": "because", "expectationId": expectation.id}


def test_metadata_of_a_suite_changes_at_once(suite_of_group, feature_store, name):
    group, _ = suite_of_group
    group.get_expectation_suite(ge_type=False).run_validation = False
    assert (
        feature_store.get_feature_group(name, 1).get_expectation_suite(ge_type=False).run_validation
        is False
    )


def test_second_suite_is_refused_with_hopsworks_code(suite_of_group, api):
    group, suite = suite_of_group
    path = f"/project/1/featurestores/1/featuregroups/{group.id}/expectationsuite"
    answer = api("POST", path, data=suite.json())
    assert (answer.status_code, answer.json()["errorCode"]) == (409, 270208)


def test_suite_and_reports_end_with_their_group(suite_of_group, api, feature_store, name):
    group, _ = suite_of_group
    report = {
        "success": True,
        "results": [],
        "statistics": "{}",
        "meta": "{}",
        "ingestionResult": "FG_DATA",
    }
    path = f"/project/1/featurestores/1/featuregroups/{group.id}/validationreport"
    assert api("PUT", path, json=report).json()["ingestionResult"] == "FG_DATA"
    assert group.get_all_validation_reports(ge_type=False)[0].ingestion_result == "FG_DATA"
    assert api("DELETE", f"{path}/999999").json()["errorCode"] == 270192
    group.delete()
    assert api("GET", path).status_code == 404


@pytest.mark.parametrize(
    "bad", [{"ingestionResult": "MAYBE"}, {"success": "yes"}, {"meta": "{"}, {"results": None}]
)
def test_report_that_makes_no_sense_is_refused(suite_of_group, api, bad):
    report = {
        "success": True,
        "results": [],
        "statistics": "{}",
        "meta": "{}",
        "ingestionResult": "INGESTED",
        **bad,
    }
    path = f"/project/1/featurestores/1/featuregroups/{suite_of_group[0].id}/validationreport"
    assert api("PUT", path, json=report).status_code == 400
