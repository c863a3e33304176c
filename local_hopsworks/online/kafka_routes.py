"""A person's own Kafka topics and Avro schemas: what `project.get_kafka_api()` asks for."""

from __future__ import annotations

import json
import re
from typing import Any

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.online import avro_schemas, subjects, topics
from local_hopsworks.online.errors import (
    ILLEGAL_NUMBER_OF_PARTITIONS,
    ILLEGAL_SCHEMA,
    INCOMPATIBLE_SCHEMA,
    SCHEMA_IN_USE,
    SCHEMA_VERSION_NOT_FOUND,
    SUBJECT_NOT_FOUND,
    TOO_MANY_REPLICAS,
    TOPIC_EXISTS,
    TOPIC_NOT_FOUND,
)
from local_hopsworks.online.kafka import KafkaEndpoint
from local_hopsworks.online.store import OnlineStore, OnlineStores
from local_hopsworks.online.subjects import Subject
from local_hopsworks.online.topics import Topic

routes = Routes()
PATH = "/project/{project}/kafka"
TOPICS = PATH + "/topics"
VERSIONS = PATH + "/subjects/{subject}/versions"
MOST_PARTITIONS = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's
_TOPIC = {
    "name!": str,
    "schemaName!": str,
    "schemaVersion!": int,
    "numOfReplicas": int,
    "numOfPartitions": int,
}


@routes.add("GET", PATH + "/clusterinfo", options=["external"])
def brokers(call: Call) -> Answer:
    """Where the SDK's `get_default_config` finds Kafka."""
    return {"brokers": [call.hopsworks.part(KafkaEndpoint).address()]}


@routes.add("GET", TOPICS)
def get_topics(call: Call) -> Answer:
    """The topics of the project, those of its feature groups too."""
    with _store(call).transaction(write=False) as db:
        return items([_document(topic) for topic in topics.all_topics(db)])


@routes.add("POST", TOPICS, body=_TOPIC)
def create_topic(call: Call) -> Answer:
    """Make a topic whose records are meant to have a schema."""
    body = call.document
    name, partitions = _checked_name(body["name"], "topic"), body.get("numOfPartitions") or 1
    if not 1 <= partitions <= MOST_PARTITIONS:
        message = f"A topic has 1 to {MOST_PARTITIONS} partitions, not {partitions}."
        raise HopsworksError(message, ILLEGAL_NUMBER_OF_PARTITIONS)
    if (body.get("numOfReplicas") or 1) != 1:
        message = (
            f"There is one broker here, so a topic has 1 replica, not {body['numOfReplicas']}."
        )
        raise HopsworksError(message, TOO_MANY_REPLICAS)
    with _store(call).transaction(write=True) as db:
        if topics.find(db, name) is not None:
            raise HopsworksError(f"There is a topic {name} already.", TOPIC_EXISTS, 409)
        subject = _must_find(subjects.find(db, body["schemaName"], body["schemaVersion"]), body)
        topics.create(db, name, partitions, subject.name, subject.version)
        created = topics.find(db, name)
    assert created is not None
    return _document(created)


@routes.add("DELETE", TOPICS + "/{topic}")
def delete_topic(call: Call) -> Answer:
    """Remove a topic of a person's own with its records."""
    name = call.path["topic"]
    with _store(call).transaction(write=True) as db:
        topic = topics.find(db, name)
        if topic is None or not topic.is_own:
            message = f"There is no topic {name[:80]!r} that can be deleted."
            raise NotFound(message, TOPIC_NOT_FOUND)
        topics.delete(db, name)
    return None


@routes.add("GET", VERSIONS)
def get_versions(call: Call) -> Answer:
    """The numbers of a subject's versions."""
    with _store(call).transaction(write=False) as db:
        found = subjects.versions(db, call.path["subject"])
    if not found:
        message = f"There is no subject {call.path['subject'][:80]!r}."
        raise NotFound(message, SUBJECT_NOT_FOUND)
    return found


