"""Forks of a program that has logged in: told what to do, instead of hanging.

The threads of a server, of gRPC and of delta-rs are not there in a fork, and its connections are
the parent's. A fork that used them would wait for ever, and disturb the parent.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

SENTENCE = (
    "This process is a fork of one that has logged in to Hopsworks, and a login does not work in "
    "forks: start it with multiprocessing.get_context('spawn'), or log in in the forks only."
)


class _LostClient:
    """Takes the place of the SDK's client, and of its client of the query service, in a fork.
    Everything the SDK does goes through them."""

    def __init__(self, client: Any) -> None:
        # What was there stays as it is: its end would wait for threads, and take the parent's
        # certificates away
        self.client = client

    def _close(self) -> None:
        """The SDK calls it when a process ends."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(SENTENCE)


def watch() -> None:
    """Tell later forks of this process, once they use the SDK."""
    os.register_at_fork(after_in_child=_lose_clients)


def _lose_clients() -> None:
    for module, client in (
        ("hopsworks_common.client", "_client"),
        ("hsfs.core.arrow_flight_client", "_arrow_flight_instance"),
    ):
        found = sys.modules.get(module)
        if found is not None:
            setattr(found, client, _LostClient(getattr(found, client)))
