"""Ports that a test must be sure of while other tests start servers beside it."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator

# Servers choose theirs from 20,000 on, and the system gives away those from 32,768 on: below, a
# worker of pytest-xdist has a thousand of its own
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 9
_OWN = itertools.cycle(range(10_000 + 1000 * _WORKER, 11_000 + 1000 * _WORKER, 2))


def steady() -> int:
    """A port for a server that is stopped and started again on it: nobody takes it meanwhile."""
    for port in _OWN:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port on which nobody listens, and which nobody else gets."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
