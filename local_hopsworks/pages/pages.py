"""How a service declares its pages, and how a page is answered.

A page's handler is a plain function `handler(call) -> Page | Response`, run on a worker thread in a
reading transaction: nothing on a page changes the store. Beside its pages a service may have
sections (a list of its things, on the project's page and on one of its own), boxes of the picture
of what was made from what, and documents for the search.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from local_hopsworks.errors import ILLEGAL_ARGUMENT, HopsworksError, NotFound
from local_hopsworks.http.calls import Call
from local_hopsworks.http.failures import explained
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.pages import access
from local_hopsworks.pages.door import PREFIX
from local_hopsworks.pages.lineage import Box, pictures
from local_hopsworks.pages.paging import Window
from local_hopsworks.pages.templates import Templates
from local_hopsworks.search.documents import Document

_log = logging.getLogger("local_hopsworks")
ROWS_IN_OVERVIEW = 5
ROWS_ON_PAGE = 50
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",  # the next look shows what is there then
}


@dataclass(frozen=True)
class Crumb:
    """One step of the way from the project to a page."""

    text: str
    address: str


@dataclass(frozen=True)
class Page:
    """What a template needs. `here` is the key of the page's box in the picture of lineage."""

    title: str
    template: str  # such as feature_store/templates/feature_group.html
    context: dict[str, Any] = field(default_factory=dict)
    kind: str = ""  # such as «Feature group»
    crumbs: tuple[Crumb, ...] = ()
    here: str = ""
    status: int = 200


@dataclass(frozen=True)
class Listing:
    """Things of one kind, or those of them that a page has room for."""

    rows: list[dict[str, Any]]
    total: int


@dataclass(frozen=True)
class Section:
    """A kind of things that a project has."""

    title: str
    paths: tuple[str, ...]  # of its own page
    template: str  # of its rows
    empty: str  # what is said if there are none
    place: int  # among the sections of a project
    make: Callable[[Call, Window], Listing]

    def address(self, project: int) -> str:
        """Where the section's own page is."""
        return PREFIX + self.paths[0].format(project=project, feature_store=project)


@dataclass(frozen=True)
class Filled:
    """A section with its things."""

    section: Section
    listing: Listing
    window: Window
    address: str


Handler = Callable[[Call], Page | Response]
Boxes = Callable[[Call], Iterable[Box]]
Documents = Callable[[Call], Iterable[Document]]
Lister = Callable[[Call, Window], Listing]


class Pages(list[Route]):
    """The pages of one service."""

    def __init__(self, *parts: Pages) -> None:
        """The pages of these parts, such as modules of one service; others may be added."""
        super().__init__(route for part in parts for route in part)
        self.sections: list[Section] = [section for part in parts for section in part.sections]
        self.boxes: list[Boxes] = [boxes for part in parts for boxes in part.boxes]
        self.documents: list[Documents] = [each for part in parts for each in part.documents]

    def add(self, *paths: str) -> Callable[[Handler], Handler]:
        """Declare that the decorated handler answers GET on these paths."""

        def register(handler: Handler) -> Handler:
            endpoint = _Endpoint(handler)
            self.extend(Route(PREFIX + path, endpoint.answer, methods=["GET"]) for path in paths)
            return handler

        return register

    def section(
        self, title: str, path: str | tuple[str, ...], template: str, empty: str, place: int
    ) -> Callable[[Lister], Lister]:
        """Declare that the decorated function lists the things of one kind in a project; it gets
        the call and which of them to list."""

        def register(make: Lister) -> Lister:
            paths = (path,) if isinstance(path, str) else path
            section = Section(title, paths, template, empty, place, make)
            self.sections.append(section)
            self.add(*paths)(lambda call: _of_section(call, section))
            return make

        return register

    def lineage(self, boxes: Boxes) -> Boxes:
        """Declare that the decorated function tells the boxes of a project's lineage."""
        self.boxes.append(boxes)
        return boxes

    def search(self, documents: Documents) -> Documents:
        """Declare that the decorated function tells what can be found in a project."""
        self.documents.append(documents)
        return documents


