"""Executions are not kept for ever: beyond the newest of a job, and beyond some months, they go
with their logs. The figures are Hopsworks' own defaults (executions_per_job_limit,
executions_ttl_days)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import unfinished
from local_hopsworks.http.times import iso
from local_hopsworks.jobs.states import UNDER_WAY
from local_hopsworks.jobs.tables import executions
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store

MOST_KEPT = 10_000  # of a job
DAYS_KEPT = 90
BATCH = 100  # dropped at a time, so that other programs do not wait for long


def drop_old(store: Store, metadata: Metadata, execution: int) -> None:
    """Drop old executions of the job that this execution is of."""
    with metadata.transaction(write=False) as db:
        if not _old(db, execution):
            return
    with metadata.transaction(write=True) as db:
        rows = _old(db, execution)
        folders = [_logs(store, row) for row in rows]
        for folder in folders:
            unfinished.begin(db, store, unfinished.REMOVE, folder, inode=unfinished.inode(folder))
        db.execute(executions.delete().where(executions.c.id.in_([row.id for row in rows])))
    for folder in folders:
        unfinished.remove(store, metadata, folder)


def _old(db: sa.Connection, execution: int) -> list[sa.Row[Any]]:
    """The oldest that need not be kept, oldest first."""
    job = sa.select(executions.c.parent_id).where(executions.c.id == execution).scalar_subquery()
    of_job = executions.select().where(executions.c.parent_id == job)
    newest = of_job.with_only_columns(executions.c.id).order_by(executions.c.id.desc())
    beyond = db.scalar(newest.offset(MOST_KEPT).limit(1)) or 0
    oldest_time = iso(int((time.time() - DAYS_KEPT * 86_400) * 1000))
    return [
        row
        for row in db.execute(of_job.order_by(executions.c.id).limit(BATCH))
        if (row.id <= beyond or row.document["submissionTime"] < oldest_time)
        and row.document["state"] not in UNDER_WAY
    ]


def _logs(store: Store, row: sa.Row[Any]) -> Path:
    """The folder of its two logs: /Projects/{project}/Logs/Python/{job}/{execution}."""
    path: str = row.document["stdoutPath"]
    return store.dataset(path.split("/")[2], path).parent
