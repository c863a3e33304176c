"""What becomes of the online half when a feature group is created, changed, cleared or deleted.

The online half has a database of its own. It is changed first, inside the transaction of the
metadata, so a group that exists has its table; what a broken-off creation leaves is taken over by
the group that gets its id, or removed by `settle`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.online import online_table
from local_hopsworks.online.online_table import Table, table_of
from local_hopsworks.online.store import OnlineStore, OnlineStores
from local_hopsworks.online.types import online_type
from local_hopsworks.projects.tables import projects

STREAM = "streamFeatureGroupDTO"


def has_topic(group: dict[str, Any]) -> bool:
    """Whether the SDK writes the rows of a group (its DTO) to Kafka."""
    return bool(group.get("onlineEnabled")) or group.get("type") == STREAM


def described(project_id: int, group: dict[str, Any]) -> dict[str, Any]:
    """The DTO of a feature group with what it is online."""
    if not has_topic(group):
        return group
    features = [{**each, "onlineType": online_type(each)} for each in group["features"]]
    return {**group, "features": features, "onlineTopicName": _topic(project_id, group)}


def create(call: Call, group: dict[str, Any]) -> None:
    """Make the online half of a new feature group (its DTO); HopsworksError if it cannot be."""
    if has_topic(group):
        store = _store(call)
        with store.transaction(write=True) as db:
            store.create(db, _table(call, group))


def change(call: Call, group: dict[str, Any]) -> None:
    """Take over what changed of a feature group (its new DTO)."""
    if has_topic(group):
        store = _store(call)
        with store.transaction(write=True) as db:
            store.alter(db, _table(call, group))


def delete(call: Call, group: dict[str, Any]) -> None:
    """Drop the online half of a deleted feature group, once the deletion is kept."""
    if has_topic(group):
        store, group_id = _store(call), group["id"]

        def drop() -> None:
            with store.transaction(write=True) as db:
                store.drop(db, group_id)

        call.after_commit.append(drop)


def clear(call: Call, group: dict[str, Any]) -> None:
    """Delete all online rows of a feature group."""
    if not has_topic(group):
        return
    store = _store(call)
    with store.transaction(write=True) as db:
        table = store.find(db, group["id"])
        if table is not None:
            online_table.clear(db, table)


def settle(hopsworks: Hopsworks) -> None:
    """Remove the tables of groups that were deleted, or whose creation was broken off."""
    with hopsworks.metadata.transaction(write=False) as db:
        names = db.scalars(sa.select(projects.c.name)).all()
    for name in names:
        if hopsworks.store.online(name).exists():
            _remove_orphans(hopsworks, hopsworks.part(OnlineStores).of(name))


def _remove_orphans(hopsworks: Hopsworks, store: OnlineStore) -> None:
    with store.transaction(write=False) as db:
        tables = {table.group_id for table in store.all(db)}
    with hopsworks.metadata.transaction(write=False) as metadata:
        orphans = tables - set(metadata.scalars(sa.select(feature_groups.c.id)))
    if not orphans:
        return
    # Nobody creates a group while this transaction lasts
    with hopsworks.metadata.transaction(write=True) as metadata:
        orphans = tables - set(metadata.scalars(sa.select(feature_groups.c.id)))
        with store.transaction(write=True) as db:
            for group_id in orphans:
                store.drop(db, group_id)


def _store(call: Call) -> OnlineStore:
    return call.hopsworks.part(OnlineStores).of(call.project.name)


def _table(call: Call, group: dict[str, Any]) -> Table:
    return table_of(group, _topic(call.project.id, group))


def _topic(project_id: int, group: dict[str, Any]) -> str:
    """Where the SDK sends the rows: the topic that the group names, or one of its own."""
    own = f"{project_id}_{group['id']}_{group['name']}_{group['version']}_onlinefs"
    return group.get("topicName") or own
