"""What a handler is given: one request, its body parsed, inside its transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.datastructures import QueryParams
from starlette.requests import Request

from local_hopsworks import unfinished
from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.http import bodies
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.projects.errors import FEATURE_STORE_NOT_FOUND, PROJECT_NOT_FOUND
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store

API = "/hopsworks-api/api"


@dataclass(frozen=True)
class Call:
    """One request. An error that escapes its handler undoes the transaction."""

    hopsworks: Hopsworks
    db: sa.Connection
    path: dict[str, str]
    query: QueryParams
    body: Any
    peer: str = ""  # the client's end of the connection
    client: str = ""  # which program asks; see clients.py
    # run in this order once the transaction is kept
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        hopsworks: Hopsworks,
        db: sa.Connection,
        request: Request,
        body: Any = None,
        client: str = "",
    ) -> Call:
        """The call that a request is."""
        peer = "{}:{}".format(*request.client) if request.client else ""
        return cls(
            hopsworks, db, request.path_params, request.query_params, body, peer=peer, client=client
        )

    @property
    def is_remote(self) -> bool:
        """Whether the client is on another machine. Only a server with a `host` of its own meets
        one."""
        host = self.peer.rpartition(":")[0]
        is_here = host.startswith("127.") or host == self.hopsworks.host
        return bool(host) and not is_here

    @property
    def store(self) -> Store:
        """The files of this Hopsworks."""
        return self.hopsworks.store

    @cached_property
    def project(self) -> sa.Row[Any]:
        """The project that the path names."""
        query = projects.select().where(projects.c.id == self.integer("project"))
        row = self.db.execute(query).one_or_none()
        if row is None:
            raise NotFound(
                f"There is no project with id {self.path['project']}.", PROJECT_NOT_FOUND
            )
        # a project's feature store has the project's id
        if self.path.get("feature_store", str(row.id)) != str(row.id):
            raise NotFound(
                f"There is no feature store with id {self.path['feature_store'][:80]!r}.",
                FEATURE_STORE_NOT_FOUND,
            )
        return row

    def in_project(self, table: sa.Table) -> sa.Select[Any]:
        """The query of the rows of a table that belong to the project."""
        return table.select().where(table.c.parent_id == self.project.id)

    def find_version(self, table: sa.Table, name: str, version: int) -> sa.Row[Any] | None:
        """The row of this name and version in the project, if there is one."""
        query = self.in_project(table).where(table.c.name == name, table.c.version == version)
        return self.db.execute(query).one_or_none()

    def integer(self, name: str) -> int:
        """A number in the path."""
        return whole_number(self.path[name], name)

    def option(self, name: str) -> str | None:
        """A query parameter; the SDK writes an absent one as None or as the word."""
        value = self.query.get(name)
        return None if value in (None, "", "None") else value

    def number(self, name: str) -> int | None:
        """A query parameter that is a whole number."""
        value = self.option(name)
        return None if value is None else whole_number(value, name)

    def page(self) -> slice:
        """What of a list is wanted; like Hopsworks, all of it if no limit above 0 is given."""
        start, limit = max(self.number("offset") or 0, 0), self.number("limit") or 0
        return slice(start, start + limit if limit > 0 else None)

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false; false if it is absent."""
        return (self.option(name) or "false").lower() == "true"

    @property
    def document(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        return bodies.an_object(self.body)

    def remember_client(self) -> None:
        """Know the client by its process from now on: it is in the middle of something that a lost
        connection must not break off."""
        self.hopsworks.clients.remember_process(self.client, self.peer)

    def begin(self, kind: unfinished.Write, path: Path, **facts: Any) -> int:
        """Note that the client has begun what ends with a later call of its own; see
        unfinished.py."""
        self.remember_client()
        return unfinished.begin(self.db, self.store, kind, path, self.client, **facts)

    def remove(self, path: Path) -> None:
        """Take files away once the transaction is kept, even if this server is killed right after
        it."""
        found = unfinished.inode(path)
        if found is not None:
            unfinished.begin(self.db, self.store, unfinished.REMOVE, path, inode=found)
            self.after_commit.append(
                partial(unfinished.remove, self.store, self.hopsworks.metadata, path)
            )

    def href(self, path: str) -> str:
        """The whole address of a path of the API."""
        return f"{self.hopsworks.address}{API}{path}"


def whole_number(text: str, name: str) -> int:
    """The number that a text from a request is; `name` says of what."""
    if not text.isascii() or not text.lstrip("-").isdigit() or len(text) > 18:
        raise HopsworksError(f"{name} must be a whole number, not {text[:80]!r}.")
    return int(text)
