"""What the feature server reads for a feature view: which keys of which groups, and where in the
vector their features go."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from starlette.datastructures import QueryParams

from local_hopsworks.errors import NotFound
from local_hopsworks.feature_store import feature_views
from local_hopsworks.feature_store.view_schema import LABEL, ViewSchema, schema
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.projects.errors import FEATURE_STORE_NOT_FOUND
from local_hopsworks.projects.tables import projects

MOST_KEPT = 1000  # feature views, or groups of them, that are remembered
Entry = dict[str, Any]  # values by the names of keys


@dataclass(frozen=True)
class GroupRead:
    """One of the feature groups of a view."""

    group_id: int
    key: tuple[str, ...]  # what its keys are called in an entry, in their order in the group
    features: tuple[str, ...]  # what is read of it
    positions: tuple[int, ...]  # of those in the vector


@dataclass(frozen=True)
class ViewRead:
    """A feature view: everything of it but its labels."""

    project: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    keys: frozenset[str]  # what an entry can have
    groups: tuple[GroupRead, ...]
    offline_groups: tuple[str, ...]  # names of those that are not online


class ViewReads:
    """The feature views that were asked for, as the metadata has them now;
    `hopsworks.part(ViewReads)`."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._hopsworks = hopsworks
        self._known: dict[tuple[str, str, int], ViewRead] = {}
        self._metadata = sqlite3.connect(
            f"file:{hopsworks.store.metadata_file}?mode=ro", uri=True, check_same_thread=False
        )
        self._state = 0
        self._lock = threading.Lock()

    def find(self, feature_store: str, name: str, version: int) -> ViewRead:
        """The view of this name in a project's feature store; raises NotFound."""
        key = (feature_store, name, version)
        with self._lock:
            # The pragma tells whether any other connection, of any process, has committed since
            (state,) = self._metadata.execute("PRAGMA data_version").fetchone()
            if state != self._state or len(self._known) >= MOST_KEPT:
                self._known.clear()
                self._state = state
            if key not in self._known:
                self._known[key] = self._look_up(feature_store, name, version)
            return self._known[key]

    def stop(self) -> None:
        """Close the connection; the server calls this when it stops."""
        self._metadata.close()

    def _look_up(self, feature_store: str, name: str, version: int) -> ViewRead:
        with self._hopsworks.metadata.transaction(write=False) as db:
            project = db.scalar(sa.select(projects.c.id).where(projects.c.name == feature_store))
            if project is None:
                message = f"There is no feature store {feature_store[:80]!r}."
                raise NotFound(message, FEATURE_STORE_NOT_FOUND)
            path = {"project": str(project), "name": name, "version": str(version)}
            call = Call(self._hopsworks, db, path, QueryParams(), None)
            return view_read(call, schema(call, feature_views.find(call)))


def view_read(call: Call, view: ViewSchema) -> ViewRead:
    """What is read of a view."""
    features = [feature for feature in view.features if not feature.has(LABEL)]
    groups = []
    for table in range(len(view.plan.tables)):
        own = [at for at, feature in enumerate(features) if feature.column.table == table]
        keys = {key.name: key.entry for key in view.serving_keys if key.table == table}
        if own:
            groups.append(
                GroupRead(
                    view.group(table)["id"],
                    tuple(keys[each] for each in view.primary_key(table)),
                    tuple(features[at].column.name for at in own),
                    tuple(own),
                )
            )
    return ViewRead(
        call.project.name,
        tuple(feature.name for feature in features),
        tuple(feature.column.type for feature in features),
        frozenset(key.entry for key in view.serving_keys),
        tuple(groups),
        tuple(group["name"] for group in view.groups.values() if not group.get("onlineEnabled")),
    )
