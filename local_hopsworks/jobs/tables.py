"""The tables of jobs, their executions and schedules."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String

from local_hopsworks.metadata import child_table, versioned_table

jobs = versioned_table("jobs", "projects")
# The runner is the server that has the execution's process; see runner.py.
executions = child_table("executions", "jobs", Column("runner", String, nullable=False))
# `due` is the next time to run the job, in ms since 1970; NULL while it is paused and when it is
# over.
job_schedules = child_table(
    "job_schedules", "jobs", Column("due", Integer, nullable=True, index=True)
)
