"""The tables of expectation suites and validation reports."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from local_hopsworks.metadata import child_table

expectation_suites = child_table("expectation_suites", "feature_groups")
expectations = child_table("expectations", "expectation_suites")
validation_reports = child_table("validation_reports", "feature_groups")
# One expectation's outcome in a report; the history of an expectation is asked for by its id.
validation_results = child_table(
    "validation_results",
    "validation_reports",
    Column("expectation_id", Integer, nullable=True, index=True),
)
