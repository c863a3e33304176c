"""Start and stop the embedded Hopsworks: HTTPS and the query service over one store, on threads of
this process."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from local_hopsworks.home import StoreError, default_home
from local_hopsworks.http.app import create_app
from local_hopsworks.http.clients import Clients
from local_hopsworks.http.door import Door, allow_descriptors
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.services import discovered, kinds_of_writes
from local_hopsworks.metadata import Metadata
from local_hopsworks.pages.access import token
from local_hopsworks.projects.routes import create_project
from local_hopsworks.security import LOOPBACK, Security
from local_hopsworks.store import DEFAULT_PROJECT, Store, checked_project

START_SECONDS = 30
# The query service has the odd port after an even one. Systems give higher ones to outgoing
# connections: one of these could have the query service's when a server comes back after a restart.
PORTS = range(20_000, 32_768, 2)
# The SDK sleeps 5 s inside Model.save and then speaks on the same connection; uvicorn's default is
# to close it after 5.
KEEP_ALIVE_SECONDS = 3600


class _HttpServer(uvicorn.Server):
    """Keeps few connections that have not shown the key, and stops at once. uvicorn keeps all, and
    waits for clients to answer the end of TLS, which idle ones never do."""

    door: Door | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        assert self.config.ssl is not None
        self.door = Door(self.config.ssl, self._new_protocol)
        for listener in sockets or []:
            self.door.open(listener)

    def _new_protocol(self) -> asyncio.Protocol:
        protocol_class: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.door is not None:
            self.door.close()
        self._cut(lambda connection: not _is_asked(connection))
        await super().shutdown(sockets)
        self._cut(lambda connection: True)
        await asyncio.sleep(0.01)  # until the event loop has closed them

    def _cut(self, chosen: Callable[[Any], bool]) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None and chosen(connection):
                connection.transport.abort()


def _is_asked(connection: Any) -> bool:
    """Whether a request is being read or answered on a connection of uvicorn's."""
    return connection.cycle is not None and not connection.cycle.response_complete


class Server:
    """An embedded Hopsworks over the store in `home`, with `project` in it.

    Use it as a context manager, or `start()` and `stop()`. It listens on `host` only: HTTPS on
    `port` (0: one that is free), the query service on another free one. Several servers, of one
    process or many, may share a store. Clients on this machine keep their certificates in the
    folder `certificates` (default: one that ends with the server).
    """

    def __init__(
        self,
        home: Path | str | None = None,
        project: str = DEFAULT_PROJECT,
        port: int = 0,
        host: str = LOOPBACK,
        certificates: Path | None = None,
    ) -> None:
        self.host = host
        self.process = os.getpid()
        self.project = checked_project(project)
        self.store = Store(Path(home) if home else default_home())
        self.store.protect()
        self._security = Security(self.store.security, self.store.new_draft, host)
        self._metadata = Metadata(self.store.metadata_file)
        with self._metadata.transaction(write=True) as db:
            create_project(db, self.store, self.project)
        self._socket = self._listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._services = discovered()
        self._hopsworks = Hopsworks(
            self.store,
            self._metadata,
            self._security,
            host,
            self.port,
            self.project,
            {name: value for each in self._services for name, value in each.variables.items()},
            [each.on_login for each in self._services if each.on_login is not None],
            kinds_of_writes(self._services),
            Clients(self._connections, self._let_in),
            certificates or self.store.server / "certificates",
        )
        self._http = _HttpServer(self._configuration())
        self._thread = threading.Thread(
            target=self._http.run,
            kwargs={"sockets": [self._socket]},
            name="hopsworks-rest",
            daemon=True,
        )

    def _configuration(self) -> uvicorn.Config:
        return uvicorn.Config(
            create_app(self._hopsworks, self._services),
            ssl_certfile=str(self._security.file("server.pem")),
            ssl_keyfile=str(self._security.file("server.key")),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
        )

    def _listen(self, port: int) -> socket.socket:
        """A socket on `port`; for 0 on the port this store had last, so that links printed then
        still work, or one of PORTS, or any."""
        last = self.store.last_port
        # The program's own random numbers stay as it seeded them
        some = random.SystemRandom().sample(PORTS, 16)
        for candidate in [port] if port else [last or some[0], *some, 0]:
            # asyncio spares answers Nagle's delay of 40 ms only on sockets that say they are TCP
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, candidate))
                listener.listen(128)  # only now is the port taken: two sockets may be bound to it
            except OSError as error:
                listener.close()
                problem = (
                    f"Port {candidate} of {self.host} cannot be used ({error.strerror}); "
                    "choose another with --port."
                )
            else:
                self.store.last_port = last or listener.getsockname()[1]
                return listener
        raise StoreError(problem)

    @property
    def address(self) -> str:
        """Where it is reached: https://127.0.0.1:port."""
        return self._hopsworks.address

    @property
    def api_key(self) -> str:
        """The store's API key."""
        return self._security.api_key

    @property
    def page(self) -> str:
        """The address of the overview page, with the token that lets a browser in."""
        return f"{self.address}/p/?token={token(self._security)}"

    @property
    def environment(self) -> dict[str, str]:
        """The SDK's own environment variables; with them a plain `hopsworks.login()` comes here."""
        return self._hopsworks.environment(self.project)

    def start(self) -> Server:
        """Answer requests from now on, until `stop()` or the end of the process."""
        self.store.register()
        allow_descriptors()
        self._recover()
        atexit.register(self.store.close)
        self._thread.start()
        waited = threading.Event()
        for _ in range(START_SECONDS * 100):
            if self._http.started:
                return self
            if not self._thread.is_alive():
                break
            waited.wait(0.01)
        raise StoreError(f"The embedded Hopsworks did not start on {self.address}.")

    def _recover(self) -> None:
        """Settle what servers that were killed left behind."""
        for service in self._services:
            if service.on_start is not None:
                service.on_start(self._hopsworks)
        self._hopsworks.writes.settle(self.store, self._metadata)
        for folder in self.store.dead_servers():
            self.store.sweep(folder)

    def _let_in(self, client: tuple[str, int]) -> None:
        if self._http.door is not None:
            self._http.door.let_in(client)

    def _connections(self) -> dict[tuple[str, int], bool]:
        """The clients' ends of all open connections, and whether a request is under way there."""
        # They are the event loop's; a copy is made at once
        connections: list[Any] = list(self._http.server_state.connections.copy())
        return {
            connection.client: _is_asked(connection)
            for connection in connections
            if getattr(connection, "client", None)
        }

    def run_schedules(self) -> None:
        """Do what services do beside answering, such as starting the jobs of the store when they
        are due, until the server stops."""
        for service in self._services:
            if service.on_serve is not None:
                service.on_serve(self._hopsworks)

    def stop(self) -> None:
        """Stop answering, at most a second after requests under way."""
        self._http.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()
        self._hopsworks.stop()
        self.store.close()
        self._metadata.close()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
