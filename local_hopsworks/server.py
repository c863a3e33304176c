"""Start and stop the embedded Hopsworks: HTTPS and the query service over one store, on threads of
this process."""

from __future__ import annotations

import asyncio
import atexit
import logging
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import uvicorn

from local_hopsworks import unfinished
from local_hopsworks.feature_store import queries, training_datasets
from local_hopsworks.http.app import create_app
from local_hopsworks.http.clients import Clients
from local_hopsworks.http.routing import Service
from local_hopsworks.jobs import schedules as job_schedules
from local_hopsworks.jobs.runner import Runner
from local_hopsworks.metadata import Metadata
from local_hopsworks.offline.compaction import Writers
from local_hopsworks.pages.pages import token
from local_hopsworks.projects.routes import create_project
from local_hopsworks.security import LOOPBACK, Security
from local_hopsworks.store import DEFAULT_PROJECT, Store, StoreError, checked_project, default_home

if TYPE_CHECKING:
    from local_hopsworks.offline.service import QueryService

START_SECONDS = 30
# The query service has the odd port after an even one. Systems give higher ones to outgoing
# connections: one of these could have the query service's when a server comes back after a restart.
PORTS = range(20_000, 32_768, 2)
# The SDK sleeps 5 s inside Model.save and then speaks on the same connection; uvicorn's default is
# to close it after 5.
KEEP_ALIVE_SECONDS = 3600


class _HttpServer(uvicorn.Server):
    """Stops at once. uvicorn waits for clients to answer the end of TLS, which idle ones never
    do."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._cut(lambda connection: connection.cycle is None or connection.cycle.response_complete)
        await super().shutdown(sockets)
        self._cut(lambda connection: True)
        await asyncio.sleep(0.01)  # until the event loop has closed them

    def _cut(self, chosen: Callable[[Any], bool]) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None and chosen(connection):
                connection.transport.abort()


class Server:
    """An embedded Hopsworks over the store in `home`, with `project` in it.

    Use it as a context manager, or `start()` and `stop()`. It listens on `host` only: HTTPS on
    `port` (0: one that is free), the query service on another free one. Several servers, of one
    process or many, may share a store.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        project: str = DEFAULT_PROJECT,
        port: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        self.host = host
        self.project = checked_project(project)
        self.store = Store(Path(home) if home else default_home())
        self._security = Security(self.store.security, self.store.new_draft, host)
        self._metadata = Metadata(self.store.metadata_file)
        with self._metadata.transaction(write=True) as db:
            create_project(db, self.store, self.project)
        self._socket = self._listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._runner = Runner(self.store, self._metadata)
        self._service = Service(
            self.store,
            self._metadata,
            self._security,
            self.address,
            self._environment,
            self._query_service_address,
            self._runner,
            Clients(self._connections),
            Writers(),
        )
        self._query_service: QueryService | None = None
        self._query_service_lock = threading.Lock()
        config = uvicorn.Config(
            create_app(self._service),
            ssl_certfile=str(self._security.file("server.pem")),
            ssl_keyfile=str(self._security.file("server.key")),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
        )
        self._http = _HttpServer(config)
        self._thread = threading.Thread(
            target=self._http.run,
            kwargs={"sockets": [self._socket]},
            name="hopsworks-rest",
            daemon=True,
        )

    def _listen(self, port: int) -> socket.socket:
        """A socket on `port`; for 0 on the port this store had last, so that links printed then
        still work, or one of PORTS, or any."""
        last = self.store.last_port
        some = random.SystemRandom().sample(
            PORTS, 16
        )  # the program's own random numbers stay as it seeded them
        for candidate in [port] if port else [last or some[0], *some, 0]:
            # asyncio spares answers Nagle's delay of 40 ms only on sockets that say they are TCP
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, candidate))
                listener.listen(128)  # only now is the port taken: two sockets may be bound to it
            except OSError as error:
                listener.close()
                problem = f"Port {candidate} of {self.host} cannot be used ({error.strerror}); choose another with --port."
            else:
                self.store.last_port = last or listener.getsockname()[1]
                return listener
        raise StoreError(problem)

    @property
    def address(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def api_key(self) -> str:
        return self._security.api_key

    @property
    def page(self) -> str:
        """The address of the overview page, with the token that lets a browser in."""
        return f"{self.address}/p/?token={token(self._service)}"

    @property
    def environment(self) -> dict[str, str]:
        """The SDK's own environment variables; with them a plain `hopsworks.login()` comes here."""
        return self._environment(self.project)

    def _environment(self, project: str) -> dict[str, str]:
        return {
            "HOPSWORKS_HOST": self.host,
            "HOPSWORKS_PORT": str(self.port),
            "HOPSWORKS_PROJECT": project,
            "HOPSWORKS_API_KEY": self.api_key,
        }

    def _query_service_address(self) -> str:
        """host:port of the query service, started when a client first asks: who only downloads
        never pays for it."""
        with self._query_service_lock:
            if self._query_service is None:
                from local_hopsworks.offline.service import QueryService

                self._query_service = QueryService(
                    self.host,
                    self._query_service_port(),
                    self._security,
                    lambda ticket: queries.plan_ticket(self._service, ticket),
                    lambda path: self.store.dataset(self.project, path),
                    lambda ticket, view, view_version, version: (
                        training_datasets.materialise_ticket(
                            self._service, ticket, view, view_version, version
                        )
                    ),
                )
                atexit.register(self._query_service.close)
        return f"{self.host}:{self._query_service.port}"

    def _query_service_port(self) -> int:
        """The port after ours, where a client of before a restart looks for it; 0, any, if that is
        taken."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port + 1))
                probe.listen()
            except (OSError, OverflowError):
                return 0
        return self.port + 1

    def start(self) -> Server:
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
        self._runner.recover()
        unfinished.settle(self.store, self._metadata)
        for folder in self.store.dead_servers():
            self.store.sweep(folder)

    def _connections(self) -> set[tuple[str, int]]:
        connections = (
            self._http.server_state.connections.copy()
        )  # the event loop's; a copy is made at once
        return {
            client for connection in connections if (client := getattr(connection, "client", None))
        }

    def run_schedules(self) -> None:
        """Start the jobs of the store when they are due, until the server stops."""
        self._runner.every(1, lambda: job_schedules.run_due(self._service))

    def stop(self) -> None:
        """Stop answering, at most a second after requests under way."""
        self._http.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()
        if self._query_service is not None:
            atexit.unregister(self._query_service.close)
            self._query_service.close()
        self._runner.stop()
        self._service.writers.stop()
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
