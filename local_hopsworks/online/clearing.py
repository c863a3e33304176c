"""Clearing the online half of a feature group where no request is at hand."""

from __future__ import annotations

import contextlib
from pathlib import Path

from local_hopsworks import unfinished
from local_hopsworks.store import Store


def clear_online(store: Store, table: Path, end: int | None = None) -> None:
    """Clear the online half of the feature group that has this offline table; see
    `OnlineStore.clear`."""
    project, group_id = table.parent.name, int(table.name.rpartition("_")[2])
    file = store.online(project)
    if not file.exists():
        return
    from local_hopsworks.online.store import OnlineStore  # which most programs need not load

    with contextlib.closing(OnlineStore(file)) as online, online.transaction(write=True) as db:
        online.clear(db, group_id, end)


# The offline rows of a stream group are gone, and the online ones not yet: they go too
CLEAR = unfinished.Write(
    "clear", lambda db, store, path, facts: clear_online(store, path, facts["end"])
)
