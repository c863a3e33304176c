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
    wider = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "at", "type": "long"}]}
    assert kafka.create_schema(subject.subject, wider).version == 2
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


@pytest.mark.parametrize("schema", [{"type": "nothing"}, "x", {"type": "record", "fields": []}])
def test_what_is_no_schema_is_refused(kafka, name, schema):
    with pytest.raises(RestAPIError, match="no Avro schema"):
        kafka.create_schema(name, schema)


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
