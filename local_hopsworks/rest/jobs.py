"""Jobs. Here the server does the work itself before it answers, so a job is the record of something already done."""

from __future__ import annotations

from typing import Any

from local_hopsworks.errors import JOB_NOT_FOUND, NotFound
from local_hopsworks.metadata import jobs
from local_hopsworks.rest.routing import USER, Answer, Call, Routes, items, now

routes = Routes()
PATH = "/project/{project}/jobs"


def finished(call: Call, name: str, kind: str) -> dict[str, Any]:
    """Record a job that has just been done, and answer with it."""
    same = jobs.c.parent_id == call.project.id, jobs.c.name == name
    call.db.execute(jobs.delete().where(*same))
    kept = {"name": name, "jobType": kind, "creationTime": now()}
    call.db.execute(jobs.insert().values(parent_id=call.project.id, name=name, version=1, document=kept))
    return document(call, name)


def document(call: Call, name: str) -> dict[str, Any]:
    row = call.db.execute(jobs.select().where(jobs.c.parent_id == call.project.id, jobs.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {name[:80]!r}.", JOB_NOT_FOUND)
    return {
        **row.document,
        "id": row.id,
        "config": {},
        "creator": USER,
        "href": call.href(f"/project/{row.parent_id}/jobs/{row.name}"),
    }


@routes.add("GET", PATH)
def get_all(call: Call) -> Answer:
    names = call.db.scalars(
        jobs.select().with_only_columns(jobs.c.name).where(jobs.c.parent_id == call.project.id).order_by(jobs.c.id)
    )
    return items([document(call, name) for name in names])


@routes.add("GET", PATH + "/{name}")
def get(call: Call) -> Answer:
    return document(call, call.path["name"])


@routes.add("GET", PATH + "/{name}/executions", options=["sort_by", "offset", "limit", "filter_by"])
def executions(call: Call) -> Answer:
    """None: it is done, so the SDK does not wait for it."""
    document(call, call.path["name"])
    return items([])
