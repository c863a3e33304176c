"""Feature views: a stored query with roles (label, helper column). What is read of one is in
batch_queries.py."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.feature_store import checks, on_demand, queries, shapes
from local_hopsworks.feature_store.errors import FEATURE_VIEW_EXISTS, FEATURE_VIEW_NOT_FOUND
from local_hopsworks.feature_store.feature_stores import feature_store_name
from local_hopsworks.feature_store.serving_keys import ServingKey
from local_hopsworks.feature_store.tables import feature_views
from local_hopsworks.feature_store.view_schema import ROLES, ViewSchema, schema
from local_hopsworks.http.answers import USER, Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.tags import routes as tags

_log = logging.getLogger("local_hopsworks")
routes = Routes()
PATH = "/project/{project}/featurestores/{feature_store}/featureview"
VERSION = PATH + "/{name}/version/{version}"
# Without a handler of the program's own, logging writes it to standard error as it stands
_NO_LOGGING = (
    "Feature view %s version %s logs nothing: the embedded Hopsworks has no feature logging, "
    "so its log() and read_log() are refused."
)


def find(call: Call) -> sa.Row[Any]:
    """The feature view that the path names; raises NotFound."""
    name, version = call.path["name"], call.integer("version")
    row = call.find_version(feature_views, name, version)
    if row is None:
        raise NotFound(
            f"There is no feature view {name[:80]!r} version {version}.", FEATURE_VIEW_NOT_FOUND
        )
    return row


def document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO. Raises NotFound with the code of a missing feature group when one of the query's was
    deleted: the SDK turns exactly that into «the query defined is no longer valid»."""
    found = schema(call, row)
    functions = [found.on_demand_functions(table) for table in range(len(found.plan.tables))]
    stored_fields = ("description", "transformationFunctions", "loggingEnabled", "created")
    store = f"/project/{row.parent_id}/featurestores/{row.parent_id}"
    return {
        **{key: row.document.get(key) for key in stored_fields},
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "type": "featureViewDTO",
        "featurestoreId": row.parent_id,
        "featurestoreName": feature_store_name(call.project),
        "creator": USER,
        "query": queries.hydrate(row.document["query"], found.groups),
        "features": _features(found, functions),
        "onDemandTransformationFunctions": [each for some in functions for each in some],
        "servingKeys": [_serving_key(found, key) for key in found.serving_keys],
        "href": call.href(f"{store}/featureview/{row.name}/version/{row.version}"),
    }


def _features(found: ViewSchema, functions: list[list[on_demand.Function]]) -> list[dict[str, Any]]:
    return [
        {
            "name": feature.name,
            "type": feature.column.type,
            "index": index,
            **{role: feature.has(role) for role in ROLES},
            "featureGroupFeatureName": feature.column.name,
            "featuregroup": found.group(feature.column.table),
            "transformationFunction": on_demand.function_of(
                feature.column.name, functions[feature.column.table]
            ),
        }
        for index, feature in enumerate(found.features)
    ]


def _serving_key(found: ViewSchema, key: ServingKey) -> dict[str, Any]:
    return {
        "featureName": key.name,
        "joinIndex": key.table,
        "joinOn": key.join_on,
        "required": key.required,
        "prefix": key.prefix,
        "featureGroup": found.group(key.table),
    }


@routes.add("POST", PATH, body=shapes.FEATURE_VIEW)
def create(call: Call) -> Answer:
    """Create a feature view, under the next version if none is asked for."""
    body = call.document
    checks.feature_view(body)
    name, asked = body["name"], body.get("query") or {}
    query = _timeless(queries.slim(asked))
    plan = queries.plan(call.db, call.store, call.project, query)  # refuses what cannot be read
    roles = [
        {
            "name": feature["name"],
            "featureGroupId": (feature.get("featuregroup") or query["leftFeatureGroup"])["id"],
            **{key: bool(feature.get(key)) for key in ROLES},
        }
        for feature in body.get("features") or []
    ]
    checks.roles(roles, {(plan.tables[each.table].group, each.name) for each, _ in plan.columns})
    view = {
        "description": body.get("description"),
        "transformationFunctions": body.get("transformationFunctions") or [],
        "loggingEnabled": False,
        "created": int(time.time() * 1000),
        "query": query,
        "roles": roles,
    }
    version = body.get("version")
    taken = HopsworksError(
        f"Feature view {name} version {version} exists already.", FEATURE_VIEW_EXISTS
    )
    row = metadata.insert_version(
        call.db, feature_views, call.project.id, name, version, view, taken
    )
    tags.put_all(call, tags.owner(feature_views, row.id), body.get("tags"))
    if body.get("loggingEnabled"):
        call.after_commit.append(partial(_log.warning, _NO_LOGGING, name, row.version))
    return document(call, row)


def _timeless(query: dict[str, Any]) -> dict[str, Any]:
    """The query without `as_of`, which a feature view ignores, as the SDK warns its user."""
    return {
        **{
            key: value
            for key, value in query.items()
            if key not in ("leftFeatureGroupStartTime", "leftFeatureGroupEndTime")
        },
        "joins": [{**join, "query": _timeless(join["query"])} for join in query["joins"]],
    }


@routes.add("GET", PATH, options=["filter_by"])
def get_all(call: Call) -> Answer:
    """All feature views of a project."""
    query = call.in_project(feature_views)
    rows = call.db.execute(query.order_by(feature_views.c.name, feature_views.c.version))
    return items([document(call, row) for row in rows])


@routes.add("GET", PATH + "/{name}")
def get_versions(call: Call) -> Answer:
    """All versions of a feature view."""
    rows = versions(call)
    if not rows:
        raise NotFound(
            f"There is no feature view {call.path['name'][:80]!r}.", FEATURE_VIEW_NOT_FOUND
        )
    return items([document(call, row) for row in rows])


def versions(call: Call) -> list[sa.Row[Any]]:
    """All versions of the feature view that the path names, from the oldest on."""
    query = call.in_project(feature_views).where(feature_views.c.name == call.path["name"])
    return list(call.db.execute(query.order_by(feature_views.c.version)))


@routes.add("GET", VERSION)
def get(call: Call) -> Answer:
    """One version of a feature view."""
    return document(call, find(call))


@routes.add("PUT", VERSION, body={"description": str})
def update(call: Call) -> Answer:
    """Change the description; all else stays."""
    row = find(call)
    checks.description(call.document.get("description"), f"feature view {row.name}")
    changed = {**row.document, "description": call.document.get("description")}
    call.db.execute(
        feature_views.update().where(feature_views.c.id == row.id).values(document=changed)
    )
    return document(call, find(call))


@routes.add("GET", VERSION + "/transformation/functions")
def attached_transformation_functions(call: Call) -> Answer:
    """The transformation functions of a feature view."""
    return items(find(call).document["transformationFunctions"])


tags.tag_routes(routes, VERSION, lambda call: tags.owner(feature_views, find(call).id))
