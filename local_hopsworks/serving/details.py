"""What hangs on a deployment, its log and the schema of its requests, and what the SDK asks about
serving as a whole."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.serving import errors, instances, logs
from local_hopsworks.serving.deployments import DEPLOYMENT, PATH, find
from local_hopsworks.serving.files import Place

routes = Routes()


@routes.add(
    "GET",
    DEPLOYMENT + "/logs",
    options=["component", "tail", "source", "since", "until", "pod", "timestamps"],
)
def get_logs(call: Call) -> Answer:
    """The output of the latest process of a deployment that is to run. Predictor and transformer
    are one process, and have one log. Like Hopsworks this heeds no `until`."""
    row = find(call)
    component = call.option("component") or "predictor"
    if component not in ("predictor", "transformer"):
        raise HopsworksError(f"A deployment has no component {component[:80]!r}.")
    found = logs.files(Place(call.store, call.project.name, row.name, row.version).logs)
    has_component = component == "predictor" or row.document.get("transformer")
    if row.asked != instances.RUNNING or not found or not has_component:
        return []
    instance = found[0].name.split("_")[1]
    if call.option("pod") not in (None, instance):
        return []
    content = logs.read(
        found[0], call.number("tail"), call.option("since"), with_times=call.flag("timestamps")
    )
    return [{"instanceName": instance, "content": content}]


@routes.add("GET", DEPLOYMENT + "/schema", options=["format", "schemaId"])
def get_schema(call: Call) -> Answer:
    """A document that describes requests, as the SDK has put it into dataset storage."""
    row = find(call)
    endings = {"schema": ".json", "jsonschema": ".jsonschema.json", "openapi": ".openapi.json"}
    wanted = call.option("format") or "schema"
    if wanted not in endings:
        raise HopsworksError(f"A schema has no format {wanted[:80]!r}, but {', '.join(endings)}.")
    identifier = call.option("schemaId") or _variables(row).get("SERVING_SCHEMA_ID") or ""
    folder = Place(call.store, call.project.name, row.name, row.version).schemas
    file = folder / f"{identifier}{endings[wanted]}"
    if not identifier.isalnum() or not file.is_file():
        raise NotFound(
            f"The deployment {row.name} has no schema {identifier[:80]!r}.", errors.SCHEMA_NOT_FOUND
        )
    return Response(file.read_bytes(), media_type="application/json")


def _variables(row: sa.Row[Any]) -> dict[str, str]:
    return dict(text.split("=", 1) for text in row.document.get("predictorEnvVars") or [])


@routes.add("GET", DEPLOYMENT + "/versions", options=["offset", "limit"])
def get_versions(call: Call) -> Answer:
    """Refused by name; without this route the SDK would take it for an older Hopsworks."""
    raise NotEmbedded("versions of a deployment")


@routes.add("GET", PATH + "/vllmImageTags")
def get_image_tags(call: Call) -> Answer:
    """Refused by name; without this route it would be taken for a deployment's id."""
    raise NotEmbedded("LLM deployments (vLLM)")


@routes.add("GET", "/project/{project}/inference/endpoints")
def get_endpoints(call: Call) -> Answer:
    """None beside this server itself: the SDK then sends predictions here."""
    return items([])
