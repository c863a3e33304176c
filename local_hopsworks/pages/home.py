"""The pages that belong to no service: all projects, one project, and the way to both."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from local_hopsworks.errors import ILLEGAL_ARGUMENT, NotFound
from local_hopsworks.http.calls import Call
from local_hopsworks.pages import access
from local_hopsworks.pages.door import PREFIX
from local_hopsworks.pages.pages import Page, Pages, overview
from local_hopsworks.projects.tables import projects

pages = Pages()
_FILES = Path(__file__).resolve().parent / "files"
_TYPES = {"style.css": "text/css", "icon.svg": "image/svg+xml"}


@pages.add("", "/")
def index(call: Call) -> Page:
    """All projects of the store."""
    rows = call.db.execute(projects.select().order_by(projects.c.name)).all()
    context = {"projects": rows, "home": call.store.home}
    return Page("Projects", "pages/templates/projects.html", context)


@pages.add("/{project}", "/{project}/", "/{project}/fs", "/{project}/fs/{feature_store}")
def project(call: Call) -> Page:
    """A project with a few of its things of each kind."""
    context = {"filled": overview(call)}
    return Page(call.project.name, "pages/templates/project.html", context, "Project")


@pages.add("/{project}/{rest:path}")
@pages.add("/{path:path}")
def unknown(call: Call) -> Page:
    """No page has this address."""
    raise NotFound("There is no page at this address.", ILLEGAL_ARGUMENT)


def _file(name: str, request: Request) -> Response:
    """What every page looks with; strangers may have it too."""
    return FileResponse(_FILES / name, media_type=_TYPES[name])


for _name in _TYPES:
    pages.append(Route(f"{PREFIX}/files/{_name}", partial(_file, _name)))
for _path in (PREFIX, PREFIX + "/{path:path}"):
    pages.append(Route(_path, access.sign_in, methods=["POST"]))
