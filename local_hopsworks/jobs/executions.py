"""Executions: starting, watching, stopping and deleting the runs of a job. The process is
runner.py's affair."""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import local_hopsworks
from local_hopsworks import environment
from local_hopsworks.datasets.errors import DATASET_NOT_FOUND
from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http import shapes
from local_hopsworks.http.answers import USER, Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.jobs import jobs
from local_hopsworks.jobs.errors import EXECUTION_NOT_FOUND, ILLEGAL_EXECUTION_STATE
from local_hopsworks.jobs.runner import Runner, Task
from local_hopsworks.jobs.states import LOST, UNDER_WAY
from local_hopsworks.jobs.tables import executions

routes = Routes()
PATH = jobs.PATH + "/{name}/executions"
EXECUTION = PATH + "/{execution}"
_SORTS = (None, "submissiontime:desc", "id:desc")
_LOG_PATHS = ("stdoutPath", "stderrPath")  # in an execution's document


def document(hopsworks: Hopsworks, row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO; if the server of an execution was killed, the execution has failed, even if that is
    not recorded."""
    found = {
        key: value for key, value in row.document.items() if key not in ("process", "mustStop")
    }
    if is_under_way(row) and not hopsworks.store.is_alive(row.runner):
        found |= LOST
    return {**found, "id": row.id, "user": USER, "hdfsUser": USER["username"], "appId": None}


def documents(call: Call, job: sa.Row[Any], page: slice) -> list[dict[str, Any]]:
    """A page of the executions of a job, newest first."""
    query = (
        executions.select()
        .where(executions.c.parent_id == job.id)
        .order_by(executions.c.id.desc())
        .slice(page.start, page.stop)
    )
    return [document(call.hopsworks, row) for row in call.db.execute(query)]


def count(db: sa.Connection, job: sa.Row[Any]) -> int:
    """How many executions a job has."""
    query = sa.select(sa.func.count()).where(executions.c.parent_id == job.id)
    return int(db.scalar(query) or 0)


def is_under_way(row: sa.Row[Any]) -> bool:
    """Whether an execution is starting or running, as far as its row tells."""
    return row.document["state"] in UNDER_WAY


def submit(
    hopsworks: Hopsworks,
    db: sa.Connection,
    project: str,
    job: sa.Row[Any],
    arguments: str | None,
    variables: dict[str, str],
) -> tuple[sa.Row[Any], Task]:
    """A new execution with its empty log files, and the task to start once the transaction is
    kept."""
    config = job.document.get("config") or {}
    if config.get("type") != jobs.PYTHON:
        raise NotEmbedded(
            f"running the job {job.name} again", "This server did its work when it was asked for."
        )
    arguments = config.get("defaultArgs") if arguments is None else arguments
    words = _words(arguments or "")
    files = [path.strip() for path in str(config.get("files") or "").split(",") if path.strip()]
    others = [_file(hopsworks, project, path) for path in files]
    if module := config.get(jobs.MODULE):
        program = ["-m", module]
        variables = {**variables, **_of_server(hopsworks)}
    else:
        program = [str(_file(hopsworks, project, config["appPath"]))]
    hopsworks.part(Runner).register()
    row = _stored(hopsworks, db, project, job, arguments)
    stdout, stderr = (hopsworks.store.dataset(project, row.document[path]) for path in _LOG_PATHS)
    for file in (stdout, stderr):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    variables = {**_variables(hopsworks, project, job, row), **variables}
    must_finish = jobs.MODULE in config
    task = Task(row.id, [*program, *words], others, variables, stdout, stderr, must_finish)
    return row, task


def _variables(
    hopsworks: Hopsworks, project: str, job: sa.Row[Any], execution: sa.Row[Any]
) -> dict[str, str]:
    """The environment of an execution's process."""
    return {
        **environment.of_child(hopsworks.environment(project)),
        "HOPSWORKS_JOB_NAME": job.name,
        "HOPSWORKS_JOB_EXECUTION_ID": str(execution.id),
        "PYTHONUNBUFFERED": "1",  # the logs can be read while it runs
        "PYTHONDONTWRITEBYTECODE": "1",  # nothing appears beside the script in dataset storage
    }


def _words(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError as error:
        raise HopsworksError(
            f"The arguments {arguments[:200]!r} cannot be split into words: {error}."
        ) from error


def _stored(
    hopsworks: Hopsworks, db: sa.Connection, project: str, job: sa.Row[Any], arguments: str | None
) -> sa.Row[Any]:
    """A new execution's row."""
    document = {
        "state": "INITIALIZING",
        "finalStatus": "UNDEFINED",
        "submissionTime": now(),
        "args": arguments,
        "progress": 0.0,
    }
    inserted = executions.insert().values(
        parent_id=job.id, document=document, runner=hopsworks.store.id
    )
    identifier = db.execute(inserted.returning(executions.c.id)).scalar_one()
    folder = f"/Projects/{project}/Logs/Python/{job.name}/{identifier}"
    document |= {path: f"{folder}/{path.removesuffix('Path')}.log" for path in _LOG_PATHS}
    same = executions.c.id == identifier
    db.execute(executions.update().where(same).values(document=document))
    return db.execute(executions.select().where(same)).one()


def _of_server(hopsworks: Hopsworks) -> dict[str, str]:
    """The environment in which a program of this package finds itself and the store."""
    package_folder = str(Path(local_hopsworks.__file__).parent.parent)
    paths = [package_folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "LOCAL_HOPSWORKS_HOME": str(hopsworks.store.home),
    }


def _file(hopsworks: Hopsworks, project: str, name: str) -> Path:
    path = hopsworks.store.dataset(project, name.removeprefix("hdfs://"))
    if not path.is_file():
        raise NotFound(
            f"The job's file {name[:200]!r} is not in dataset storage.", DATASET_NOT_FOUND
        )
    return path


def _find(call: Call) -> sa.Row[Any]:
    job, identifier = jobs.find(call, call.path["name"]), call.integer("execution")
    query = executions.select().where(
        executions.c.id == identifier, executions.c.parent_id == job.id
    )
    row = call.db.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"The job {job.name} has no execution {identifier}.", EXECUTION_NOT_FOUND)
    return row


@routes.add("POST", PATH, takes_text=True)
def start(call: Call) -> Answer:
    """The body is the arguments as text, or JSON with arguments and environment variables."""
    arguments, variables = call.body, {}
    if isinstance(call.body, dict):
        if unknown := set(call.body) - {"args", "envVars", "logicalDate", "dataIntervalEnd"}:
            raise NotEmbedded(f"starting a job with {min(unknown)[:80]!r}")
        shapes.check(call.body, {"args": str, "envVars": dict})
        arguments = call.body.get("args")
        variables = {name: str(value) for name, value in (call.body.get("envVars") or {}).items()}
        if call.body.get("logicalDate"):
            variables.setdefault("HOPS_LOGICAL_DATE", str(call.body["logicalDate"]))
    job = jobs.find(call, call.path["name"])
    for text in (arguments or "", *variables, *variables.values()):
        if not isinstance(text, str) or "\0" in text:
            raise HopsworksError(
                f"No program can be given {str(text)[:80]!r}, only text without a NUL character."
            )
    if bad := next((variable for variable in variables if not variable or "=" in variable), None):
        raise HopsworksError(f"{bad[:80]!r} cannot be the name of an environment variable.")
    row, task = submit(call.hopsworks, call.db, call.project.name, job, arguments, variables)
    call.after_commit.append(partial(call.hopsworks.part(Runner).start, task))
    return document(call.hopsworks, row)


@routes.add("GET", PATH, options=["sort_by", "offset", "limit"])
def get_all(call: Call) -> Answer:
    """Newest first. A job of this server's own has none, so the SDK does not wait for
    it."""
    if call.option("sort_by") not in _SORTS:
        raise NotEmbedded(f"executions sorted by {str(call.option('sort_by'))[:80]!r}")
    job = jobs.find(call, call.path["name"])
    return {"count": count(call.db, job), "items": documents(call, job, call.page())}


@routes.add("GET", EXECUTION)
def get(call: Call) -> Answer:
    """One execution of a job."""
    return document(call.hopsworks, _find(call))


@routes.add("PUT", EXECUTION + "/status", takes_text=True)
def stop(call: Call) -> Answer:
    """The SDK says «state=stopped» as a form under a header that promises JSON."""
    row = _find(call)
    state = (
        call.body.get("state")
        if isinstance(call.body, dict)
        else str(call.body or "").partition("state=")[2]
    )
    if str(state).lower() != "stopped":
        raise NotEmbedded(f"putting an execution into the state {str(state)[:40]!r}")
    if is_under_way(row):
        _change(call, row, {**row.document, "mustStop": True})
    return document(call.hopsworks, _find(call))


def _change(call: Call, row: sa.Row[Any], changed: dict[str, Any]) -> None:
    call.db.execute(executions.update().where(executions.c.id == row.id).values(document=changed))


@routes.add("DELETE", EXECUTION)
def delete(call: Call) -> Answer:
    """Remove an execution and its logs; one under way is stopped."""
    row = _find(call)
    if is_under_way(row) and call.hopsworks.store.is_alive(row.runner):
        raise HopsworksError(
            f"The execution {row.id} is under way; stop it first.", ILLEGAL_EXECUTION_STATE
        )
    logs = call.store.dataset(call.project.name, row.document["stdoutPath"]).parent
    call.remove(logs)
    call.db.execute(executions.delete().where(executions.c.id == row.id))
    return None
