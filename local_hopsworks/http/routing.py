"""How the service modules declare routes, and what a handler is given.

A handler is a plain function `handler(call) -> dict | list | None | Response`. It runs on a worker
thread inside one metadata transaction: a writing one for PUT, POST, PATCH and DELETE (unless
`reads_only`), a reading one for GET. An error undoes the transaction.
"""

from __future__ import annotations

import datetime
import errno
import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from local_hopsworks import metadata, unfinished
from local_hopsworks.errors import (
    FEATURE_STORE_NOT_FOUND,
    PROJECT_NOT_FOUND,
    HopsworksError,
    NotEmbedded,
    NotFound,
)
from local_hopsworks.http import shapes
from local_hopsworks.http.clients import Clients
from local_hopsworks.jobs.runner import Runner
from local_hopsworks.metadata import Metadata
from local_hopsworks.offline.compaction import Writers
from local_hopsworks.security import Security
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")
API = "/hopsworks-api/api"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
LARGEST_BODY = (
    64 * 2**20
)  # bytes of JSON; the largest the SDK sends are statistics, some hundred KiB
LARGEST_CHUNK = 128 * 2**20  # bytes of a file in one request; the SDK sends 10 MiB
LARGEST_UPLOAD = LARGEST_CHUNK + 2**20  # with the form around it
USER = {"username": "local", "email": "local@localhost", "firstName": "Local", "lastName": "User"}

Answer = dict[str, Any] | list[Any] | Response | None


@dataclass(frozen=True)
class Service:
    """What all requests share."""

    store: Store
    metadata: Metadata
    security: Security
    address: str  # https://127.0.0.1:port
    environment: Callable[[str], dict[str, str]]  # the SDK's variables for a project
    query_service: Callable[[], str]  # host:port of the query service
    runner: Runner  # of jobs
    clients: Clients
    writers: Writers  # clients that are inserting


