"""Where is searched: a project, or all of them, with the documents that the services tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from local_hopsworks.http.calls import Call
from local_hopsworks.projects.tables import projects
from local_hopsworks.search.documents import Document


@dataclass(frozen=True)
class Place:
    """A project that is searched; the call's path names it."""

    call: Call

    def documents(self) -> Iterator[Document]:
        """All that can be found in it."""
        from local_hopsworks.pages.pages import Rooms  # only who searches need wait for it

        return self.call.hopsworks.part(Rooms).documents(self.call)


def everywhere(call: Call) -> list[Place]:
    """All projects, by name."""
    rows = call.db.execute(projects.select().order_by(projects.c.name))
    return [Place(replace(call, path={"project": str(row.id)})) for row in rows]
