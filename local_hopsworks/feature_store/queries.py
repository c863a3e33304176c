"""Query JSON: what of it is kept, and its plan over the stored feature groups."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.feature_store.errors import FEATURE_GROUP_NOT_FOUND
from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.offline.errors import ILLEGAL_QUERY
from local_hopsworks.offline.plan import Plan
from local_hopsworks.offline.planner import MOST_JOINS, FeatureGroup, make_plan
from local_hopsworks.projects.errors import PROJECT_NOT_FOUND
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store


def plan(db: sa.Connection, store: Store, project: sa.Row[Any], query: dict[str, Any]) -> Plan:
    """The plan of a Query DTO over the project's stored feature groups; raises HopsworksError."""

    def find_group(identifier: int) -> FeatureGroup:
        row = db.execute(
            feature_groups.select().where(
                feature_groups.c.id == identifier, feature_groups.c.parent_id == project.id
            )
        ).one_or_none()
        if row is None:
            raise NotFound(
                f"The query reads the feature group with id {identifier}, which does not "
                "exist any more.",
                FEATURE_GROUP_NOT_FOUND,
            )
        location = store.feature_group(project.name, row.name, row.version, row.id).as_uri()
        return {
            **row.document,
            "id": row.id,
            "name": row.name,
            "version": row.version,
            "location": location,
        }

    return make_plan(query, find_group, project.name)


def plan_ticket(hopsworks: Hopsworks, ticket: dict[str, Any]) -> Plan:
    """The plan of a ticket that `construct` made; for the query service, which has no request of
    its own here."""
    with hopsworks.metadata.transaction(write=False) as db:
        project = db.execute(
            projects.select().where(projects.c.id == ticket["project"])
        ).one_or_none()
        if project is None:
            raise NotFound("The project of the query does not exist any more.", PROJECT_NOT_FOUND)
        return plan(db, hopsworks.store, project, ticket["query"])


def slim(query: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """The query with feature groups by id only: what the client says else of them is neither needed
    nor believed."""
    if depth > MOST_JOINS:
        raise HopsworksError(
            f"A query's joins are nested at most {MOST_JOINS} deep.", ILLEGAL_QUERY
        )
    group = query.get("leftFeatureGroup") or {}
    if group.get("spine") or group.get("type") == "onDemandFeaturegroupDTO":
        raise NotEmbedded("reading an external feature group or a spine")
    return {
        **{key: value for key, value in query.items() if value is not None},
        "leftFeatureGroup": {"id": group.get("id")},
        "joins": [
            {**join, "query": slim(join.get("query") or {}, depth + 1)}
            for join in query.get("joins") or []
        ],
    }


def hydrate(query: dict[str, Any], documents: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The opposite of `slim`: the whole DTOs of the feature groups in their places."""
    return {
        **query,
        "leftFeatureGroup": documents[query["leftFeatureGroup"]["id"]],
        "joins": [
            {**join, "query": hydrate(join["query"], documents)}
            for join in query.get("joins") or []
        ],
    }
