"""Kafka topics and schemas of a person's own: created, listed, deleted, written and read."""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from hopsworks.client.exceptions import RestAPIError

from tests.processes import wait

SCHEMA = {
    "type": "record",
    "name": "sale",
    "fields": [{"name": "id", "type": "int"}, {"name": "note", "type": "string"}],
}


@pytest.fixture(scope="module")
def kafka(project):
    return project.get_kafka_api()


@pytest.fixture
def subject(kafka, name):
    return kafka.create_schema(f"{name}_schema", SCHEMA)


@pytest.fixture
def topic(kafka, subject, name):
    return kafka.create_topic(name, subject.subject, subject.version, partitions=3)


@pytest.fixture
def consume(kafka, name):
    """Read so many records of the test's topic as a consumer of a group."""

    def read(count, group):
        config = {**kafka.get_default_config(), "group.id": group, "auto.offset.reset": "earliest"}
        consumer = Consumer(config)
        consumer.subscribe([name])
        values = []
        while len(values) < count:
            message = consumer.poll(60)
            assert message is not None and message.error() is None
            values.append(message.value())
        consumer.commit(asynchronous=False)
        consumer.close()
        return sorted(values)

    return read


def produce(kafka, topic, values, **options):
    producer, problems = Producer(kafka.get_default_config() | options), []
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % 3,
                         callback=lambda error, _: problems.append(error))  # fmt: skip
    producer.flush(60)
    assert problems == [None] * len(values)


def test_records_are_consumed_by_a_group_once(kafka, topic, consume):
    produce(kafka, topic.name, [b"a%d" % number for number in range(30)])
    values = consume(30, f"{topic.name}_readers")
    assert values == sorted(b"a%d" % number for number in range(30))
    produce(kafka, topic.name, [b"b1", b"b2", b"b3"], **{"compression.type": "zstd"})
    values = consume(3, f"{topic.name}_readers")  # goes on where the group has stopped
    assert values == [b"b1", b"b2", b"b3"]
    assert len(consume(33, f"{topic.name}_others")) == 33


def test_consumers_of_a_group_share_the_partitions(kafka, topic):
    config = {**kafka.get_default_config(), "group.id": f"{topic.name}_readers"}
    first, second = Consumer(config), Consumer(config)
    for consumer in (first, second):
        consumer.subscribe([topic.name])

    def assigned():
        for consumer in (first, second):
            consumer.poll(0.02)
        return [consumer.assignment() for consumer in (first, second)]

    wait(lambda: all(assigned()))
    shares = [{each.partition for each in one.assignment()} for one in (first, second)]
    assert not shares[0] & shares[1] and shares[0] | shares[1] == {0, 1, 2}
    second.close()  # what it has read is the other's now
    wait(lambda: first.poll(0.02) is None and len(first.assignment()) == 3)
    assert {each.partition for each in first.assignment()} == {0, 1, 2}
    first.close()


def test_partition_is_read_from_any_offset_without_a_group(kafka, topic):
    produce(kafka, topic.name, [b"%d" % number for number in range(9)])
    consumer = Consumer(kafka.get_default_config())
    consumer.assign([TopicPartition(topic.name, 1, OFFSET_BEGINNING)])
    assert [consumer.poll(60).value() for _ in range(3)] == [b"1", b"4", b"7"]
    consumer.seek(TopicPartition(topic.name, 1, 2))
    assert consumer.poll(60).value() == b"7"
    assert consumer.get_watermark_offsets(TopicPartition(topic.name, 1), timeout=60) == (0, 3)
    consumer.close()


def test_topics_are_listed_and_deleted(kafka, topic):
    found = kafka.get_topic(topic.name)
    assert (found.name, found.num_partitions, found.num_replicas) == (topic.name, 3, 1)
    assert topic.name in [each.name for each in kafka.get_topics()]
    topic.delete()
    assert kafka.get_topic(topic.name) is None
    with pytest.raises(RestAPIError, match="no topic"):
        topic.delete()


def test_schemas_have_versions(kafka, subject):
    assert (subject.version, subject.schema) and subject.subject.endswith("_schema")
    assert kafka.create_schema(subject.subject, SCHEMA).version == 1
    later = {"name": "at", "type": ["null", "long"], "default": None}
    wider = {**SCHEMA, "fields": [*SCHEMA["fields"], later]}
    assert kafka.create_schema(subject.subject, wider).version == 2
    assert kafka.create_schema(subject.subject, SCHEMA).version == 1
    assert [each.version for each in kafka.get_schemas(subject.subject)] == [1, 2]
    kafka.get_schema(subject.subject, 2).delete()
    assert [each.version for each in kafka.get_schemas(subject.subject)] == [1]


def test_schema_of_a_topic_cannot_be_deleted(topic, subject):
    with pytest.raises(RestAPIError, match="uses version 1"):
        subject.delete()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"partitions": 1000}, "1 to 32 partitions"),
        ({"replicas": 3}, "one broker here"),
        ({"schema_version": 7}, "no version 7"),
        ({"name": "a/b"}, "The name of a topic"),
        ({"name": ""}, "The name of a topic"),
    ],
)
def test_topic_that_cannot_be_is_refused(kafka, subject, name, options, problem):
    wanted = {"name": name, "schema": subject.subject, "schema_version": 1, **options}
    with pytest.raises(RestAPIError, match=problem):
        kafka.create_topic(**wanted)
    assert name not in [each.name for each in kafka.get_topics()]