@routes.add("POST", VERSIONS, body={"schema!": str})
def create_schema(call: Call) -> Answer:
    """Register a schema; the same one again is the same version."""
    name = _checked_name(call.path["subject"], "subject")
    schema = _checked_schema(call.document["schema"])
    with _store(call).transaction(write=True) as db:
        if _is_of_feature_group(db, name):
            message = f"The subject {name} is a feature group's; choose another name."
            raise HopsworksError(message, ILLEGAL_SCHEMA)
        _check_compatible(db, name, schema)
        return _subject(subjects.register(db, name, schema, None))


@routes.add("GET", VERSIONS + "/{version}")
def get_schema(call: Call) -> Answer:
    """One version of a subject, or the latest."""
    version = None if call.path["version"] == "latest" else call.integer("version")
    with _store(call).transaction(write=False) as db:
        found = subjects.find(db, call.path["subject"], version)
    return _subject(_must_find(found, call.path))


@routes.add("DELETE", VERSIONS + "/{version}")
def delete_schema(call: Call) -> Answer:
    """Remove a version of a person's own subject that no topic uses."""
    name, version = call.path["subject"], call.integer("version")
    with _store(call).transaction(write=True) as db:
        used = [
            topic.name
            for topic in topics.all_topics(db)
            if (topic.subject, topic.subject_version) == (name, version)
        ]
        if used:
            message = f"The topic {used[0]} uses version {version} of {name}; delete that first."
            raise HopsworksError(message, SCHEMA_IN_USE, 412)
        if not subjects.delete(db, name, version):
            message = f"There is no version {version} of the subject {name[:80]!r} to delete."
            raise NotFound(message, SCHEMA_VERSION_NOT_FOUND)
    return None


def _checked_name(name: str, what: str) -> str:
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise HopsworksError(
            f"The name of a {what} is 1 to 249 letters, digits, dots, underscores and hyphens, "
            f"not {name[:80]!r}."
        )
    return name


def _checked_schema(text: str) -> str:
    try:
        schema = json.dumps(json.loads(text))
        avro_schemas.check(schema)
    except (ValueError, RecursionError) as error:
        raise HopsworksError(f"This is no Avro schema: {error}.", ILLEGAL_SCHEMA, 422) from error
    return schema


def _check_compatible(db: Any, name: str, schema: str) -> None:
    """A further version must be able to read what the latest one wrote."""
    latest = subjects.find(db, name, None)
    if latest is None or subjects.find_schema(db, name, schema) is not None:
        return
    try:
        avro_schemas.check_reads(schema, latest.schema)
    except avro_schemas.UnreadableError as error:
        raise HopsworksError(
            f"The schema cannot read records of version {latest.version} of {name}: {error}. "
            "Choose another subject for it.",
            INCOMPATIBLE_SCHEMA,
            409,
        ) from error


def _is_of_feature_group(db: Any, name: str) -> bool:
    query = "SELECT count(*) FROM subjects WHERE name = ? AND group_id IS NOT NULL"
    return bool(db.execute(query, (name,)).fetchone()[0])


def _must_find(found: Subject | None, asked: dict[str, Any]) -> Subject:
    if found is None:
        name = str(asked.get("schemaName") or asked.get("subject"))
        version = asked.get("schemaVersion") or asked.get("version")
        message = f"There is no version {version} of the subject {name[:80]!r}."
        raise NotFound(message, SCHEMA_VERSION_NOT_FOUND)
    return found


def _document(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "numOfReplicas": 1,
        "numOfPartitions": topic.partitions,
        "schemaName": topic.subject,
        "schemaVersion": topic.subject_version,
        "isShared": False,
    }


def _subject(subject: Subject) -> dict[str, Any]:
    return {
        "id": subject.id,
        "subject": subject.name,
        "version": subject.version,
        "schema": subject.schema,
    }


def _store(call: Call) -> OnlineStore:
    return call.hopsworks.part(OnlineStores).of(call.project.name)
