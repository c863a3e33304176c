"""Transformation functions: their source is kept and handed back. This server never runs it; the
client does."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.feature_store import checks, shapes
from local_hopsworks.feature_store.errors import (
    ILLEGAL_TRANSFORMATION_FUNCTION_VERSION,
    TRANSFORMATION_FUNCTION_EXISTS,
    TRANSFORMATION_FUNCTION_NOT_FOUND,
)
from local_hopsworks.feature_store.tables import transformation_functions
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes

routes = Routes()
PATH = "/project/{project}/featurestores/{feature_store}/transformationfunctions"


def _document(row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO. It has no type, because the SDK takes a function with a type for one that is
    attached to something, and looks for the name of that."""
    function = {key: value for key, value in row.document.items() if key != "transformationType"}
    return {**function, "id": row.id, "version": row.version, "featurestoreId": row.parent_id}


@routes.add("POST", PATH, body=shapes.FUNCTION)
def create(call: Call) -> Answer:
    """Keep a function, under the next version if none is asked for."""
    function = call.document["hopsworksUdf"]
    name, version = function["name"], call.document.get("version")
    if not name:
        raise HopsworksError("The transformation function has no name.")
    checks.version(
        version, f"transformation function {name}", ILLEGAL_TRANSFORMATION_FUNCTION_VERSION
    )
    taken = HopsworksError(
        f"Transformation function {name} version {version} exists already.",
        TRANSFORMATION_FUNCTION_EXISTS,
    )
    row = metadata.insert_version(
        call.db, transformation_functions, call.project.id, name, version, call.document, taken
    )
    return _document(row)


@routes.add("GET", PATH, options=["name", "version"])
def get(call: Call) -> Answer:
    """All; or the one of a name, which without a version is the first."""
    rows = call.db.execute(call.in_project(transformation_functions))
    stored = [_document(row) for row in rows]
    found = [*stored, *_built_in(call.project.id)]
    if name := call.option("name"):
        version = call.number("version") or 1
        found = [f for f in found if (f["hopsworksUdf"]["name"], f["version"]) == (name, version)][
            :1
        ]
        if not found:
            raise NotFound(
                f"There is no transformation function {name[:80]!r} version {version}.",
                TRANSFORMATION_FUNCTION_NOT_FOUND,
            )
    return items(sorted(found, key=lambda f: (f["hopsworksUdf"]["name"], f["version"])))


def _built_in(feature_store: int) -> list[dict[str, Any]]:
    """The functions that come with the SDK, such as `min_max_scaler`; Hopsworks has them in every
    project."""
    from hsfs import (  # slow to load; the program that asks has it loaded already
        builtin_transformations,
        hopsworks_udf,
    )

    functions = [
        f
        for f in vars(builtin_transformations).values()
        if isinstance(f, hopsworks_udf.HopsworksUdf)
    ]
    return [
        {
            "id": -number,
            "version": 1,
            "featurestoreId": feature_store,
            "hopsworksUdf": json.loads(function.json()),
        }
        for number, function in enumerate(functions, 1)
    ]


@routes.add("DELETE", PATH + "/{id}")
def delete(call: Call) -> Answer:
    """Remove a function; feature views that use it keep theirs."""
    table = transformation_functions
    call.db.execute(
        table.delete().where(table.c.id == call.integer("id"), table.c.parent_id == call.project.id)
    )
    return None
