"""Which programs are connected: each gets a cookie with its first answer, and is there as long as a
connection is."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

_COOKIE = "local_hopsworks_client"


class Clients:
    """The clients of one server. `connections` are the other ends, as host and port, of those that
    are open."""

    def __init__(self, connections: Callable[[], set[tuple[str, int]]]) -> None:
        self._connections = connections
        self._seen: dict[str, set[tuple[str, int]]] = {}

    def of(self, request: Request) -> str:
        """The client that asks; empty for one that keeps no cookies."""
        client = request.cookies.get(_COOKIE, "")
        if client and request.client:
            self._seen.setdefault(client, set()).add((request.client.host, request.client.port))
        return client

    def greet(self, request: Request, response: Response) -> None:
        if _COOKIE not in request.cookies:
            response.set_cookie(
                _COOKIE, uuid.uuid4().hex, secure=True, httponly=True, samesite="strict"
            )

    def is_connected(self, client: str) -> bool:
        """Whether the client is still there; of one that keeps no cookies nobody knows, so it
        counts as there."""
        if not client:
            return True
        open_now = self._connections()
        self._seen[client] = {
            connection for connection in self._seen.get(client, ()) if connection in open_now
        }
        return bool(self._seen[client])
