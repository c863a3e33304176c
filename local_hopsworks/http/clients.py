"""Which programs are connected: each gets a cookie with its first answer.

A program is alive as long as it has a connection. One that is in the middle of a longer write is
known by its process too, because a connection that is idle for long may be lost on its way.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local_hopsworks import processes
from local_hopsworks.http import peers

_COOKIE = "local_hopsworks_client"


class Clients:
    """The clients of one server. `connections` are the other ends, as host and port, of those that
    are open; `let_in` keeps one open that has shown the key."""

    def __init__(
        self,
        connections: Callable[[], set[tuple[str, int]]],
        let_in: Callable[[tuple[str, int]], None],
    ) -> None:
        self._connections, self.let_in = connections, let_in
        self._seen: dict[str, set[tuple[str, int]]] = {}
        self._processes: dict[str, list[Any]] = {}

    def of(self, request: Request) -> str:
        """The client that asks; empty for one that keeps no cookies."""
        client = request.cookies.get(_COOKIE, "")
        if client and request.client:
            self._seen.setdefault(client, set()).add((request.client.host, request.client.port))
        return client

    def greet(self, request: Request, response: Response) -> None:
        """Give the client its cookie, if it has none."""
        if _COOKIE not in request.cookies:
            response.set_cookie(
                _COOKIE, uuid.uuid4().hex, secure=True, httponly=True, samesite="strict"
            )

    def remember_process(self, client: str, peer: str) -> None:
        """Note which process has the other end `peer` (host:port) of a connection of the client,
        if it is one of this machine."""
        host, _, port = peer.rpartition(":")
        if client and host and client not in self._processes:
            process = peers.process_at(host, int(port))
            if process is not None:
                self._processes[client] = processes.identity(process)

    def is_alive(self, client: str) -> bool:
        """Whether the client may go on with what it has begun. One that keeps no cookies counts as
        alive, because nothing else is known of it."""
        if not client or self.is_connected(client):
            return True
        process = self._processes.get(client)
        return process is not None and processes.identity(process[0]) == process

    def is_connected(self, client: str) -> bool:
        """Whether a connection of the client is open."""
        open_now = self._connections()
        self._seen[client] = {
            connection for connection in self._seen.get(client, ()) if connection in open_now
        }
        return bool(self._seen[client])
