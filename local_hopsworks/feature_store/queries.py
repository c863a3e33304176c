"""Queries: the Query JSON is planned and answered with a signed ticket for the query service."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import (
    FEATURE_GROUP_NOT_FOUND,
    ILLEGAL_QUERY,
    PROJECT_NOT_FOUND,
    HopsworksError,
    NotEmbedded,
    NotFound,
)
from local_hopsworks.http import shapes
from local_hopsworks.http.routing import Answer, Call, Routes, Service
from local_hopsworks.metadata import feature_groups, projects
from local_hopsworks.offline.plan import Plan
from local_hopsworks.offline.planner import MOST_JOINS, FeatureGroup, make_plan
from local_hopsworks.offline.sql import to_sql
from local_hopsworks.store import Store

routes = Routes()


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
                f"The query reads the feature group with id {identifier}, which does not exist any more.",
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


def plan_ticket(service: Service, ticket: dict[str, Any]) -> Plan:
    """The plan of a ticket that `construct` made; for the query service, which has no request of
    its own here."""
    with service.metadata.transaction(write=False) as db:
        project = db.execute(
            projects.select().where(projects.c.id == ticket["project"])
        ).one_or_none()
        if project is None:
            raise NotFound("The project of the query does not exist any more.", PROJECT_NOT_FOUND)
        return plan(db, service.store, project, ticket["query"])


@routes.add(
    "PUT",
    "/project/{project}/featurestores/query",
    options=["hqs"],
    reads_only=True,
    body=shapes.QUERY,
)
def construct(call: Call) -> Answer:
    query = slim(call.document)
    text = to_sql(
        plan(call.db, call.store, call.project, query)
    )  # refuses now what could not be read later
    # a client that knew it before this server was restarted does not ask for its address
    call.service.query_service()
    ticket = call.service.security.ticket({"project": call.project.id, "query": query})
    return {
        "query": text,
        "queryOnline": text,
        "hqsPayload": ticket,
        "hqsPayloadSignature": call.service.security.sign(ticket),
        "onDemandFeatureGroups": [],
        "hudiCachedFeatureGroups": [],
        "deltaCachedFeatureGroups": [],
    }


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
