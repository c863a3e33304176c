"""How a service declares its routes, and how a handler runs.

A handler is a plain function `handler(call) -> dict | list | None | Response`. It runs on a worker
thread inside one metadata transaction: a writing one for PUT, POST, PATCH and DELETE (unless
`reads_only`), a reading one for GET. An error undoes the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_hopsworks.errors import NotEmbedded
from local_hopsworks.http import bodies, shapes
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import API, Call
from local_hopsworks.http.failures import explaining
from local_hopsworks.http.hopsworks import Hopsworks

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class _Endpoint:
    """What answers a route: the checks of a request, its handler, its errors."""

    handler: Handler
    options: frozenset[str] | None  # None: any
    writes: bool
    takes_text: bool
    shape: shapes.Shape

    async def answer(self, request: Request) -> Response:
        name = f"{request.method} {request.url.path.removeprefix(API)}"
        for option in request.query_params:
            if self.options is not None and option not in self.options:
                raise NotEmbedded(f"the option {option[:80]!r} of {name}")
        with explaining(name[:200], request.app.state.hopsworks.store):
            content = await bodies.read(request, self.takes_text)
            try:
                if self.shape is not None and content is not None:
                    shapes.check(bodies.an_object(content), self.shape)
                return await run_in_threadpool(_run, self.handler, request, content, self.writes)
            finally:
                if isinstance(content, FormData):
                    await content.close()


class Routes(list[Route]):
    """The routes of one service. Where two fit a path, the more specific one answers; see app.py.

    `options` are the query parameters that the handler heeds or may safely ignore; any other is
    refused, because ignoring it could change what the caller meant. None lets any pass.
    `takes_text` lets a body that is no JSON reach the handler as a str. `body` is what a JSON body
    must look like; see shapes.py.
    """

    def add(
        self,
        method: str,
        path: str,
        *,
        options: Iterable[str] | None = (),
        reads_only: bool = False,
        takes_text: bool = False,
        body: shapes.Shape = None,
    ) -> Callable[[Handler], Handler]:
        """Declare that the decorated handler answers `method` on `path`, below the API's root."""
        known = None if options is None else frozenset({"expand", *options})
        writes = method != "GET" and not reads_only

        def register(handler: Handler) -> Handler:
            endpoint = _Endpoint(handler, known, writes, takes_text, body)
            name = handler.__name__
            self.append(Route(API + path, endpoint.answer, methods=[method], name=name))
            return handler

        return register

    def refuse(self, path: str, what: str) -> None:
        """Declare that `path`, which a wider route would answer, is not embedded."""

        def refusal(call: Call) -> Answer:
            raise NotEmbedded(what)

        for method in _METHODS:
            self.add(method, path, options=None)(refusal)


def _run(handler: Handler, request: Request, body: Any, write: bool) -> Response:
    hopsworks: Hopsworks = request.app.state.hopsworks
    with hopsworks.metadata.transaction(write=write) as db:
        call = Call.of(hopsworks, db, request, body, hopsworks.clients.of(request))
        answer = handler(call)
    # What the SDK asks for often precedes a look at its certificates
    hopsworks.hand_out_certificates()
    for action in call.after_commit:
        action()
    if not isinstance(answer, Response):
        answer = Response(status_code=204) if answer is None else JSONResponse(answer)
    hopsworks.clients.greet(request, answer)
    return answer
