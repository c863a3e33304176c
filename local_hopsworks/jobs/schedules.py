"""Schedules of jobs: kept here, and acted on by `run_due`, which `serve` calls every second."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import iso
from local_hopsworks.jobs import cron, jobs, shapes, stored_schedules
from local_hopsworks.jobs import executions as runs
from local_hopsworks.jobs.errors import JOB_SCHEDULE_NOT_FOUND, JOB_SCHEDULE_NOT_UPDATED
from local_hopsworks.jobs.runner import Runner, Task, under_way
from local_hopsworks.jobs.tables import executions, job_schedules
from local_hopsworks.jobs.tables import jobs as job_table
from local_hopsworks.offline.planner import LATEST
from local_hopsworks.projects.tables import projects

_log = logging.getLogger("local_hopsworks")
routes = Routes()
PATH = jobs.PATH + "/{name}/schedule/v2"
_KEPT = (
    "startDateTime",
    "endDateTime",
    "cronExpression",
    "enabled",
    "catchup",
    "maxActiveRuns",
    "startTimeOffsetSeconds",
    "endTimeOffsetSeconds",
)
_BOUNDS = {  # times in ms since 1970, offsets in seconds
    "startDateTime": (0, LATEST), "endDateTime": (0, LATEST),
    "startTimeOffsetSeconds": (-(10**9), 10**9), "endTimeOffsetSeconds": (-(10**9), 10**9),
}  # fmt: skip


@routes.add("GET", PATH)
def get(call: Call) -> Answer:
    """The schedule of a job."""
    row = stored_schedules.find(call.db, jobs.find(call, call.path["name"]))
    if row is None:
        raise NotFound(f"The job {call.path['name']} has no schedule.", JOB_SCHEDULE_NOT_FOUND)
    return stored_schedules.document(row)


@routes.add("POST", PATH, body=shapes.SCHEDULE)
def save(call: Call) -> Answer:
    """Schedule a job, in place of its earlier schedule."""
    job, body = jobs.find(call, call.path["name"]), call.document
    for unsupported in ("skipToDate", "maxCatchupRuns"):
        if body.get(unsupported) is not None:
            raise NotEmbedded(f"a schedule with {unsupported}")
    if (job.document.get("config") or {}).get("type") != jobs.PYTHON:
        raise NotEmbedded(
            f"scheduling the job {job.name}", "This server does its work when it is asked for."
        )
    schedule = {
        "enabled": True,
        "catchup": False,
        "maxActiveRuns": 1,
        **{key: body[key] for key in _KEPT if body.get(key) is not None},
    }
    for name, (least, most) in _BOUNDS.items():
        if not least <= schedule.get(name, 0) <= most:
            raise HopsworksError(
                f"{name} is a number from {least} to {most}, not {schedule[name]}.",
                JOB_SCHEDULE_NOT_UPDATED,
            )
    _check_times(schedule)
    # A time that was missed before the schedule existed is no missed time, unless it is to catch
    # up.
    after = (
        schedule["startDateTime"] - 1
        if schedule["catchup"]
        else max(schedule["startDateTime"] - 1, int(time.time() * 1000))
    )
    due = _next(schedule, after)
    call.db.execute(job_schedules.delete().where(job_schedules.c.parent_id == job.id))
    call.db.execute(job_schedules.insert().values(parent_id=job.id, document=schedule, due=due))
    return get(call)


routes.add("PUT", PATH, body=shapes.SCHEDULE)(save)


def _check_times(schedule: dict[str, Any]) -> None:
    """Refuse what Hopsworks refuses: an expression that is none, or no time before the end."""
    expression, end = str(schedule["cronExpression"]), schedule.get("endDateTime")
    first = cron.next_time(expression, schedule["startDateTime"])
    cron.check(expression)
    if first is None or (end is not None and first >= end):
        raise HopsworksError(
            f"The schedule {expression[:80]!r} has no time between its start and its end.",
            JOB_SCHEDULE_NOT_UPDATED,
        )


@routes.add("DELETE", PATH)
def delete(call: Call) -> Answer:
    """Remove the schedule of a job, if it has one."""
    job = jobs.find(call, call.path["name"])
    call.db.execute(job_schedules.delete().where(job_schedules.c.parent_id == job.id))
    return None


def _next(schedule: dict[str, Any], after: int) -> int | None:
    """When it is due after a time, in ms since 1970; None if never or while it is paused."""
    following = cron.next_time(str(schedule.get("cronExpression")), after)
    end = schedule.get("endDateTime")
    return (
        following
        if schedule["enabled"] and following and (end is None or following <= end)
        else None
    )


@dataclass(frozen=True)
class _Step:
    """What a due schedule does now; times in ms since 1970."""

    due: int  # the time that it was computed for
    fired: int  # the time that the execution is for
    previous: int  # the one before
    following: int | None  # when it is due next


def run_due(hopsworks: Hopsworks) -> None:
    """Start the jobs that are due. Of several servers over a store one does it: the transaction
    moves `due` on."""
    now = int(time.time() * 1000)
    is_due = job_schedules.c.due <= now
    with hopsworks.metadata.transaction(write=False) as db:
        # Before the writing transaction, during which other programs wait
        steps = {
            row.id: _step(row, now) for row in db.execute(job_schedules.select().where(is_due))
        }
    if not steps:
        return
    tasks = []
    with hopsworks.metadata.transaction(write=True) as db:
        joined = job_schedules.join(job_table, job_schedules.c.parent_id == job_table.c.id).join(
            projects, job_table.c.parent_id == projects.c.id
        )
        query = sa.select(job_schedules, projects.c.name.label("project")).select_from(joined)
        for row in db.execute(query.where(is_due)).all():
            step = steps.get(row.id)
            if step is None or step.due != row.due:
                continue  # changed meanwhile: its turn comes a second later
            if _running(hopsworks, db, row.parent_id) < row.document["maxActiveRuns"]:
                tasks += _fire(hopsworks, db, row, step)
    for task in tasks:
        hopsworks.part(Runner).start(task)


def _step(row: sa.Row[Any], now: int) -> _Step:
    """One execution: for the time that is due or, of several missed ones, the latest (all in turn
    with catchup)."""
    schedule = row.document
    fired, previous = row.due, schedule.get("fired") or schedule["startDateTime"]
    if not schedule["catchup"]:
        expression = str(schedule.get("cronExpression"))
        until = min(now, schedule.get("endDateTime") or now)
        latest = cron.latest_time(expression, row.due, until)
        if latest is not None:
            fired = latest
            previous = cron.latest_time(expression, row.due, latest - 1) or row.due
    return _Step(row.due, fired, previous, _next(schedule, fired))


def _running(hopsworks: Hopsworks, db: sa.Connection, job: int) -> int:
    rows = db.execute(under_way().where(executions.c.parent_id == job))
    return sum(1 for row in rows if hopsworks.store.is_alive(row.runner))


def _fire(hopsworks: Hopsworks, db: sa.Connection, row: sa.Row[Any], step: _Step) -> list[Task]:
    schedule = row.document
    moved = {"due": step.following, "document": {**schedule, "fired": step.fired}}
    db.execute(job_schedules.update().where(job_schedules.c.id == row.id).values(**moved))
    start, end = schedule.get("startTimeOffsetSeconds"), schedule.get("endTimeOffsetSeconds")
    since = step.previous if start is None else step.fired + start * 1000
    variables = {
        "HOPS_START_TIME": iso(since),
        "HOPS_END_TIME": iso(step.fired + (end or 0) * 1000),
    }
    job = db.execute(job_table.select().where(job_table.c.id == row.parent_id)).one()
    try:
        return [runs.submit(hopsworks, db, row.project, job, None, variables)[1]]
    except HopsworksError as error:
        _log.warning("The job %s is due but cannot be started: %s", job.name, error.message)
        return []
