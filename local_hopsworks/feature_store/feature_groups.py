"""Feature groups: metadata here, rows in a Delta table that the client itself writes at `location`;
see commits.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.expectations import suites as expectation_suites
from local_hopsworks.feature_store import checks, shapes
from local_hopsworks.feature_store.errors import (
    FEATURE_GROUP_EXISTS,
    FEATURE_GROUP_NOT_FOUND,
    ILLEGAL_FEATURE_GROUP_TYPE,
)
from local_hopsworks.feature_store.feature_stores import feature_store_name
from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.http.answers import USER, Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.jobs import jobs
from local_hopsworks.offline import delta
from local_hopsworks.online import feature_groups as online
from local_hopsworks.store import checked_name
from local_hopsworks.tags import routes as tags

routes = Routes()
PATH = "/project/{project}/featurestores/{feature_store}/featuregroups"
_KINDS = ("cachedFeaturegroupDTO", "streamFeatureGroupDTO")
_KEPT = (
    "description",
    "eventTime",
    "notificationTopicName",
    "topicName",
    "onlineConfig",
    "ttl",
    "ttlEnabled",
)
_CHANGEABLE = ("topicName", "ttl", "ttlEnabled")
_UPDATES = ("updateMetadata", "updateStatsConfig")


def document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO. A connector of type S3 makes the SDK accept time travel, and with `file://` it
    writes to this disk."""
    location = table(call, row).as_uri()
    suite = expectation_suites.of_group(call, row.id)
    connector = {
        "id": 1,
        "name": "local_disk",
        "description": "Files on this machine",
        "featurestoreId": row.parent_id,
        "storageConnectorType": "S3",
        "type": "featurestoreS3ConnectorDTO",
        "bucket": "local",
    }
    group = {
        "type": _KINDS[0],  # of a group from before there was an online store, as the next
        "onlineEnabled": False,
        **{key: value for key, value in row.document.items() if key != "written"},
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "featurestoreId": row.parent_id,
        "featurestoreName": feature_store_name(call.project),
        "creator": USER,
        "features": [{**feature, "featureGroupId": row.id} for feature in row.document["features"]],
        "timeTravelFormat": "DELTA",
        "location": location,
        "parents": None,  # asked for by themselves; see provenance.py
        "expectationSuite": suite and expectation_suites.document(call, suite),
        "dataSource": {"path": location, "storageConnector": connector},
        "href": call.href(
            f"/project/{row.parent_id}/featurestores/{row.parent_id}/featuregroups/{row.id}"
        ),
    }
    return online.described(row.parent_id, group)


def table(call: Call, row: sa.Row[Any]) -> Path:
    """The folder of a feature group's Delta table."""
    return call.store.feature_group(call.project.name, row.name, row.version, row.id)


def find(call: Call, identifier: int) -> sa.Row[Any]:
    """The feature group with this id in the call's project; raises NotFound."""
    query = feature_groups.select().where(
        feature_groups.c.id == identifier, feature_groups.c.parent_id == call.project.id
    )
    row = call.db.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no feature group with id {identifier}.", FEATURE_GROUP_NOT_FOUND)
    return row


@routes.add("POST", PATH, body=shapes.FEATURE_GROUP)
def create(call: Call) -> Answer:
    """Create a feature group, under the next version if none is asked for."""
    body = call.document
    name, version = checked_name(body.get("name"), "feature group"), body.get("version")
    _check_kind(name, body)
    features = checks.feature_group(body)
    if version is not None:
        existing = call.find_version(feature_groups, name, version)
        if existing is not None:
            return _existing(call, existing, features)
    group = {
        **{key: body.get(key) for key in _KEPT},
        "transformationFunctions": body.get("transformationFunctions") or [],
        "statisticsConfig": body.get("statisticsConfig") or {"enabled": True},
        "features": features,
        "created": now(),
        "parents": [
            {key: parent.get(key) for key in ("id", "name", "version")}
            for parent in body.get("parents") or []
        ],
        "type": body["type"],
        "onlineEnabled": bool(body.get("onlineEnabled")),
    }
    row = metadata.insert_version(call.db, feature_groups, call.project.id, name, version, group)
    online.create(call, document(call, row))
    tags.put_all(call, tags.owner(feature_groups, row.id), body.get("tags"))
    if body.get("expectationSuite"):
        expectation_suites.create_for(call, row.id, body["expectationSuite"])
    return document(call, row)


