"""Feature vectors of a view: the rows of its feature groups by key, in the order of its
features."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.http.failures import explained
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.online import json_values, online_table
from local_hopsworks.online.json_values import ToJson
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.store import OnlineStore, OnlineStores
from local_hopsworks.online.view_reads import MOST_KEPT, Entry, GroupRead, ViewRead
from local_hopsworks.projects.errors import FEATURE_STORE_NOT_FOUND

FOUND, NO_KEY, NOT_FOUND = 200, 400, 404  # of a feature group, as HTTP has them
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TEXTS = ("string", "date", "binary")


class Refused(HopsworksError):
    """An error as RonDB's REST server has it: a code, the reason that goes with it, and a
    sentence."""

    def __init__(self, message: str, code: int, reason: str, status: int = 400) -> None:
        super().__init__(message, code, status)
        self._reason = reason

    def document(self) -> dict[str, object]:
        """The JSON body."""
        return {"code": self.code, "reason": self._reason, "message": self.message}


def no_view(error: HopsworksError) -> Refused:
    """For a view, or its feature store, that is not there."""
    if error.code == FEATURE_STORE_NOT_FOUND:
        return Refused(error.message, 2, "Feature store does not exist.", 404)
    return Refused(error.message, 1, "Feature view does not exist.", 404)


def not_online(names: tuple[str, ...]) -> Refused:
    """For a view with feature groups that are not kept online."""
    message = f"The feature view has {', '.join(names)}, which is not online enabled."
    return Refused(message, 3, "Feature group does not exist.", 404)


def _wrong_key(message: str) -> Refused:
    return Refused(message, 12, "Incorrect primary key.")


def wrong_feature(message: str) -> Refused:
    """For features that were passed and do not fit the view."""
    return Refused(message, 13, "Incorrect passed feature.")


@dataclass(frozen=True)
class Vector:
    """What is answered for one entry."""

    features: list[Any]
    statuses: list[int]  # one for each of the view's feature groups

    @property
    def status(self) -> str:
        """Whether all of it was found."""
        return "COMPLETE" if set(self.statuses) <= {FOUND} else "MISSING"


@dataclass(frozen=True)
class TableRead:
    """A feature group of a view with its online table as it is now."""

    group: GroupRead
    table: Table
    forms: tuple[ToJson, ...]  # how the values of the features are written

    def stored_key(self, entry: Entry) -> tuple[Any, ...]:
        """The values of the keys in an entry, as the table holds them; raises Refused."""
        columns = zip(self.table.key, self.group.key, strict=True)
        try:
            return tuple([column.stored(entry[name]) for column, name in columns])
        except HopsworksError as error:
            raise _wrong_key(error.message) from error


class GroupTables:
    """The tables that were read; `hopsworks.part(GroupTables)`."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._known: dict[tuple[OnlineStore, int, GroupRead], TableRead] = {}

    def find(self, store: OnlineStore, db: sqlite3.Connection, group: GroupRead) -> TableRead:
        """The table of a group, looked up again after any table was changed; raises Refused."""
        key = (store, store.state(db), group)
        read = self._known.get(key)
        if read is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            read = self._known[key] = self._look_up(store, db, group)
        return read

    @staticmethod
    def _look_up(store: OnlineStore, db: sqlite3.Connection, group: GroupRead) -> TableRead:
        table = store.find(db, group.group_id)
        if table is None:
            raise not_online((f"a feature group with id {group.group_id}",))
        forms = [json_values.to_json(table.column(name)) for name in group.features]
        return TableRead(group, table, tuple(forms))


def vectors(
    hopsworks: Hopsworks,
    view: ViewRead,
    entries: list[Entry],
    passed: list[dict[str, Any]],
    validate: bool,
) -> list[Vector]:
    """The vectors of entries. What was `passed` along with an entry takes the place of what is
    stored; with `validate` it must have the type of its feature. Raises Refused."""
    for entry in entries:
        _check_entry(view, entry)
    found = [Vector([None] * len(view.names), []) for _ in entries]
    store = hopsworks.part(OnlineStores).of(view.project)
    try:
        with store.transaction(write=False) as db:
            for group in view.groups:
                _read_group(hopsworks.part(GroupTables).find(store, db, group), db, entries, found)
    except sqlite3.Error as error:
        failure = explained(error, "a look-up of feature vectors", hopsworks.store)
        reason = "Reading from db failed."
        raise Refused(failure.message, 14, reason, failure.status) from error
    positions = {name: position for position, name in enumerate(view.names)}
    for vector, entry, own in zip(found, entries, passed, strict=True):
        for name, value in entry.items():  # a key is known even if there is no row with it
            if name in positions and vector.features[positions[name]] is None:
                vector.features[positions[name]] = value
        for name, value in own.items():
            if validate:
                _check_passed(view, positions, name, value)
            if name in positions:
                vector.features[positions[name]] = value
    return found


def _check_entry(view: ViewRead, entry: Entry) -> None:
    if not entry:
        raise Refused("An entry has no key.", 15, "No primary key is given.")
    for name, value in entry.items():
        if name not in view.keys:
            raise _wrong_key(f"{name[:80]!r} is no key of the feature view: {sorted(view.keys)}.")
        if value is None:
            raise _wrong_key(f"The key {name!r} has no value.")


def _read_group(
    read: TableRead, db: sqlite3.Connection, entries: list[Entry], vectors: list[Vector]
) -> None:
    """Put the features of a group into the vectors of those entries that name its keys."""
    asked, keys = [], []
    for entry, vector in zip(entries, vectors, strict=True):
        if all(name in entry for name in read.group.key):
            asked.append(vector)
            keys.append(read.stored_key(entry))
        else:
            vector.statuses.append(NO_KEY)
    rows = online_table.look_up(db, read.table, read.group.features, keys)
    for vector, row in zip(asked, rows, strict=True):
        if row is None:
            vector.statuses.append(NOT_FOUND)
            continue
        vector.statuses.append(FOUND)
        for position, to_json, value in zip(read.group.positions, read.forms, row, strict=True):
            vector.features[position] = None if value is None else to_json(value)


def _check_passed(view: ViewRead, positions: dict[str, int], name: str, value: Any) -> None:
    if name not in positions:
        raise wrong_feature(f"The feature view has no feature {name[:80]!r}.")
    kind = view.types[positions[name]]
    is_wrong_number = kind.startswith(_NUMBERS) and not isinstance(value, int | float)
    is_wrong_text = kind in _TEXTS and not isinstance(value, str)
    if value is not None and (is_wrong_number or is_wrong_text):
        message = f"{str(value)[:80]!r} is no {kind}, which the feature {name} is."
        raise Refused(message, 10, "Wrong data type.", 415)
