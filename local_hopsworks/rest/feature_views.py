"""Feature views: a stored query with roles (label, helper column), and the batch and training queries made of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import (
    FEATURE_VIEW_EXISTS,
    FEATURE_VIEW_NOT_FOUND,
    NO_EVENT_TIME,
    TRAINING_DATASET_NOT_FOUND,
    HopsworksError,
    NotEmbedded,
    NotFound,
)
from local_hopsworks.metadata import feature_views, training_datasets
from local_hopsworks.query.plan import Column, Join
from local_hopsworks.query.planner import NO_LIMIT
from local_hopsworks.rest import feature_groups, queries, shapes, tags
from local_hopsworks.rest.projects import feature_store_name
from local_hopsworks.rest.routing import USER, Answer, Call, Routes, items
from local_hopsworks.store import checked_name

routes = Routes()
PATH = "/project/{project}/featurestores/{feature_store}/featureview"
VERSION = PATH + "/{name}/version/{version}"
_ROLES = ("label", "inferenceHelperColumn", "trainingHelperColumn")
_MOST_SECONDS = 9_999_999_999  # a bigint event time above it is in milliseconds, as in the SDK


def find(call: Call) -> sa.Row[Any]:
    """The feature view that the path names; raises NotFound."""
    name, version = call.path["name"], call.integer("version")
    same = (
        feature_views.c.parent_id == call.project.id,
        feature_views.c.name == name,
        feature_views.c.version == version,
    )
    row = call.db.execute(feature_views.select().where(*same)).one_or_none()
    if row is None:
        raise NotFound(f"There is no feature view {name[:80]!r} version {version}.", FEATURE_VIEW_NOT_FOUND)
    return row


def document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO. Raises NotFound with the code of a missing feature group when one of the query's was deleted: the SDK
    turns exactly that into «the query defined is no longer valid»."""
    groups = {
        key: feature_groups.document(call, feature_groups.find(call, key))
        for key in feature_groups.group_ids(row.document["query"])
    }
    query = queries.hydrate(row.document["query"], groups)
    plan = queries.plan(call.db, call.store, call.project, row.document["query"])
    root = query["leftFeatureGroup"]
    roles = {(role["featureGroupId"], role["name"]): role for role in row.document["roles"]}
    features = []
    for index, (column, name) in enumerate(plan.columns):
        group = groups[plan.tables[column.table].group]
        role = roles.get((group["id"], column.name), {})
        features.append({
            "name": name,
            "type": column.type,
            "index": index,
            **{key: bool(role.get(key)) for key in _ROLES},
            "featureGroupFeatureName": column.name,
            "featuregroup": group,
            "transformationFunction": None,
        })  # fmt: skip
    return {
        **{
            key: row.document.get(key)
            for key in ("description", "transformationFunctions", "loggingEnabled", "created")
        },
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "type": "featureViewDTO",
        "featurestoreId": row.parent_id,
        "featurestoreName": feature_store_name(call.project),
        "creator": USER,
        "query": query,
        "features": features,
        "servingKeys": [
            {"featureName": feature["name"], "joinIndex": 0, "required": True, "prefix": "", "featureGroup": root}
            for feature in root["features"]
            if feature.get("primary")
        ],
        "href": call.href(
            f"/project/{row.parent_id}/featurestores/{row.parent_id}/featureview/{row.name}/version/{row.version}"
        ),
    }


