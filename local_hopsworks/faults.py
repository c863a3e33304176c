"""What `local_hopsworks check` reports; each service says in its `service.py` what it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`what` is wrong and where; `remedy` is what `repair` does, or without one what the reader can
    do."""

    what: str
    remedy: str
    repair: Callable[[], object] | None = None

    def __str__(self) -> str:
        return f"{self.what} {'With --repair: ' if self.repair else ''}{self.remedy}"
