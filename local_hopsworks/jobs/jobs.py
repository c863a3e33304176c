"""Jobs: a Python script in dataset storage with its configuration, and records of what this server
did itself.

What a real Hopsworks leaves to Spark (writing training data, computing statistics) this server does
before it answers: such a job has no script, and nothing is left to run.
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import USER, Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.jobs import shapes, stored_schedules
from local_hopsworks.jobs.errors import (
    ILLEGAL_JOB_NAME,
    JOB_NOT_CREATED,
    JOB_NOT_FOUND,
    UNSUPPORTED_JOB_TYPE,
)
from local_hopsworks.jobs.tables import jobs
from local_hopsworks.tags import routes as tags

routes = Routes()
PATH = "/project/{project}/jobs"
PYTHON = "pythonJobConfiguration"
MODULE = "module"  # in the configuration of a job of the server's own
_NAME = re.compile(r"(?!\.{1,2}$)[\w.+@-]{1,255}")  # it names a folder too
_OTHERS = {  # by the SDK's name of their configuration
    "sparkJobConfiguration": "Spark",
    "flinkJobConfiguration": "Flink",
    "rayJobConfiguration": "Ray",
    "dockerJobConfiguration": "Docker",
    "pythonAppJobConfiguration": "Python app",
    "ingestionJobConfiguration": "ingestion",
    "agentJobConfiguration": "agent",
}
_DEFAULTS = {
    "type": PYTHON,
    "appName": None,
    "environmentName": "python-feature-pipeline",
    "resourceConfig": {"cores": 1, "memory": 2048, "gpus": 0},
    "logRedirection": True,
    "jobType": "PYTHON",
}


def finished(call: Call, name: str, kind: str) -> dict[str, Any]:
    """Record a job that has just been done, and answer with it."""
    same = jobs.c.parent_id == call.project.id, jobs.c.name == name
    call.db.execute(jobs.delete().where(*same))
    job = {"name": name, "jobType": kind, "creationTime": now()}
    call.db.execute(
        jobs.insert().values(parent_id=call.project.id, name=name, version=1, document=job)
    )
    return document(call, name)


def of_server(call: Call, name: str, module: str, arguments: str) -> None:
    """Make a job that runs a module of this package, in place of Spark's or Flink's on Hopsworks.

    It is run like any other, and is not cut short when the server stops.
    """
    config = {**_DEFAULTS, "appName": name, MODULE: module, "defaultArgs": arguments}
    job = {"name": name, "jobType": "PYTHON", "creationTime": now(), "config": config}
    call.db.execute(
        jobs.insert().values(parent_id=call.project.id, name=name, version=1, document=job)
    )


def _look_up(call: Call, name: str) -> sa.Row[Any] | None:
    return call.db.execute(call.in_project(jobs).where(jobs.c.name == name)).one_or_none()


def find(call: Call, name: str) -> sa.Row[Any]:
    """The job of this name in the call's project; raises NotFound."""
    row = _look_up(call, name)
    if row is None:
        raise NotFound(f"There is no job {name[:80]!r}.", JOB_NOT_FOUND)
    return row


def document(call: Call, name: str) -> dict[str, Any]:
    """The document of the job of this name."""
    row = find(call, name)
    schedule = stored_schedules.find(call.db, row)
    return {
        "config": {},
        **row.document,
        "id": row.id,
        "creator": USER,
        "jobSchedule": schedule and stored_schedules.document(schedule),
        "href": call.href(f"/project/{row.parent_id}/jobs/{row.name}"),
    }


@routes.add("GET", PATH)
def get_all(call: Call) -> Answer:
    """All jobs of a project."""
    query = call.in_project(jobs).with_only_columns(jobs.c.name)
    names = call.db.scalars(query.order_by(jobs.c.id))
    return items([document(call, name) for name in names])


@routes.add("GET", PATH + "/{name}")
def get(call: Call) -> Answer:
    """One job."""
    return document(call, call.path["name"])


@routes.add("GET", PATH + "/{kind}/configuration")
def configuration(call: Call) -> Answer:
    """The configuration that a new job of a type begins with."""
    kind = call.path["kind"].upper()
    if kind != "PYTHON":
        raise NotEmbedded(f"a job of type {kind[:40]}", "Jobs of type PYTHON run here.")
    return _DEFAULTS


@routes.add("PUT", PATH + "/{name}", body=shapes.JOB)
def save(call: Call) -> Answer:
    """Create a job, or change its configuration."""
    name = call.path["name"]
    config = {key: value for key, value in call.document.items() if key != MODULE}
    if not _NAME.fullmatch(name):
        raise HopsworksError(
            f"A job's name is letters, digits and any of . _ + @ -, not {name[:80]!r}.",
            ILLEGAL_JOB_NAME,
        )
    kind = str(config.get("type"))
    if kind in _OTHERS:
        raise NotEmbedded(f"a job of type {_OTHERS[kind]}", "Jobs of type PYTHON run here.")
    if kind != PYTHON:
        raise HopsworksError(
            f"There is no job configuration of type {kind[:80]!r}; use {PYTHON}.",
            UNSUPPORTED_JOB_TYPE,
        )
    if not str(config.get("appPath") or "").endswith(".py"):
        raise HopsworksError(
            "appPath must be a Python script (.py) in dataset storage, not "
            f"{str(config.get('appPath'))[:200]!r}.",
            JOB_NOT_CREATED,
        )
    job = {
        "name": name,
        "jobType": "PYTHON",
        "creationTime": now(),
        "config": {**config, "appName": name},
    }
    row = _look_up(call, name)
    if row is None:
        call.db.execute(
            jobs.insert().values(parent_id=call.project.id, name=name, version=1, document=job)
        )
    else:
        job["creationTime"] = row.document["creationTime"]
        call.db.execute(jobs.update().where(jobs.c.id == row.id).values(document=job))
    return document(call, name)


@routes.add("DELETE", PATH + "/{name}")
def delete(call: Call) -> Answer:
    """With its executions; those under way are stopped by their runners, which find them gone."""
    remove(call, find(call, call.path["name"]))
    return None


def remove(call: Call, row: sa.Row[Any]) -> None:
    """Delete a job with its executions and their logs."""
    if _NAME.fullmatch(row.name):  # earlier versions took . and .. too
        call.remove(call.store.dataset(call.project.name, f"Logs/Python/{row.name}"))
    call.db.execute(jobs.delete().where(jobs.c.id == row.id))
    metadata.forget(call.db, tags.owner(jobs, row.id))


tags.tag_routes(
    routes, PATH + "/{name}", lambda call: tags.owner(jobs, find(call, call.path["name"]).id)
)
