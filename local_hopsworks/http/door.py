"""Which connections a server keeps: those that have shown the API key, and few and not for long of
those that have not.

Each open connection takes one of the file descriptors that the system allows the process. Without a
bound, anyone who only connects could take them all, and programs with the key could not get in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("local_hopsworks")
Address = tuple[str, int]  # the client's end of a connection
DESCRIPTORS = 4096  # that a server may open, if the system lets it
MOST_STRANGERS = 512
HANDSHAKE_SECONDS = 10  # until TLS has begun
PROOF_SECONDS = 20  # until a request has shown the key
_RETRY_SECONDS = 0.1
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def allow_descriptors() -> None:
    """Let this process have more than the few descriptors that macOS allows at first: the query
    service, which is gRPC's, keeps connections that say nothing for two minutes."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def most_strangers() -> int:
    """How many connections without a proof are kept at once: a quarter of what the system allows,
    which leaves room for the others and for files."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return MOST_STRANGERS
    return max(16, min(MOST_STRANGERS, allowed // 4))


class Door:
    """Accepts the connections of one server; runs in its event loop."""

    def __init__(self, tls: ssl.SSLContext, new_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._tls, self._new_protocol = tls, new_protocol
        self._strangers: dict[Address, socket.socket] = {}  # the oldest first
        self._protocols: dict[Address, Any] = {}  # of strangers
        self._most = most_strangers()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, listener: socket.socket) -> None:
        """Accept connections from now on."""
        listener.setblocking(False)
        self._start(self._accept(listener))

    def close(self) -> None:
        """Accept no more."""
        for task in list(self._tasks):
            task.cancel()

    def let_in(self, client: Address) -> None:
        """A request on this connection has shown the key: it may stay as long as it likes."""
        self._strangers.pop(client, None)
        self._protocols.pop(client, None)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, client = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno not in _FULL:
                    return  # the listener was closed
                _log.warning("No connection can be accepted at the moment: %s.", error.strerror)
                self._turn_out_oldest()
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if len(self._strangers) >= self._most:
                self._turn_out_oldest()
            self._strangers[client] = connection
            self._start(self._begin(connection, client))

    async def _begin(self, connection: socket.socket, client: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.connect_accepted_socket(
                self._new_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except OSError:  # it went away, or speaks no TLS
            self.let_in(client)
            connection.close()
            return
        if client in self._strangers:
            self._protocols[client] = protocol
            loop.call_later(PROOF_SECONDS, self._turn_out, client, connection)

    def _turn_out_oldest(self) -> None:
        for client, connection in self._strangers.items():
            self._turn_out(client, connection)
            return

    def _turn_out(self, client: Address, connection: socket.socket) -> None:
        """Close the connection of a stranger, unless it has been let in, or is another by now."""
        if self._strangers.get(client) is not connection:
            return
        cycle = getattr(self._protocols.get(client), "cycle", None)
        self.let_in(client)
        if cycle is None or cycle.response_complete:
            # Its transport notices, and closes it
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