class Rooms:
    """The pages of all services of a server."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        """Load the module pages.py of every service."""
        # they import this module
        from local_hopsworks.http.app import sorted_by_specificity
        from local_hopsworks.http.services import modules
        from local_hopsworks.pages import home

        found = [getattr(module, "pages", None) for module in modules("pages")]
        self._pages = [home.pages, *(pages for pages in found if isinstance(pages, Pages))]
        routes = [route for pages in self._pages for route in pages]
        self.router = Router(routes=sorted_by_specificity(routes), redirect_slashes=False)
        sections = [section for pages in self._pages for section in pages.sections]
        self.sections = sorted(sections, key=lambda section: section.place)

    def boxes(self, call: Call) -> Iterator[Box]:
        """The boxes of a project's lineage."""
        for pages in self._pages:
            for boxes in pages.boxes:
                yield from boxes(call)

    def documents(self, call: Call) -> Iterator[Document]:
        """What can be found in a project."""
        for pages in self._pages:
            for documents in pages.documents:
                yield from documents(call)


def fill(call: Call, section: Section, most: int) -> Filled:
    """The things of a section, `most` of them at once."""
    window = Window.asked(call.query, most)
    return Filled(section, section.make(call, window), window, section.address(call.project.id))


def overview(call: Call) -> list[Filled]:
    """All sections of the call's project, with a few things each."""
    first = replace(call, query=type(call.query)())
    return [fill(first, each, ROWS_IN_OVERVIEW) for each in call.hopsworks.part(Rooms).sections]


def _of_section(call: Call, section: Section) -> Page:
    filled = fill(call, section, ROWS_ON_PAGE)
    return Page(section.title, "pages/templates/section.html", {"filled": filled})


@dataclass(frozen=True)
class _Endpoint:
    """What answers a page."""

    handler: Handler

    async def answer(self, request: Request) -> Response:
        """Let the browser in, or ask who it is."""
        instead = access.entered(request)
        return instead if instead is not None else await run_in_threadpool(self._answer, request)

    def _answer(self, request: Request) -> Response:
        hopsworks: Hopsworks = request.app.state.hopsworks
        with hopsworks.metadata.transaction(write=False) as db:
            call = Call.of(hopsworks, db, request)
            try:
                if not call.path.get("project", "0").isdigit():  # /p/{project} fits any one word
                    raise NotFound("There is no page at this address.", ILLEGAL_ARGUMENT)
                found = self.handler(call)
                return found if isinstance(found, Response) else render(call, found)
            except HopsworksError as error:
                return _not_here(call, error)
            except Exception as error:  # of this server or of the disk
                _log.error("The page %s failed", request.url.path[:200], exc_info=error)
                return _not_here(call, explained(error, "this page", hopsworks.store))


def render(call: Call, page: Page) -> Response:
    """The page as HTML, with the way to it, and its place in the lineage."""
    rooms = call.hopsworks.part(Rooms)
    project = call.project if "project" in call.path else None
    drawn = pictures(rooms.boxes(call), page.here) if project and page.here else None
    context = {
        **page.context,
        "page": page,
        "project": project,
        "sections": rooms.sections,
        "lineage": drawn,
        "query": call.option("q") or "",
    }
    html = call.hopsworks.part(Templates).render(page.template, context)
    return HTMLResponse(html, page.status, HEADERS)


def _not_here(call: Call, error: HopsworksError) -> Response:
    """The page of an error, which shows what there is instead."""
    try:
        there = overview(call) if "project" in call.path else []
    except HopsworksError:  # no such project
        there = []
        call = replace(call, path={})
    title = "Not here" if error.status < 500 else "This did not work"
    context = {"message": error.message, "filled": there}
    page = Page(title, "pages/templates/not_here.html", context, status=error.status)
    return render(call, page)


def address(*parts: object) -> str:
    """The address of a page: /p and these parts, whatever characters are in them."""
    return "/".join([PREFIX, *(quote(str(part), safe="") for part in parts)])
