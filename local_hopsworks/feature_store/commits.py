"""What a client tells of its writes into a feature group's table: it is about to insert or to
overwrite, it has committed."""

from __future__ import annotations

import logging
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import unfinished
from local_hopsworks.errors import NotEmbedded
from local_hopsworks.feature_store.feature_groups import PATH, document, find, table
from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.http import times
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.offline import delta, delta_log, history
from local_hopsworks.offline.compaction import Writers, compact_if_due
from local_hopsworks.online import feature_groups as online
from local_hopsworks.online.clearing import CLEAR, clear_online
from local_hopsworks.store import Store, cleared

_log = logging.getLogger("local_hopsworks")
routes = Routes()
_COMMITTED_BEFORE = re.compile(r"commited_on_ltoeq:(-?[0-9]{1,18})")  # spelled as the SDK spells it


def put_back_cleared_rows(store: Store, table: Path) -> None:
    """Put back the rows that an overwrite cleared, unless the new ones are there."""
    earlier = cleared(table)
    if not earlier.exists():
        return
    if delta.has_commits(table):
        clear_online(store, table)  # as the server does when it hears of the new rows
        store.remove(earlier)
    else:
        store.remove(table)
        os.rename(earlier, table)
        _log.warning("An overwrite of %s was broken off; its earlier rows are back.", table.name)


# Rows are cleared, and the new ones not written: the old ones come back
OVERWRITE = unfinished.Write(
    "overwrite",
    lambda db, store, path, facts: put_back_cleared_rows(store, path),
    by_client=True,
)


@routes.add("POST", PATH + "/{id}/clear")
def clear(call: Call) -> Answer:
    """The first half of `insert(overwrite=True)`: the client writes a new table afterwards."""
    row = find(call, call.integer("id"))
    folder, group = table(call, row), document(call, row)
    if online.is_stream(group):  # of which the client writes neither half itself
        online.clear_stream(call, group, folder)
        _set_written(call, row, False)
    else:
        call.begin(OVERWRITE, folder)
        call.after_commit.append(partial(_clear, call.store, folder))
    return None


def _clear(store: Store, folder: Path) -> None:
    """The rows wait beside the table until the new ones are there; until then they are what is
    read."""
    if delta.has_commits(folder):
        store.remove(cleared(folder))  # of an overwrite after which the client was killed
        os.rename(folder, cleared(folder))


def overwriting(call: Call, row: sa.Row[Any]) -> set[str]:
    """The clients that have cleared a feature group and not written new rows yet."""
    notes = unfinished.of(call.db, call.store, OVERWRITE, table(call, row))
    return {note.client for note in notes}


def end_overwrite(call: Call, row: sa.Row[Any]) -> None:
    """An overwrite has got so far that the earlier rows are gone, offline and online."""
    folder = table(call, row)
    if overwriting(call, row):
        online.clear(call, document(call, row))
        unfinished.end(call.db, call.store, OVERWRITE, folder)
    call.remove(cleared(folder))


def begin_insert(call: Call, row: sa.Row[Any]) -> None:
    """The client is about to write into the table: from now on it is not compacted, and the online
    half may come to lack rows."""
    if call.is_remote:  # the rows would end on the client's own disk
        raise NotEmbedded(
            "inserting from another machine, as the SDK writes tables itself",
            "Run the program on the machine of the embedded Hopsworks.",
        )
    _undo_broken_overwrite(call, row)
    call.hopsworks.part(Writers).begin(call.client, table(call, row))
    online.begin_write(call, document(call, row))


def _undo_broken_overwrite(call: Call, row: sa.Row[Any]) -> None:
    """The rows that an overwrite cleared come back, if it was broken off."""
    folder = table(call, row)
    if not cleared(folder).exists():
        return
    with call.hopsworks.metadata.transaction(write=True) as db:
        for note in unfinished.of(db, call.store, OVERWRITE, folder):
            # a client that asks before an insert is not in the middle of another
            is_alive = call.hopsworks.clients.is_alive
            is_broken = unfinished.is_broken(call.store, note, OVERWRITE, is_alive)
            if note.client == call.client or is_broken:
                unfinished.settle(db, call.store, note, OVERWRITE)


def settle_broken_writes(call: Call, row: sa.Row[Any]) -> None:
    """Finish or undo what a killed server or client has left half cleared, before rows come that
    must stay."""
    is_alive = call.hopsworks.clients.is_alive
    for kind in (OVERWRITE, CLEAR):
        for note in unfinished.of(call.db, call.store, kind, table(call, row)):
            if unfinished.is_broken(call.store, note, kind, is_alive):
                unfinished.settle(call.db, call.store, note, kind)


@routes.add("POST", PATH + "/{id}/commits")
def commit(call: Call) -> Answer:
    """The client tells what it wrote. Nothing of it is kept: the table's log knows, even if the
    client died first."""
    row, body = find(call, call.integer("id")), call.document
    end_overwrite(call, row)
    call.hopsworks.part(Writers).end(call.client, table(call, row))
    # What was inserted survives a power cut from now on
    call.after_commit.append(partial(delta_log.flush, table(call, row)))
    call.after_commit.append(partial(compact_if_due, table(call, row)))
    _set_written(call, row, True)
    removes = bool(body.get("rowsDeleted"))
    online.end_offline_write(call, document(call, row), table(call, row), removes=removes)
    return {
        **body,
        "commitID": body.get("commitTime"),
        "href": call.href(
            f"/project/{row.parent_id}/featurestores/{row.parent_id}/featuregroups/{row.id}/commits"
        ),
    }


def _set_written(call: Call, row: sa.Row[Any], written: bool) -> None:
    """Whether a missing table is a fault."""
    if bool(row.document.get("written")) != written:
        changed = {**row.document, "written": written}
        same = feature_groups.c.id == row.id
        call.db.execute(feature_groups.update().where(same).values(document=changed))


@routes.add("GET", PATH + "/{id}/commits", options=["sort_by", "offset", "limit", "filter_by"])
def commits(call: Call) -> Answer:
    """The commits of a table, newest first, or those up to a time."""
    group = document(call, find(call, call.integer("id")))
    wanted = call.option("filter_by")
    before = _COMMITTED_BEFORE.fullmatch(wanted or "")
    if wanted and not before:
        raise NotEmbedded(f"commits chosen by {wanted[:80]!r}")
    until = times.meant(int(before[1])) if before else None
    found = history.commits(group["location"], until=until)
    return {"count": len(found), "items": found[call.page()]}
