"""What becomes of the online half when a feature group is created, changed, cleared or deleted.

The online half has a database of its own. It is changed first, inside the transaction of the
metadata, so a group that exists has its table; what a broken-off creation leaves is taken over by
the group that gets its id, or removed when a server starts; see recovery.py.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

from local_hopsworks import unfinished
from local_hopsworks.errors import NotFound
from local_hopsworks.http.calls import Call
from local_hopsworks.jobs import jobs
from local_hopsworks.offline import history
from local_hopsworks.online import creation, topics, writes
from local_hopsworks.online.clearing import CLEAR
from local_hopsworks.online.online_table import Table, table_of
from local_hopsworks.online.store import OnlineStore, OnlineStores
from local_hopsworks.online.types import online_type

_STREAM = "streamFeatureGroupDTO"
_MATERIALISE = "local_hopsworks.online.materialise"


def is_stream(group: dict[str, Any]) -> bool:
    """Whether the rows of a group (its DTO) reach the offline table through Kafka, too."""
    return group.get("type") == _STREAM


def has_topic(group: dict[str, Any]) -> bool:
    """Whether the SDK writes the rows of a group (its DTO) to Kafka."""
    return bool(group.get("onlineEnabled")) or is_stream(group)


def described(project_id: int, group: dict[str, Any]) -> dict[str, Any]:
    """The DTO of a feature group with what it is online."""
    if not has_topic(group):
        return group
    features = [{**each, "onlineType": online_type(each)} for each in group["features"]]
    return {**group, "features": features, "onlineTopicName": _topic(project_id, group)}


def create(call: Call, group: dict[str, Any]) -> None:
    """Make the online half of a new feature group (its DTO); HopsworksError if it cannot be."""
    if not has_topic(group):
        return
    store, table = _store(call), table_in(call.project.id, group)
    if table.online:
        creation.check(table)
    with store.transaction(write=True) as db:
        store.create(db, table)
    if is_stream(group):
        jobs.of_server(call, _job(group), _MATERIALISE, f"--group {group['id']}")


def change(call: Call, group: dict[str, Any]) -> None:
    """Take over what changed of a feature group (its new DTO)."""
    if has_topic(group):
        store = _store(call)
        with store.transaction(write=True) as db:
            store.alter(db, table_in(call.project.id, group))


def delete(call: Call, group: dict[str, Any]) -> None:
    """Drop the online half of a deleted feature group, once the deletion is kept."""
    if not has_topic(group):
        return
    if is_stream(group):
        with contextlib.suppress(NotFound):  # a person may have deleted the job
            jobs.remove(call, jobs.find(call, _job(group)))
    call.after_commit.append(partial(_drop, _store(call), group["id"]))


def begin_write(call: Call, group: dict[str, Any]) -> None:
    """A client is about to write rows into a group."""
    if group.get("onlineEnabled") and not is_stream(group):
        call.remember_client()
        call.store.register()  # from now on a write of this server is under way while it lives
        with _store(call).transaction(write=True) as db:
            writes.begun(db, group["id"], call.store.id, call.client)


def end_offline_write(call: Call, group: dict[str, Any], table: Path, *, removes: bool) -> None:
    """A client has written its rows into the offline table of a group, or taken them out of it;
    the online half may follow. Rows of stream groups come from the topic, and are only removed by
    clients."""
    version = history.newest_version(table)
    if not group.get("onlineEnabled") or version is None or (is_stream(group) and not removes):
        return
    call.store.register()
    with _store(call).transaction(write=True) as db:
        writes.begun(db, group["id"], call.store.id, call.client)
        writes.note_version(db, group["id"], call.client, version, removes=removes)


def _drop(store: OnlineStore, group_id: int) -> None:
    with store.transaction(write=True) as db:
        store.drop(db, group_id)


def clear(call: Call, group: dict[str, Any]) -> None:
    """Delete all online rows of a feature group."""
    if has_topic(group):
        store = _store(call)
        with store.transaction(write=True) as db:
            store.clear(db, group["id"])


def clear_stream(call: Call, group: dict[str, Any], table: Path) -> None:
    """Delete all rows of a stream group once the transaction is kept, even if this server is
    killed right after it: the offline table, the online rows, and those in between."""
    store = _store(call)
    with store.transaction(write=False) as db:
        end = topics.next_offset(db, _topic(call.project.id, group), 0)
    unfinished.begin(call.db, call.store, CLEAR, table, end=end)
    metadata = call.hopsworks.metadata
    call.after_commit.append(partial(unfinished.finish, call.store, metadata, CLEAR, table))
    call.remove(table)


def _store(call: Call) -> OnlineStore:
    return call.hopsworks.part(OnlineStores).of(call.project.name)


def table_in(project_id: int, group: dict[str, Any]) -> Table:
    """The description of the online table of a group (its DTO). HopsworksError if it has none."""
    return table_of(group, _topic(project_id, group))


def materialization_job(name: str, version: int) -> str:
    """The name by which the SDK finds the job that materialises a stream group."""
    return f"{name}_{version}_offline_fg_materialization"


def _job(group: dict[str, Any]) -> str:
    return materialization_job(group["name"], group["version"])


def _topic(project_id: int, group: dict[str, Any]) -> str:
    """Where the SDK sends the rows: the topic that the group names, or one of its own."""
    own = f"{project_id}_{group['id']}_{group['name']}_{group['version']}_onlinefs"
    return group.get("topicName") or own
