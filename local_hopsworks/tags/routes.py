"""Tags: names with JSON values on feature groups, feature views, training data and models."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Handler, Routes
from local_hopsworks.tags.errors import TAG_NOT_FOUND
from local_hopsworks.tags.tables import tags as table

routes = Routes()


def owner(table: sa.Table, identifier: int) -> str:
    """How a row of a table is named in the tables of what hangs on it, such as feature_groups/3."""
    return f"{table.name}/{identifier}"


def put(call: Call, on: str, name: str, value: Any) -> None:
    """Set a tag; `on` names its owner."""
    if not name or len(name) > 255:
        raise HopsworksError(f"A tag's name is 1 to 255 characters long, not {name[:80]!r}.")
    call.db.execute(table.delete().where(table.c.owner == on, table.c.name == name))
    call.db.execute(table.insert().values(owner=on, name=name, value=json.dumps(value)))


def put_all(call: Call, on: str, listed: dict[str, Any] | None) -> None:
    """The tags that come along when a thing is created; there the SDK makes JSON text of objects
    only."""
    for tag in (listed or {}).get("items") or []:
        value = tag["value"]
        if isinstance(value, str) and value.startswith("{"):
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        put(call, on, str(tag["name"]), value)


def tag_routes(target: Routes, path: str, find_owner: Any) -> None:
    """Register GET, PUT and DELETE of tags below `path`; `find_owner(call)` returns their owner or
    raises NotFound."""

    def get(call: Call) -> Answer:
        query = sa.select(table.c.name, table.c.value).where(table.c.owner == find_owner(call))
        if name := call.path.get("tag"):
            query = query.where(table.c.name == name)
        found = [dict(row._mapping) for row in call.db.execute(query.order_by(table.c.name))]
        if name and not found:
            raise NotFound(f"There is no tag {name[:80]!r}.", TAG_NOT_FOUND)
        return items(found)

    def replace(call: Call) -> Answer:
        put(call, find_owner(call), call.path["tag"], call.body)
        return get(call)

    def delete(call: Call) -> Answer:
        call.db.execute(
            table.delete().where(
                table.c.owner == find_owner(call), table.c.name == call.path["tag"]
            )
        )
        return None

    handlers: list[tuple[str, str, Handler]] = [
        ("GET", "/tags", get),
        ("GET", "/tags/{tag}", get),
        ("PUT", "/tags/{tag}", replace),
        ("DELETE", "/tags/{tag}", delete),
    ]
    for method, suffix, handler in handlers:
        target.add(method, path + suffix)(handler)
