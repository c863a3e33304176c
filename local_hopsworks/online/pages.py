"""The page of the online store: which feature groups are online, with how many rows, and how the
latest inserts went."""

from __future__ import annotations

import sqlite3
from typing import Any

from local_hopsworks.http.calls import Call
from local_hopsworks.online import ingestions, online_table
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.store import OnlineStores
from local_hopsworks.pages.pages import Listing, Pages, address
from local_hopsworks.pages.paging import Window

pages = Pages()


@pages.section(
    "Online store",
    "/{project}/online",
    "online/templates/online.html",
    empty="No feature group is online. create_feature_group(…, online_enabled=True) makes one so.",
    place=7,
)
def online(call: Call, window: Window) -> Listing:
    """The online feature groups of a project."""
    if not call.store.online(call.project.name).exists():  # looking makes none
        return Listing([], 0)
    store = call.hopsworks.part(OnlineStores).of(call.project.name)
    with store.transaction(write=False) as db:
        tables = [table for table in store.all(db) if table.online]
        tables.sort(key=lambda table: (table.name, table.version))
        return Listing([_listed(call, db, table) for table in window.of(tables)], len(tables))


def _listed(call: Call, db: sqlite3.Connection, table: Table) -> dict[str, Any]:
    latest = ingestions.latest(db, table.group_id)
    return {
        "title": f"{table.name} {table.version}",
        "address": address(call.project.id, "fs", call.project.id, "fg", table.group_id),
        "rows": online_table.count(db, table),
        "key": ", ".join(column.name for column in table.key),
        "latest": latest.results() if latest else {},
        "ttl": table.ttl,
    }