def _check_kind(name: str, body: dict[str, Any]) -> None:
    """Refuse kinds of feature groups that this server has not."""
    kind = str(body.get("type"))
    if kind == "onDemandFeaturegroupDTO":
        raise NotEmbedded(f"the spine or external feature group {name}")
    if body.get("embeddingIndex"):
        raise NotEmbedded(f"the embedding index of feature group {name}")
    if kind not in _KINDS:
        message = (
            f"A feature group of type {kind[:80]!r} cannot be stored here, only "
            f"{' or '.join(_KINDS)}."
        )
        raise HopsworksError(message, ILLEGAL_FEATURE_GROUP_TYPE)


def _existing(call: Call, row: sa.Row[Any], features: list[dict[str, Any]]) -> dict[str, Any]:
    """A group that another program has created in the meantime (the SDK's `get_or_create` is two
    calls), if it is the group that this call asks for."""
    stored, asked = row.document, call.document
    differences = {
        "schema": _shape(stored["features"]) != _shape(features),
        "event time": stored.get("eventTime") != asked.get("eventTime"),
        "description": asked.get("description") not in (None, "", stored.get("description")),
        "setting of online_enabled": asked.get("onlineEnabled") and not stored.get("onlineEnabled"),
    }
    if found := [name for name, differs in differences.items() if differs]:
        raise HopsworksError(
            f"Feature group {row.name} version {row.version} exists with another "
            f"{' and another '.join(found)}; get it, or create another version.",
            FEATURE_GROUP_EXISTS,
        )
    return document(call, row)


def _shape(features: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {
        (
            feature["name"],
            feature.get("type"),
            bool(feature.get("primary")),
            bool(feature.get("partition")),
        )
        for feature in features
    }


@routes.add("GET", PATH)
def get_all(call: Call) -> Answer:
    """All feature groups of a project."""
    query = call.in_project(feature_groups)
    return items(
        [
            document(call, row)
            for row in call.db.execute(
                query.order_by(feature_groups.c.name, feature_groups.c.version)
            )
        ]
    )


@routes.add("GET", PATH + "/{name}", options=["version"])
def get(call: Call) -> Answer:
    """By name all versions, or the one asked for, as a list; by id the group itself."""
    name = call.path["name"]
    if name.isdigit():
        return document(call, find(call, call.integer("name")))
    query = call.in_project(feature_groups).where(feature_groups.c.name == name)
    if (version := call.number("version")) is not None:
        query = query.where(feature_groups.c.version == version)
    rows = call.db.execute(query.order_by(feature_groups.c.version)).all()
    if not rows:
        raise NotFound(
            f"There is no feature group {name[:80]!r}{f' version {version}' if version else ''}.",
            FEATURE_GROUP_NOT_FOUND,
        )
    return [document(call, row) for row in rows]


@routes.add(
    "PUT",
    PATH + "/{id}",
    options=[*_UPDATES, "updateNotificationTopicName", "deprecate"],
    body=shapes.FEATURE_GROUP,
)
def update(call: Call) -> Answer:
    """Change what the options name; features can only be appended."""
    row, body = find(call, call.integer("id")), call.document
    changed = dict(row.document)
    if call.flag("updateMetadata"):
        checks.description(body.get("description"), f"feature group {row.name}")
        checks.time_to_live(body.get("ttl"))
        features = checks.changed_schema(changed["features"], body.get("features"))
        # The table first: it may have a column more than its feature group, but not one less
        delta.add_columns(document(call, row)["location"], features)
        changed |= {"description": body.get("description"), "features": features}
        changed |= {key: body.get(key) for key in _CHANGEABLE}
    if call.flag("updateStatsConfig"):
        names = [feature["name"] for feature in changed["features"]]
        checks.statistics(body.get("statisticsConfig"), names)
        changed["statisticsConfig"] = body.get("statisticsConfig")
    if call.flag("updateNotificationTopicName"):
        changed["notificationTopicName"] = body.get("notificationTopicName")
    if call.option("deprecate"):
        changed["deprecated"] = call.flag("deprecate")
    call.db.execute(
        feature_groups.update().where(feature_groups.c.id == row.id).values(document=changed)
    )
    group = document(call, find(call, row.id))
    online.change(call, group)
    return group


def group_ids(query: dict[str, Any]) -> set[int]:
    """The ids of all feature groups in a Query DTO."""
    return {query["leftFeatureGroup"]["id"]}.union(
        *(group_ids(join["query"]) for join in query.get("joins") or [])
    )


@routes.add("POST", PATH + "/{id}/updatetableschema")
def update_table_schema(call: Call) -> Answer:
    """The second half of `append_features`. The first, `update`, has given the table its new
    columns already."""
    row = find(call, call.integer("id"))
    return jobs.finished(call, f"{row.name}_{row.version}_update_schema", "PYSPARK")


tags.tag_routes(
    routes,
    PATH + "/{id}",
    lambda call: tags.owner(feature_groups, find(call, call.integer("id")).id),
)
