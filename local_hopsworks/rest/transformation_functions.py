"""Transformation functions: their source is kept and handed back. This server never runs it; the client does."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import (
    TRANSFORMATION_FUNCTION_EXISTS,
    TRANSFORMATION_FUNCTION_NOT_FOUND,
    HopsworksError,
    NotFound,
)
from local_hopsworks.metadata import transformation_functions
from local_hopsworks.rest.routing import Answer, Call, Routes, items

routes = Routes()
PATH = "/project/{project}/featurestores/{feature_store}/transformationfunctions"


def _document(row: sa.Row[Any]) -> dict[str, Any]:
    return {**row.document, "id": row.id, "version": row.version, "featurestoreId": row.parent_id}


@routes.add("POST", PATH)
def create(call: Call) -> Answer:
    function = call.document.get("hopsworksUdf") or {}
    name, version = str(function.get("name") or ""), call.document.get("version")
    if not name:
        raise HopsworksError("The transformation function has no name.")
    try:
        row = metadata.insert_version(call.db, transformation_functions, call.project.id, name, version, call.document)
    except sa.exc.IntegrityError as error:
        raise HopsworksError(
            f"Transformation function {name} version {version} exists already.", TRANSFORMATION_FUNCTION_EXISTS
        ) from error
    return _document(row)


@routes.add("GET", PATH, options=["name", "version"])
def get(call: Call) -> Answer:
    table = transformation_functions
    query = table.select().where(table.c.parent_id == call.project.id)
    if name := call.option("name"):
        query = query.where(table.c.name == name)
        version = call.number("version")
        newest = sa.select(sa.func.max(table.c.version)).where(
            table.c.parent_id == call.project.id, table.c.name == name
        )
        query = query.where(table.c.version == (newest.scalar_subquery() if version is None else version))
    rows = call.db.execute(query.order_by(table.c.name, table.c.version)).all()
    if name and not rows:
        raise NotFound(f"There is no transformation function {name[:80]!r}.", TRANSFORMATION_FUNCTION_NOT_FOUND)
    return items([_document(row) for row in rows])


@routes.add("DELETE", PATH + "/{id}")
def delete(call: Call) -> Answer:
    table = transformation_functions
    call.db.execute(table.delete().where(table.c.id == call.integer("id"), table.c.parent_id == call.project.id))
    return None
