"""Bookmarks, a service that only test_services.py knows: it is copied into the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from local_hopsworks.bookmarks.tables import bookmarks

from local_hopsworks.faults import Fault
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store
from local_hopsworks.unfinished import Facts, Write

routes = Routes()


class Counter:
    """How often bookmarks were asked for."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self.asked = 0

    def stop(self) -> None:
        """Print how often it was, when the server stops."""
        print(f"asked {self.asked} times")


@routes.add("POST", "/project/{project}/bookmarks", body={"path!": str})
def create(call: Call) -> Answer:
    """Keep a bookmark."""
    call.db.execute(bookmarks.insert().values(path=call.document["path"]))
    return None


@routes.add("GET", "/project/{project}/bookmarks")
def get(call: Call) -> Answer:
    """All bookmarks."""
    call.hopsworks.part(Counter).asked += 1
    return list(call.db.scalars(sa.select(bookmarks.c.path)))


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """Every bookmark is one."""
    with metadata.transaction(write=False) as db:
        for path in db.scalars(sa.select(bookmarks.c.path)):
            yield Fault(f"There is a bookmark of {path}.", "Read it.")


def settle(db: sa.Connection, store: Store, path: Path, facts: Facts) -> None:
    """Say that the writing of a bookmark was broken off."""
    print(f"{facts['word']} {path.name}")


BOOKMARK = Write("bookmark", settle)

SERVICE = ServiceDescription(
    routes=routes,
    refuses={r"/bookmarks/": "folders of bookmarks"},
    variables={"bookmarks": lambda hopsworks, client: "few"},
    check=faults,
    writes=[BOOKMARK],
)
