"""What the SDK asks before and after it writes online: where Kafka is, in which schema, how far."""

from __future__ import annotations

import re
from typing import Any

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.feature_store import commits, feature_groups
from local_hopsworks.feature_store.errors import FEATURE_GROUP_NOT_FOUND
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.online import ingestions, subjects, writes
from local_hopsworks.online.ingestions import Ingestion
from local_hopsworks.online.kafka import KafkaEndpoint
from local_hopsworks.online.store import OnlineStore, OnlineStores

routes = Routes()
FEATURE_STORE = "/project/{project}/featurestores/{feature_store}"
INGESTION = feature_groups.PATH + "/{id}/online_ingestion"
_BY_ID = re.compile(r"ID:(\d{1,18})")


@routes.add("GET", FEATURE_STORE + "/storageconnectors/kafka_connector/byok", options=["external"])
def kafka_connector(call: Call) -> Answer:
    """Where the SDK sends rows. `externalKafka: false` makes it take its keys out of the Java key
    stores that it got at login."""
    endpoint = call.hopsworks.part(KafkaEndpoint)
    return {
        "id": endpoint.connector_id,
        "name": "kafka_connector",
        "description": "The Kafka endpoint of this Hopsworks",
        "featurestoreId": call.project.id,
        "storageConnectorType": "KAFKA",
        "type": "featureStoreKafkaConnectorDTO",
        "bootstrapServers": endpoint.address(),
        "securityProtocol": "SSL",
        "sslEndpointIdentificationAlgorithm": "https",
        "externalKafka": False,
        "options": [],
    }


@routes.add("GET", FEATURE_STORE + "/kafka/subjects/{name}/versions/{version}")
def subject(call: Call) -> Answer:
    """The Avro schema of a feature group's rows."""
    name, version = call.path["name"], call.path["version"]
    with _store(call).transaction(write=False) as db:
        number = None if version == "latest" else call.integer("version")
        found = subjects.find(db, name, number)
    if found is None:
        raise NotFound(f"There is no subject {name[:80]!r}.", FEATURE_GROUP_NOT_FOUND)
    return {"id": found.id, "subject": name, "version": found.version, "schema": found.schema}


@routes.add("POST", INGESTION, body={"numEntries": int})
def begin_ingestion(call: Call) -> Answer:
    """The SDK is about to send the rows of an insert."""
    row = feature_groups.find(call, call.integer("id"))
    if call.client in commits.overwriting(call, row):  # online only, or it would have committed
        commits.end_overwrite(call, row)
    commits.settle_broken_writes(call, row)
    call.store.register()
    with _store(call).transaction(write=True) as db:
        begun = ingestions.create(db, row.id, call.document.get("numEntries"))
        writes.announced(db, row.id, call.store.id, call.client, begun.id)
        writes.abandon(db, call.store.id, call.hopsworks.clients.is_alive)
    return _document(begun)


@routes.add("GET", INGESTION, options=["filter_by"])
def get_ingestions(call: Call) -> Answer:
    """The ingestion with an id, the latest, or all that are remembered."""
    row, wanted = feature_groups.find(call, call.integer("id")), call.option("filter_by")
    by_id = _BY_ID.fullmatch(wanted or "")
    with _store(call).transaction(write=False) as db:
        if by_id:
            found = [ingestions.find(db, row.id, int(by_id[1]))]
        elif wanted == "LATEST":
            found = [ingestions.latest(db, row.id)]
        elif wanted is None:
            found = [*ingestions.of_group(db, row.id)]
        else:
            message = f"filter_by is LATEST or ID:<number>, not {wanted[:80]!r}."
            raise HopsworksError(message)
    documents = [_document(each) for each in found if each is not None]
    return {"count": len(documents), "items": documents}


def _document(ingestion: Ingestion) -> dict[str, Any]:
    results = [
        {"onlineIngestionId": ingestion.id, "status": status, "rows": rows}
        for status, rows in ingestion.results().items()
    ]
    return {"id": ingestion.id, "numEntries": ingestion.entries, "results": results}


def _store(call: Call) -> OnlineStore:
    return call.hopsworks.part(OnlineStores).of(call.project.name)