@routes.add("POST", PATH, body=shapes.FEATURE_VIEW)
def create(call: Call) -> Answer:
    body, name = call.document, checked_name(call.document.get("name"), "feature view")
    if body.get("loggingEnabled"):
        raise NotEmbedded("feature logging (logging_enabled=True)")
    query = _timeless(queries.slim(body.get("query") or {}))
    queries.plan(call.db, call.store, call.project, query)  # refuses what could never be read
    kept = {
        "description": body.get("description"),
        "transformationFunctions": body.get("transformationFunctions") or [],
        "loggingEnabled": False,
        "created": int(time.time() * 1000),
        "query": query,
        "roles": [
            {
                "name": feature["name"],
                "featureGroupId": (feature.get("featuregroup") or query["leftFeatureGroup"])["id"],
                **{key: bool(feature.get(key)) for key in _ROLES},
            }
            for feature in body.get("features") or []
        ],
    }  # fmt: skip
    try:
        row = metadata.insert_version(call.db, feature_views, call.project.id, name, body.get("version"), kept)
    except sa.exc.IntegrityError as error:
        raise HopsworksError(
            f"Feature view {name} version {body.get('version')} exists already.", FEATURE_VIEW_EXISTS
        ) from error
    tags.put_all(call, tags.owner(feature_views, row.id), body.get("tags"))
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
    query = (
        feature_views.select()
        .where(feature_views.c.parent_id == call.project.id)
        .order_by(feature_views.c.name, feature_views.c.version)
    )
    return items([document(call, row) for row in call.db.execute(query)])


@routes.add("GET", PATH + "/{name}")
def get_versions(call: Call) -> Answer:
    rows = _versions(call)
    if not rows:
        raise NotFound(f"There is no feature view {call.path['name'][:80]!r}.", FEATURE_VIEW_NOT_FOUND)
    return items([document(call, row) for row in rows])


def _versions(call: Call) -> list[sa.Row[Any]]:
    same = feature_views.c.parent_id == call.project.id, feature_views.c.name == call.path["name"]
    return list(call.db.execute(feature_views.select().where(*same).order_by(feature_views.c.version)))


@routes.add("GET", VERSION)
def get(call: Call) -> Answer:
    return document(call, find(call))


@routes.add("PUT", VERSION, body={"description": str})
def update(call: Call) -> Answer:
    row = find(call)
    changed = {**row.document, "description": call.document.get("description")}
    call.db.execute(feature_views.update().where(feature_views.c.id == row.id).values(document=changed))
    return document(call, find(call))


@routes.add("DELETE", VERSION, options=["force"])
def delete(call: Call) -> Answer:
    feature_groups.remove_view(call, find(call))
    return None


@routes.add("DELETE", PATH + "/{name}", options=["force"])
def delete_versions(call: Call) -> Answer:
    for row in _versions(call):
        feature_groups.remove_view(call, row)
    return None


@routes.add("GET", VERSION + "/transformation/functions")
def attached_transformation_functions(call: Call) -> Answer:
    return items(find(call).document["transformationFunctions"])


_BATCH_OPTIONS = (
    "start_time", "end_time", "with_label", "with_primary_keys", "with_event_time", "inference_helper_columns",
    "training_helper_columns", "is_hive_engine", "td_version",
)  # fmt: skip


@routes.add("GET", VERSION + "/query/batch", options=_BATCH_OPTIONS)
def batch_query(call: Call) -> Answer:
    """The Query DTO for batch or training data; the client sends it back to be planned and read."""
    row = find(call)
    view = document(call, row)
    wanted = {
        "label": "with_label",
        "inferenceHelperColumn": "inference_helper_columns",
        "trainingHelperColumn": "training_helper_columns",
    }
    dropped = {
        (feature["featuregroup"]["id"], feature["featureGroupFeatureName"])
        for feature in view["features"]
        for role, option in wanted.items()
        if feature[role] and not call.flag(option)
    }
    keys = _keys(call, row.document["query"])
    query = _chosen(view["query"], dropped, keys)
    root = query["leftFeatureGroup"]
    conditions = [query.get("filter"), call.body, *window(root, call.number("start_time"), call.number("end_time"))]
    if (version := call.number("td_version")) is not None:
        same = training_datasets.c.parent_id == row.id, training_datasets.c.version == version
        stored = call.db.execute(training_datasets.select().where(*same)).one_or_none()
        if stored is None:
            raise NotFound(
                f"Feature view {row.name} version {row.version} has no training dataset version {version}.",
                TRAINING_DATASET_NOT_FOUND,
            )
        conditions.append(stored.document.get("extraFilter"))
        if query.get("limit") is None:
            query["limit"] = (
                NO_LIMIT  # a split deals out rows by number, so training data must be in one order for ever
            )
    query["filter"] = all_of(conditions)
    return query


