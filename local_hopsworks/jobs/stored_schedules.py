"""The schedule that is stored for a job."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.jobs.tables import job_schedules


def find(db: sa.Connection, job: sa.Row[Any]) -> sa.Row[Any] | None:
    """The schedule of a job, if it has one."""
    query = job_schedules.select().where(job_schedules.c.parent_id == job.id)
    return db.execute(query).one_or_none()


def document(row: sa.Row[Any]) -> dict[str, Any]:
    """The document of a schedule."""
    return {**row.document, "id": row.id, "nextExecutionDateTime": row.due}
