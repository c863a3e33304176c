"""The Query JSON of a read is planned, and answered with a signed ticket for the query service."""

from __future__ import annotations

from local_hopsworks.feature_store import queries, shapes
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.offline.plan import Plan
from local_hopsworks.offline.service import Queries
from local_hopsworks.offline.sql import to_sql
from local_hopsworks.online import statements
from local_hopsworks.online.read_statement import read_statement

routes = Routes()


@routes.add(
    "PUT",
    "/project/{project}/featurestores/query",
    options=["hqs"],
    reads_only=True,
    body=shapes.QUERY,
)
def construct(call: Call) -> Answer:
    """Refuses now what could not be read later."""
    query = queries.slim(call.document)
    plan = queries.plan(call.db, call.store, call.project, query)
    # a client that knew it before this server was restarted does not ask for its address
    call.hopsworks.part(Queries)
    ticket = call.hopsworks.security.ticket({"project": call.project.id, "query": query})
    return {
        "query": to_sql(plan),
        "queryOnline": _online(call, plan),
        "hqsPayload": ticket,
        "hqsPayloadSignature": call.hopsworks.security.sign(ticket),
        "onDemandFeatureGroups": [],
        "hudiCachedFeatureGroups": [],
        "deltaCachedFeatureGroups": [],
    }


def _online(call: Call, plan: Plan) -> str:
    """The statement for `read(online=True)`, which the SQL endpoint answers if all of the feature
    groups are online."""
    statement = read_statement(plan, call.project.name)
    if not all(table.is_online for table in plan.tables):
        return statement
    return statements.signed(call.hopsworks.security, statement)
