"""Which programs are connected: each gets a cookie with its first answer.

A program is alive as long as it has a connection. One that is in the middle of a longer write is
known by its process too, because a connection that is idle for long may be lost on its way. Of a
program on another machine no process is seen, so it counts as alive for some minutes.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local_hopsworks import processes
from local_hopsworks.environment import is_loopback
from local_hopsworks.http import peers

_COOKIE = "local_hopsworks_client"
MOST_ENDED = 4096  # connections that are remembered although they have ended
SILENT_SECONDS = 600  # from the last request of a program on another machine; then it has ended


class Clients:
    """The clients of one server. `connections` are the other ends, as host and port, of those that
    are open, and whether a request of theirs is being answered; `let_in` keeps one open that has
    shown the key."""

    def __init__(
        self,
        connections: Callable[[], dict[tuple[str, int], bool]],
        let_in: Callable[[tuple[str, int]], None],
    ) -> None:
        self._connections, self.let_in = connections, let_in
        self._at: dict[tuple[str, int], str] = {}  # who asked last from this host and port
        self._processes: dict[str, list[Any]] = {}
        self._asked: dict[str, float] = {}  # when those of other machines did so last
        self._mark = uuid.uuid4().hex[:8]  # at the end of the cookies that this server gives

    def of(self, request: Request) -> str:
        """The client that asks; empty for one that keeps no cookies."""
        client = request.cookies.get(_COOKIE, "")
        if request.client:
            # Systems use the port of a connection that has ended for another program's again
            self._at[request.client.host, request.client.port] = client
            here, _ = request.scope["server"]
            if client and request.client.host != here and not is_loopback(request.client.host):
                self._asked[client] = time.monotonic()
        return client

    def greet(self, request: Request, response: Response) -> None:
        """Give the client its cookie, if it has none."""
        if _COOKIE not in request.cookies:
            value = f"{uuid.uuid4().hex}{self._mark}"
            response.set_cookie(_COOKIE, value, secure=True, httponly=True, samesite="strict")

    def was_greeted_here(self, client: str) -> bool:
        """Whether this server gave the client its cookie, and no earlier one of this address."""
        return client.endswith(self._mark)

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
        if process is not None:
            return processes.identity(process[0]) == process
        return time.monotonic() - self._asked.get(client, -SILENT_SECONDS) < SILENT_SECONDS

    def is_in_this_process(self, client: str) -> bool:
        """Whether the client is the program that this server runs in."""
        process = self._processes.get(client)
        return process is not None and process[0] == os.getpid()

    def is_connected(self, client: str) -> bool:
        """Whether a connection of the client is open."""
        return bool(self._open(client))

    def is_asking(self, client: str) -> bool:
        """Whether a request of the client is being read or answered."""
        return any(self._open(client).values())

    def _open(self, client: str) -> dict[tuple[str, int], bool]:
        open_now = self._connections()
        if len(self._at) > MOST_ENDED + len(open_now):
            ended = [connection for connection in list(self._at) if connection not in open_now]
            for connection in ended:
                self._at.pop(connection, None)
        return {
            connection: is_asking
            for connection, is_asking in open_now.items()
            if self._at.get(connection) == client
        }
