"""The pages of jobs: their runs with state, duration and logs, and when the next one is due."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks.datasets.pages import file_address
from local_hopsworks.errors import HopsworksError
from local_hopsworks.http.calls import Call
from local_hopsworks.jobs import executions as runs
from local_hopsworks.jobs import jobs as job_routes
from local_hopsworks.jobs.tables import executions, job_schedules
from local_hopsworks.jobs.tables import jobs as table
from local_hopsworks.pages.labels import labels
from local_hopsworks.pages.pages import Crumb, Listing, Page, Pages, address
from local_hopsworks.pages.paging import Window, paged
from local_hopsworks.search.documents import Document
from local_hopsworks.tags.routes import owner

pages = Pages()
RUNS = 20  # on a page
LOG_BYTES = 4096  # of the end of a log
_SECTION = "/{project}/jobs"


def job_address(project: int, name: str) -> str:
    """Where the page of a job is, as the SDK prints it."""
    return address(project, "jobs", "named", name)


@pages.section(
    "Jobs",
    (_SECTION, _SECTION + "/named"),
    "jobs/templates/jobs.html",
    empty="None yet. project.get_job_api().create_job(…) makes one.",
    place=5,
)
def jobs(call: Call, window: Window) -> Listing:
    """The jobs of a project, the latest first."""
    of_project = table.c.parent_id == call.project.id
    query = table.select().where(of_project).order_by(table.c.id.desc())
    rows, total = paged(call.db, query, window)
    return Listing([_listed(call, row) for row in rows], total)


def _listed(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    latest, _ = _executions(call, row, Window.asked({}, 1))
    return {
        "name": row.name,
        "address": job_address(row.parent_id, row.name),
        "is_done": _is_done(row),
        "created": row.document["creationTime"],
        "latest": latest[0] if latest else None,
        "due": _schedule(call, row).get("due"),
    }


def _is_done(row: sa.Row[Any]) -> bool:
    """Whether it was this server's own work, which was done before it was recorded."""
    return row.document.get("config") is None


def _schedule(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The schedule of a job with the time it is `due` next; empty if it has none."""
    query = job_schedules.select().where(job_schedules.c.parent_id == row.id)
    found = call.db.execute(query).one_or_none()
    return {**found.document, "due": found.due} if found else {}


def _executions(call: Call, row: sa.Row[Any], window: Window) -> tuple[list[dict[str, Any]], int]:
    """Runs of a job, newest first, and how many there are."""
    query = executions.select().where(executions.c.parent_id == row.id)
    rows, total = paged(call.db, query.order_by(executions.c.id.desc()), window)
    found = [runs.document(call.hopsworks, each) for each in rows]
    return [{**each, "logs": _logs(call, each)} for each in found], total


def _logs(call: Call, execution: dict[str, Any]) -> list[dict[str, Any]]:
    """The logs of a run that have anything in them."""
    found = []
    for name, key in (("output", "stdoutPath"), ("errors", "stderrPath")):
        path = _log(call, execution.get(key))
        if path is not None:
            parts = path.relative_to(call.store.project(call.project.name)).parts
            place = file_address(call.project.id, *parts)
            found.append({"name": name, "path": path, "address": place})
    return found


def _log(call: Call, name: str | None) -> Path | None:
    if name is None:
        return None
    try:
        path = call.store.dataset(call.project.name, name)
        return path if path.stat().st_size else None
    except (HopsworksError, OSError):  # it was deleted
        return None


@pages.add(_SECTION + "/named/{name}", _SECTION + "/named/{name}/executions")
def job(call: Call) -> Page:
    """A job."""
    row = job_routes.find(call, call.path["name"])
    window = Window.asked(call.query, RUNS)
    found, total = _executions(call, row, window)
    config = row.document.get("config") or {}
    context = {
        "job": row.document,
        "labels": labels(call, owner(table, row.id)),
        "is_done": _is_done(row),
        "script": _script(call, config),
        "arguments": config.get("defaultArgs"),
        "schedule": _schedule(call, row),
        "runs": found,
        "window": window,
        "total": total,
        "latest_logs": _ends(found) if not window.start else [],
    }
    crumbs = (Crumb("Jobs", address(call.project.id, "jobs")),)
    return Page(row.name, "jobs/templates/job.html", context, "Job", crumbs)


def _script(call: Call, config: dict[str, Any]) -> dict[str, str] | None:
    if not config.get("appPath"):
        return None
    name = config["appPath"].removeprefix("hdfs://")
    inside = [part for part in name.split("/") if part]
    if inside[:2] == ["Projects", call.project.name]:
        inside = inside[2:]
    return {"name": "/".join(inside), "address": file_address(call.project.id, *inside)}


def _ends(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The last lines of the logs of the latest run."""
    return [
        {"name": log["name"], "address": log["address"], "text": _end(log["path"])}
        for run in found[:1]
        for log in run["logs"]
    ]


def _end(path: Path) -> str:
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - LOG_BYTES)
        file.seek(start)
        text = file.read(LOG_BYTES).decode(errors="replace")
    return text.partition("\n")[2] if start else text


@pages.search
def documents(call: Call) -> Iterator[Document]:
    """Every job of a project."""
    for row in call.db.execute(call.in_project(table)):
        found = Document.of("JOB", table, row, job_address(row.parent_id, row.name), ["jobType"])
        found.more["created"] = row.document["creationTime"]
        yield found
