"""One running Hopsworks: what all its requests share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from local_hopsworks import environment
from local_hopsworks.http.clients import Clients
from local_hopsworks.metadata import Metadata
from local_hopsworks.security import Security
from local_hopsworks.store import Store
from local_hopsworks.unfinished import WriteKinds


class Part(Protocol):
    """An object that a service keeps per running Hopsworks. It may have a method `stop()`."""

    def __init__(self, hopsworks: Hopsworks) -> None: ...


SomePart = TypeVar("SomePart", bound=Part)


class _Parts:
    """The parts that were made, in the order in which they were."""

    def __init__(self) -> None:
        self._made: dict[type[Any], Any] = {}
        self._locks: dict[type[Any], threading.RLock] = {}
        self._mutex = threading.Lock()

    def of(self, kind: type[SomePart], hopsworks: Hopsworks) -> SomePart:
        with self._mutex:
            lock = self._locks.setdefault(kind, threading.RLock())
        with lock:  # of this kind only: a part may take a second to start, others need not wait
            if kind not in self._made:
                self._made[kind] = kind(hopsworks)
            made: SomePart = self._made[kind]
            return made

    def stop(self) -> None:
        for part in reversed(list(self._made.values())):
            if hasattr(part, "stop"):
                part.stop()


@dataclass(frozen=True)
class Hopsworks:
    """The store, the metadata and the keys of one server, and the parts of its services."""

    store: Store
    metadata: Metadata
    security: Security
    host: str
    port: int
    project: str  # of the programs that log in without naming one
    variables: Mapping[str, Variable]
    on_login: Sequence[Callable[[Hopsworks], None]]  # what services do when a program logs in
    writes: WriteKinds  # that may be broken off
    clients: Clients
    certificates: Path  # the folder for those of clients; see environment.py
    _parts: _Parts = field(default_factory=_Parts)

    @property
    def address(self) -> str:
        """Where it is reached: https://127.0.0.1:port."""
        return f"https://{self.host}:{self.port}"

    def environment(self, project: str) -> dict[str, str]:
        """The SDK's own variables; with them a plain `hopsworks.login()` comes here."""
        return environment.variables(
            self.host,
            self.port,
            project,
            self.security.api_key,
            self.security.file("ca.pem"),
            self.certificates,
        )

    def hand_out_certificates(self) -> None:
        """See that a client finds those it needs now; on another machine it has its own."""
        if environment.is_loopback(self.host):
            self.security.hand_out(self.certificates)

    def part(self, kind: type[SomePart]) -> SomePart:
        """The object of this class that belongs to this Hopsworks: `kind(hopsworks)`, made when it
        is first asked for, and stopped with the server if it has a method `stop()`."""
        return self._parts.of(kind, self)

    def stop(self) -> None:
        """Stop the parts, the latest first."""
        self._parts.stop()


# The value of a cluster variable, for the client (see clients.py) that asks
Variable = Callable[[Hopsworks, str], str]
