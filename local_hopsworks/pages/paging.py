"""Long lists a page at a time: which of the things are shown, and how to get to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

import sqlalchemy as sa

_LAST = 10**12  # no list is longer
_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Window:
    """The things from `start` on, `size` of them at most."""

    start: int
    size: int
    name: str  # of the parameter in the address that says where to start
    others: tuple[tuple[str, str], ...]  # the other parameters of the address

    @classmethod
    def asked(cls, query: Mapping[str, str], size: int, name: str = "from") -> Window:
        """What the parameters of an address ask for; what cannot be meant is the beginning."""
        text = query.get(name, "")
        start = int(text) if text.isascii() and text.isdigit() and len(text) < 13 else 0
        others = tuple((key, value) for key, value in query.items() if key != name)
        return cls(min(start, _LAST), size, name, others)

    def containing(self, position: int) -> Window:
        """The window with the thing at this position, among windows of the same size."""
        return replace(self, start=position // self.size * self.size)

    @property
    def end(self) -> int:
        """The place after the last."""
        return self.start + self.size

    def of(self, things: Sequence[_Thing]) -> Sequence[_Thing]:
        """Those of the things that are in the window."""
        return things[self.start : self.end]

    @property
    def before(self) -> str | None:
        """The parameters of the page before, if there is one."""
        return self._at(max(0, self.start - self.size)) if self.start else None

    def after(self, total: int) -> str | None:
        """The parameters of the page after, if there is one."""
        return self._at(self.end) if self.end < total else None

    def _at(self, start: int) -> str:
        return "?" + urlencode([*self.others, (self.name, str(start))])


def paged(
    db: sa.Connection, query: sa.Select[Any], window: Window
) -> tuple[list[sa.Row[Any]], int]:
    """The rows of a query that are in a window, and how many it has altogether."""
    rows = db.execute(query.offset(window.start).limit(window.size)).all()
    total = db.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery()))
    return list(rows), total or 0