routes.add("POST", VERSION + "/query/batch", options=_BATCH_OPTIONS, reads_only=True, body=shapes.FILTER)(batch_query)


def _keys(call: Call, query: dict[str, Any]) -> dict[int, list[str]]:
    """Primary keys and event times asked for, by feature group: like Hopsworks of all groups, but what the groups share
    (the keys they are joined on, an event time of the same name) only of the first."""
    plan = queries.plan(call.db, call.store, call.project, query)
    shared = {(right.table, right.name) for left, right in _joined_on(plan.joins) if left.name == right.name}
    found: dict[int, list[str]] = {}
    event_times: set[str] = set()
    for position, table in enumerate(plan.tables):
        group = feature_groups.document(call, feature_groups.find(call, table.group))
        names = found.setdefault(table.group, [])
        if call.flag("with_primary_keys"):
            names += [f["name"] for f in group["features"] if f.get("primary") and (position, f["name"]) not in shared]
        event_time = group.get("eventTime")
        if call.flag("with_event_time") and event_time and event_time not in event_times:
            event_times.add(event_time)
            names.append(event_time)
    return found


def _joined_on(joins: Iterable[Join]) -> Iterator[tuple[Column, Column]]:
    for join in joins:
        yield from join.on
        yield from _joined_on(join.joins)


def _chosen(query: dict[str, Any], dropped: set[tuple[int, str]], keys: dict[int, list[str]]) -> dict[str, Any]:
    """The query without the `dropped` features and with the `keys` of its feature groups."""
    group = query["leftFeatureGroup"]
    wanted = keys.get(group["id"], [])
    selected = {feature["name"] for feature in query["leftFeatures"]}
    return {
        **query,
        "leftFeatures": [
            *(f for f in query["leftFeatures"] if f["name"] in wanted or (group["id"], f["name"]) not in dropped),
            # Under its full name the SDK knows that it is no feature of the view, and drops it where it must.
            *(
                {**f, "useFullyQualifiedName": True}
                for f in group["features"]
                if f["name"] in wanted and f["name"] not in selected
            ),
        ],
        "joins": [{**join, "query": _chosen(join["query"], dropped, keys)} for join in query.get("joins") or []],
    }


def window(root: dict[str, Any], start: int | None, end: int | None) -> Iterator[dict[str, Any]]:
    """Filters for start <= event time < end (ms since 1970) on a view's first feature group."""
    for bound, comparison in ((start, "GREATER_THAN_OR_EQUAL"), (end, "LESS_THAN")):
        if bound is None:
            continue
        event_time = next((feature for feature in root["features"] if feature["name"] == root.get("eventTime")), None)
        if event_time is None:
            raise HopsworksError(
                f"Feature group {root['name']} has no event time to choose a time window by.", NO_EVENT_TIME
            )
        if event_time["type"] == "bigint":
            unit = {"feature": event_time, "condition": "GREATER_THAN", "value": str(_MOST_SECONDS)}
            yield {
                "type": "OR",
                "leftLogic": {
                    "type": "AND",
                    "leftFilter": unit,
                    "rightFilter": {"feature": event_time, "condition": comparison, "value": str(bound)},
                },
                "rightLogic": {
                    "type": "AND",
                    "leftFilter": {**unit, "condition": "LESS_THAN_OR_EQUAL"},
                    "rightFilter": {"feature": event_time, "condition": comparison, "value": str(-(-bound // 1000))},
                },
            }
        else:
            yield {"feature": event_time, "condition": comparison, "value": str(bound)}


def all_of(conditions: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The conjunction of Filter and Logic DTOs, as one Logic DTO (the SDK parses no bare filter here)."""
    combined: dict[str, Any] | None = None
    for condition in conditions:
        if not condition:
            continue
        kind = "Filter" if "condition" in condition else "Logic"
        if combined is None:
            combined = condition if kind == "Logic" else {"type": "SINGLE", "leftFilter": condition}
        else:
            combined = {"type": "AND", "leftLogic": combined, f"right{kind}": condition}
    return combined


tags.tag_routes(routes, VERSION, lambda call: tags.owner(feature_views, find(call).id))