def test_name_of_a_topic_is_taken_once(kafka, topic, subject):
    with pytest.raises(RestAPIError, match="already") as refused:
        kafka.create_topic(topic.name, subject.subject, 1)
    assert refused.value.response.status_code == 409


def record(*fields, name="r"):
    return {"type": "record", "name": name, "fields": list(fields)}


def field(type_, name="a", **more):
    return {"name": name, "type": type_, **more}


NO_SCHEMAS = [
    ({"type": "nothing"}, "Undefined type: nothing"),
    ("x", "object from x"),
    ({}, 'No "type" property: {}'),
    (None, "object from None"),
    ({"type": "record", "fields": []}, "Name None must be a string"),
    ({"type": "record", "name": "r"}, "requires a non-empty fields property"),
    ({"type": "record", "name": "r", "fields": "x"}, "must be a list"),
    (record(name="1x"), "1x is not a valid Avro name"),
    (record({"type": "int"}), "Fields must have a non-empty name"),
    (record({"name": "a"}), 'Type property "None" not a valid Avro schema'),
    (record(field("int"), field("int")), "Field name a already in use"),
    (record(field("array")), 'Type property "array" not a valid Avro schema'),
    (record(field({"type": "array"})), "Items schema (None) not a valid Avro schema"),
    (record(field({"type": "map", "values": "nothing"})), "object from nothing"),
    (record(field("int", default="x")), "Default value <x> must match"),
    (["int", "int"], "int type already in Union"),
    (["int", ["string"]], "Unions cannot contain other unions"),
    ({"type": "enum", "name": "e", "symbols": ["A", "A"]}, "Duplicate symbol"),
    ({"type": "fixed", "name": "f", "size": -1}, "positive integer for size"),
]


@pytest.mark.parametrize(("schema", "problem"), NO_SCHEMAS)
def test_what_is_no_schema_is_refused_with_the_reason(kafka, name, schema, problem):
    with pytest.raises(RestAPIError, match="This is no Avro schema") as refused:
        kafka.create_schema(name, schema)
    assert problem in refused.value.response.json()["errorMsg"]
    assert refused.value.response.status_code == 422


TREE = record(field("int"), field(["null", "r"], "next", default=None))
ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
READS = {  # before, after, and why not
    "a wider number": (record(field("int")), record(field("double")), None),
    "a narrower number": (record(field("long")), record(field("int")), "writer type: long"),
    "text for a number": (record(field("int")), record(field("string")), "at /fields/0/type"),
    "bytes for text": (record(field("string")), record(field("bytes")), None),
    "none any more": (record(field("int"), field("int", "b")), record(field("int")), None),
    "a new one": (record(field("int")), record(field("int"), field("int", "b")), "value (b)"),
    "a new one with a default": (
        record(field("int")), record(field("int"), field("int", "b", default=0)), None,
    ),
    "another name": (record(field("int")), record(field("int", "b")), "value (b)"),
    "another name that knows the first": (
        record(field("int")), record(field("int", "b", aliases=["a"])), None,
    ),
    "a union of it": (record(field("int")), record(field(["null", "int"])), None),
    "one of a union": (record(field(["null", "int"])), record(field("int")), "writer type: null"),
    "another record": (record(field("int")), record(field("int"), name="s"), "expected: r"),
    "a list of others": (
        {"type": "array", "items": "int"}, {"type": "array", "items": "string"}, "at /items",
    ),
    "a map of wider numbers": (
        {"type": "map", "values": "int"}, {"type": "map", "values": "long"}, None,
    ),
    "a symbol less": (ENUM, {**ENUM, "symbols": ["A"]}, "missing enum symbols ({'B'})"),
    "a symbol less, with a default": (ENUM, {**ENUM, "symbols": ["A"], "default": "A"}, None),
    "another size": (
        {"type": "fixed", "name": "f", "size": 2}, {"type": "fixed", "name": "f", "size": 3},
        "size mismatch (expected: 2, found: 3)",
    ),
    "a record in itself": (
        TREE, {**TREE, "fields": [field("long"), TREE["fields"][1]]}, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "problem"), READS.values(), ids=READS)
def test_a_further_version_must_read_what_the_latest_wrote(kafka, name, before, after, problem):
    assert kafka.create_schema(name, before).version == 1
    if problem is None:
        assert kafka.create_schema(name, after).version == 2
        return
    with pytest.raises(RestAPIError, match="cannot read records of version 1") as refused:
        kafka.create_schema(name, after)
    assert problem in refused.value.response.json()["errorMsg"]
    assert refused.value.response.status_code == 409
    assert [each.version for each in kafka.get_schemas(name)] == [1]


def test_topic_and_schema_of_a_feature_group_are_its_own(kafka, online_group, name):
    import pandas as pd

    group = online_group()
    group.insert(pd.DataFrame({"id": [1]}))
    topic = kafka.get_topic(group._online_topic_name)
    with pytest.raises(RestAPIError, match="no topic"):
        topic.delete()
    with pytest.raises(RestAPIError, match="a feature group's"):
        kafka.create_schema(f"{name}_1", SCHEMA)
    with pytest.raises(RestAPIError, match="no version 1"):
        kafka.get_schema(f"{name}_1", 1).delete()
