"""The tables of jobs, their executions and schedules."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, text

from local_hopsworks.jobs.states import UNDER_WAY
from local_hopsworks.metadata import child_table, versioned_table

jobs = versioned_table("jobs", "projects")
# The runner is the server that has the execution's process; see runner.py.
executions = child_table("executions", "jobs", Column("runner", String, nullable=False))
# Few of them are, of up to 10,000 for each job; without an index all would be read at every start.
# SQLite takes the index only for a query that has this very text.
still_runs = text(f"json_extract(executions.document, '$.state') IN {UNDER_WAY!r}")
Index(
    "ix_executions_under_way",
    executions.c.parent_id,
    sqlite_where=text(still_runs.text.replace("executions.", "")),
)
# `due` is the next time to run the job, in ms since 1970; NULL while it is paused and when it is
# over.
job_schedules = child_table(
    "job_schedules", "jobs", Column("due", Integer, nullable=True, index=True)
)