@dataclass(frozen=True)
class Call:
    """One request, its body parsed, inside its transaction."""

    service: Service
    db: sa.Connection
    path: dict[str, str]
    query: QueryParams
    body: Any
    peer: str = ""  # the client's end of the connection
    client: str = ""  # which program asks; see clients.py
    after_commit: list[Callable[[], None]] = field(
        default_factory=list
    )  # run once the transaction is kept

    @property
    def is_remote(self) -> bool:
        """Whether the client is on another machine; only a server that was told a `host` meets
        one."""
        host = self.peer.rpartition(":")[0]
        return (
            bool(host) and not host.startswith("127.") and f"//{host}:" not in self.service.address
        )

    @property
    def store(self) -> Store:
        return self.service.store

    @cached_property
    def project(self) -> sa.Row[Any]:
        """The project that the path names."""
        row = self.db.execute(
            metadata.projects.select().where(metadata.projects.c.id == self.integer("project"))
        ).one_or_none()
        if row is None:
            raise NotFound(
                f"There is no project with id {self.path['project']}.", PROJECT_NOT_FOUND
            )
        if self.path.get("feature_store", str(row.id)) != str(
            row.id
        ):  # a project's feature store has the project's id
            raise NotFound(
                f"There is no feature store with id {self.path['feature_store'][:80]!r}.",
                FEATURE_STORE_NOT_FOUND,
            )
        return row

    def integer(self, name: str) -> int:
        """A number in the path."""
        return _integer(self.path[name], name)

    def option(self, name: str) -> str | None:
        """A query parameter; the SDK writes an absent one as None or as the word."""
        value = self.query.get(name)
        return None if value in (None, "", "None") else value

    def number(self, name: str) -> int | None:
        value = self.option(name)
        return None if value is None else _integer(value, name)

    def flag(self, name: str) -> bool:
        return (self.option(name) or "false").lower() == "true"

    @property
    def document(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        return _object(self.body)

    def remove(self, path: Path) -> None:
        """Take files away once the transaction is kept, even if this server is killed right after
        it."""
        if (found := unfinished.inode(path)) is not None:
            unfinished.begin(self.db, self.store, unfinished.REMOVE, path, inode=found)
            self.after_commit.append(
                partial(unfinished.remove, self.store, self.service.metadata, path)
            )

    def href(self, path: str) -> str:
        return f"{self.service.address}{API}{path}"


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise HopsworksError("This call needs a JSON object as its body.")
    return body


def _integer(text: str, name: str) -> int:
    if not text.isascii() or not text.lstrip("-").isdigit() or len(text) > 18:
        raise HopsworksError(f"{name} must be a whole number, not {text[:80]!r}.")
    return int(text)


Handler = Callable[[Call], Answer]


class Routes(list[Route]):
    """The routes of one service. `options` are the query parameters that the handler heeds or may
    safely ignore; any other is refused, because ignoring it could change what the caller meant."""

    def add(
        self,
        method: str,
        path: str,
        *,
        options: Iterable[str] = (),
        reads_only: bool = False,
        # a body that says it is text, or is no JSON, reaches the handler as a str
        takes_text: bool = False,
        body: shapes.Shape = None,  # what a JSON body must look like; see shapes.py
    ) -> Callable[[Handler], Handler]:
        known, shape = {"expand", *options}, body

        def register(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                for name in request.query_params:
                    if name not in known:
                        raise NotEmbedded(
                            f"the option {name[:80]!r} of {method} {request.url.path[len(API) :]}"
                        )
                content = None
                try:
                    content = await _body(request, takes_text)
                    if shape is not None and content is not None:
                        shapes.check(_object(content), shape)
                    return await run_in_threadpool(
                        _run, handler, request, content, method != "GET" and not reads_only
                    )
                except HopsworksError:
                    raise
                except (
                    Exception
                ) as error:  # of this server or of the disk: logged in full, told in one sentence
                    call = f"{method} {request.url.path.removeprefix(API)[:200]}"
                    _log.error("%s failed", call, exc_info=error)
                    raise told(error, call, request.app.state.service.store) from error
                finally:
                    if isinstance(content, FormData):
                        await content.close()

            self.append(Route(API + path, endpoint, methods=[method]))
            return handler

        return register


def _run(handler: Handler, request: Request, body: Any, write: bool) -> Response:
    service: Service = request.app.state.service
    after_commit: list[Callable[[], None]] = []
    with service.metadata.transaction(write=write) as db:
        peer = "{}:{}".format(*request.client) if request.client else ""
        client = service.clients.of(request)
        answer = handler(
            Call(
                service,
                db,
                request.path_params,
                request.query_params,
                body,
                peer,
                client,
                after_commit,
            )
        )
    for action in after_commit:
        action()
    if not isinstance(answer, Response):
        answer = Response(status_code=204) if answer is None else JSONResponse(answer)
    service.clients.greet(request, answer)
    return answer


def told(error: Exception, call: str, store: Store) -> HopsworksError:
    """One sentence for what is no refusal: where it happened, and what can be done."""
    if isinstance(error, sa.exc.DatabaseError) and not isinstance(error, sa.exc.IntegrityError):
        busy = "locked" in str(error.orig)
        todo = (
            "Try again."
            if busy
            else "Nothing was changed; python -m local_hopsworks check looks what is wrong."
        )
        message = f"The metadata in {store.metadata_file} cannot be used: {error.orig}. {todo}"
        return HopsworksError(message, status=503 if busy else 500)
    if isinstance(error, OSError) and error.errno in _FULL:
        message = f"There is no room in the store {store.home} ({error.strerror}): {call} was not done. Make room there."
        return HopsworksError(message, status=500)
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        message = f"The store cannot be written at {error.filename} ({error.strerror}): {call} was not done."
        return HopsworksError(message, status=500)
    return HopsworksError(
        f"The embedded Hopsworks failed at {call}: {type(error).__name__}: {error}.", status=500
    )


async def _body(request: Request, takes_text: bool) -> Any:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _at_most(LARGEST_UPLOAD, request).form(max_files=1, max_fields=20)
    content = await _at_most(LARGEST_BODY, request).body()
    if not content:
        return None
    if takes_text and request.headers.get("content-type", "").startswith("text/plain"):
        return content.decode(errors="replace")
    try:
        return _parsed(content.decode())
    except (ValueError, RecursionError) as error:
        if takes_text:
            return content.decode(errors="replace")
        raise HopsworksError("The body is not JSON.") from error


def _at_most(size: int, request: Request) -> Request:
    """The request with a body that ends in a refusal where it gets larger than `size` bytes."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > size:
            raise HopsworksError(f"The body is larger than {size // 2**20} MiB.", status=413)
        return message

    return Request(request.scope, receive)


def _parsed(text: str) -> Any:
    """JSON that the database can hold and any client can read back; raises ValueError or
    HopsworksError."""
    # NaN and infinity are no JSON, yet Python clients send them (a metric, a statistic): they
    # become null.
    found = json.loads(
        text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_in_64_bits
    )
    if "\\ud" in text.lower():
        json.dumps(
            found, ensure_ascii=False
        ).encode()  # half a surrogate pair is a UnicodeEncodeError, a ValueError
    if text.count("{") + text.count("[") > shapes.DEEPEST and shapes.is_deeper(
        found, shapes.DEEPEST
    ):
        raise HopsworksError(
            f"Lists and objects in a body can be nested at most {shapes.DEEPEST} deep."
        )
    return found


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _in_64_bits(text: str) -> int | float | None:
    number = int(text) if len(text) < 20 else 2**63
    return number if -(2**63) <= number < 2**63 else _finite(text)


def now() -> str:
    """The time as Hopsworks writes it."""
    return iso(int(time.time() * 1000))


def iso(milliseconds: int) -> str:
    """A time in ms since 1970 as Hopsworks writes it."""
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def items(rows: list[Any]) -> dict[str, Any]:
    """The list DTO of every Hopsworks service."""
    return {"count": len(rows), "items": rows}
