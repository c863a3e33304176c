"""The pages behind the links that the SDK prints: each shows one object of the store, and where to
go from there.

A browser cannot send the API key in a header, so the pages ask for it once and then know the
browser by a cookie.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local_hopsworks.errors import ILLEGAL_ARGUMENT, HopsworksError, NotFound
from local_hopsworks.expectations import validation
from local_hopsworks.feature_store import feature_groups, feature_views
from local_hopsworks.feature_store.tables import feature_groups as group_table
from local_hopsworks.feature_store.tables import feature_views as view_table
from local_hopsworks.http.calls import Call
from local_hopsworks.http.failures import explained
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.times import iso
from local_hopsworks.jobs import executions, jobs
from local_hopsworks.models import routes as models
from local_hopsworks.models.tables import models as model_table
from local_hopsworks.offline import history
from local_hopsworks.projects.tables import projects as project_table
from local_hopsworks.secrets import routes as secrets

PREFIX = "/p"
_SECRETS = "/account/secrets"  # the one link of the SDK that is not below /p
OPEN = (f"{PREFIX}/", _SECRETS)
COOKIE = "local_hopsworks"
_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid #8884;vertical-align:top}
td{overflow-wrap:anywhere}
code{font-size:.9em}nav{opacity:.8;margin-bottom:1rem}
"""
routes: list[Route] = []


def token(hopsworks: Hopsworks) -> str:
    """What a browser shows to be let in; made from the store's signing key, so it is not the API
    key itself."""
    return hopsworks.security.sign("pages")


class _Html(str):
    """Text that is HTML already; everything else is escaped."""


def _text(value: object) -> str:
    return value if isinstance(value, _Html) else escape("" if value is None else str(value))


def _link(target: str, text: object) -> _Html:
    return _Html(f'<a href="{escape(target)}">{_text(text)}</a>')


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> _Html:
    def row(cells: Iterable[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return _Html(
        f"<table><thead>{row(head, 'th')}</thead><tbody>{body or '<tr><td>none yet</td></tr>'}</tbody></table>"
    )


def _page(title: str, *parts: object, status: int = 200) -> HTMLResponse:
    content = "".join(
        part if isinstance(part, _Html) else f"<p>{_text(part)}</p>" for part in parts
    )
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)} · embedded Hopsworks</title><style>{_STYLE}</style>"
        f'<nav><a href="{PREFIX}/">embedded Hopsworks</a></nav><h1>{_text(title)}</h1>{content}</html>'
    )
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    )
    return HTMLResponse(
        html, status, {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    )


def _heading(text: str) -> _Html:
    return _Html(f"<h2>{escape(text)}</h2>")


_LOGIN = _Html(
    '<form method="post"><label>API key <input name="key" type="password" size="50" autofocus></label> '
    "<button>Open</button></form><p>The key lies in the store, in <code>security/api_key</code>.</p>"
)


def _page_route(path: str) -> Callable[[Callable[[Call], Response]], Callable[[Call], Response]]:
    def register(handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
        def run(request: Request) -> Response:
            hopsworks: Hopsworks = request.app.state.hopsworks
            try:
                with hopsworks.metadata.transaction(write=False) as db:
                    return handler(
                        Call(hopsworks, db, request.path_params, request.query_params, None)
                    )
            except (HopsworksError, sa.exc.DatabaseError) as error:
                known = (
                    error
                    if isinstance(error, HopsworksError)
                    else explained(error, "This page", hopsworks.store)
                )
                return _page("Not here", known.message, status=known.status)

        async def endpoint(request: Request) -> Response:
            secret = token(request.app.state.hopsworks)
            if hmac.compare_digest(request.query_params.get("token", "").encode(), secret.encode()):
                return _let_in(request.url.path, secret)
            if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), secret.encode()):
                return _page("Whose Hopsworks is this?", _LOGIN, status=401)
            return await run_in_threadpool(run, request)

        routes.append(Route(PREFIX + path, endpoint, methods=["GET"]))
        return handler

    return register


def _let_in(target: str, secret: str) -> Response:
    response = RedirectResponse(target, 303)
    response.set_cookie(COOKIE, secret, secure=True, httponly=True, samesite="strict")
    return response


async def _login(request: Request) -> Response:
    hopsworks: Hopsworks = request.app.state.hopsworks
    form = await request.form(max_files=0, max_fields=1)
    if not hopsworks.security.is_api_key(str(form.get("key", "")).strip()):
        return _page(
            "Whose Hopsworks is this?", "That is not this store's key.", _LOGIN, status=401
        )
    return _let_in(request.url.path, token(hopsworks))


routes.append(
    Route(PREFIX + "/{path:path}", _login, methods=["POST"])
)  # to whichever page asked for the key


@_page_route("/")
def index(call: Call) -> Response:
    rows = call.db.execute(project_table.select().order_by(project_table.c.name))
    return _page(
        "Projects",
        _table(
            ["project", "created"],
            [(_link(f"{PREFIX}/{row.id}", row.name), row.created) for row in rows],
        ),
    )


@_page_route(_SECRETS)
def user_secrets(call: Call) -> Response:
    """Names only: no page ever shows a value."""
    rows = [
        (found["name"], found["visibility"], found["addedOn"]) for found in secrets.documents(call)
    ]
    return _page("Secrets", _table(["name", "visibility", "created"], rows))


routes.append(Route(_SECRETS, lambda request: RedirectResponse(PREFIX + _SECRETS), methods=["GET"]))


@_page_route("/{project}")
def project(call: Call) -> Response:
    row = call.project
    base = f"{PREFIX}/{row.id}"

    def found(table: sa.Table, target: Callable[[sa.Row[Any]], str]) -> _Html:
        things = call.db.execute(
            table.select()
            .where(table.c.parent_id == row.id)
            .order_by(table.c.name, table.c.version)
        )
        return _table(
            ["name", "version", "description"],
            [(_link(target(t), t.name), t.version, t.document.get("description")) for t in things],
        )

    return _page(
        f"Project {row.name}",
        _heading("Feature groups"),
        found(group_table, lambda t: f"{base}/fs/{row.id}/fg/{t.id}"),
        _heading("Feature views"),
        found(view_table, lambda t: f"{base}/fs/{row.id}/fv/{t.name}/version/{t.version}"),
        _heading("Models"),
        found(model_table, lambda t: f"{base}/models/{t.name}/{t.version}"),
        _heading("Dataset storage"),
        _table(
            ["dataset", "entries"],
            [
                (entry.name, sum(1 for _ in entry.iterdir()))
                for entry in sorted(call.store.project(row.name).iterdir())
                if entry.is_dir()
            ],
        ),
    )


def _role(feature: dict[str, Any], event_time: str | None = None) -> str:
    roles = {
        "primary key": feature.get("primary"),
        "event time": feature["name"] == event_time,
        "label": feature.get("label"),
        "helper column": feature.get("inferenceHelperColumn")
        or feature.get("trainingHelperColumn"),
    }
    return ", ".join(role for role, has in roles.items() if has)


@_page_route("/{project}/fs/{feature_store}/fg/{id}")
def feature_group(call: Call) -> Response:
    group = feature_groups.document(call, feature_groups.find(call, call.integer("id")))
    features = [
        (f["name"], f.get("type"), _role(f, group.get("eventTime")), f.get("description"))
        for f in group["features"]
    ]  # fmt: skip
    commits = [
        (c["commitDateString"], c["rowsInserted"], c["rowsUpdated"], c["rowsDeleted"])
        for c in history.commits(group["location"], 50)
    ]
    return _page(
        f"Feature group {group['name']} version {group['version']}",
        group.get("description"),
        _heading("Features"),
        _table(["name", "type", "role", "description"], features),
        _heading("Commits, newest first"),
        _table(["time", "inserted", "updated", "deleted"], commits),
        *_validation(call, group),
    )


def _validation(call: Call, group: dict[str, Any]) -> list[_Html]:
    suite, reports = group["expectationSuite"] or {}, validation.documents(call, group["id"])[:50]
    if not suite and not reports:
        return []
    found = [
        (iso(r["validationTime"]), r["ingestionResult"], ", ".join(validation.missed(r)))
        for r in reports
    ]
    return [
        _heading("Expectations"),
        _table(
            ["expectation", "of"],
            [(e["expectationType"], e["kwargs"]) for e in suite.get("expectations", [])],
        ),
        _heading("Validation reports, newest first"),
        _table(["time", "rows", "not met"], found),
    ]


@_page_route("/{project}/fs/{feature_store}/fv/{name}/version/{version}")
def feature_view(call: Call) -> Response:
    view = feature_views.document(call, feature_views.find(call))
    rows = [
        (f["name"], f["type"], _role(f), f"{f['featuregroup']['name']} version {f['featuregroup']['version']}")
        for f in view["features"]
    ]  # fmt: skip
    return _page(
        f"Feature view {view['name']} version {view['version']}",
        view.get("description"),
        _heading("Features"),
        _table(["name", "type", "role", "feature group"], rows),
    )


@_page_route("/{project}/models/{name}/{version}")
def model(call: Call) -> Response:
    call.path["id"] = f"{call.path['name']}_{call.path['version']}"
    found = models.document(call, models.find(call))
    view = found.get("featureView")
    rows = [
        ("framework", found["framework"]),
        ("registered", found["created"]),
        ("by job", found.get("jobName")),
        ("feature view", f"{view[0]} version {view[1]}" if view else ""),
    ]
    files = call.store.dataset(
        call.project.name, f"Models/{found['name']}/{found['version']}/Files"
    )
    return _page(
        f"Model {found['name']} version {found['version']}",
        found.get("description"),
        _table(["", ""], rows),
        _heading("Metrics"),
        _table(["metric", "value"], (found.get("metrics") or {}).items()),
        _heading("Files"),
        _table(
            ["name", "bytes"],
            [
                (p.relative_to(files), p.stat().st_size)
                for p in sorted(files.rglob("*"))
                if p.is_file()
            ],
        ),
    )


@_page_route("/{project}/jobs/named/{name}")
@_page_route("/{project}/jobs/named/{name}/executions")
def job(call: Call) -> Response:
    found, row = jobs.document(call, call.path["name"]), jobs.find(call, call.path["name"])
    rows = [
        (
            run["id"],
            run["submissionTime"],
            run["args"],
            run["state"],
            run["stdoutPath"],
            run["stderrPath"],
        )
        for run in executions.documents(call, row)
    ]
    if row.document.get("config") is None:  # this server's own work, done before it answered
        return _page(f"Job {row.name}", f"Finished {found['creationTime']}.")
    schedule = found["jobSchedule"] or {}
    facts = [
        ("script", found["config"]["appPath"]),
        ("schedule", schedule.get("cronExpression")),
        ("next execution", iso(due) if (due := schedule.get("nextExecutionDateTime")) else None),
    ]
    return _page(
        f"Job {row.name}",
        _table(["", ""], facts),
        _heading("Executions, newest first"),
        _table(["id", "submitted", "arguments", "state", "output", "errors"], rows),
    )


@_page_route("/{path:path}")
def unknown(call: Call) -> Response:
    raise NotFound("There is no such page.", ILLEGAL_ARGUMENT)
