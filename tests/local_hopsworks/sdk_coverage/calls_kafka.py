"""How each public method of KafkaApi, OnlineIngestion and their things is called."""

from __future__ import annotations

from typing import Any

from calls_project import Calls
from world import World

_SCHEMA = {"type": "record", "name": "sale", "fields": [{"name": "id", "type": "int"}]}


def _new_topic(w: World) -> Any:
    subject = w.kafka.create_schema(w.name("schema"), _SCHEMA)
    return w.kafka.create_topic(w.name("topic"), subject.subject, subject.version)


def _new_schema(w: World) -> Any:
    return w.kafka.create_schema(w.name("schema"), _SCHEMA)


def _sent_and_read(w: World) -> bool:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

    topic, config = _new_topic(w).name, w.kafka.get_default_config()
    producer = Producer({key: value for key, value in config.items() if key != "group.id"})
    producer.produce(topic, b"value")
    producer.flush(60)
    consumer = Consumer(config)
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    message = consumer.poll(60)
    consumer.close()
    return message is not None and message.value() == b"value"


KAFKA: Calls = {
    "create_schema": lambda w: _new_schema(w).version == 1,
    "create_topic": lambda w: _new_topic(w).num_partitions == 1,
    "get_default_config": _sent_and_read,
    "get_schema": lambda w: w.kafka.get_schema(_new_schema(w).subject, 1).version == 1,
    "get_schemas": lambda w: len(w.kafka.get_schemas(_new_schema(w).subject)) == 1,
    "get_subject": lambda w: (
        w.online_group.name
        in w.kafka.get_subject(w.store.id, w.online_group.get_fg_name())["schema"]
    ),
    "get_subjects": lambda w: w.kafka.get_subjects(),
    "get_topic": lambda w: w.kafka.get_topic(_new_topic(w).name) is not None,
    "get_topics": lambda w: _new_topic(w).name in [each.name for each in w.kafka.get_topics()],
}

INGESTION: Calls = {
    "get_failures": lambda w: w.ingestion.get_failures(),
    "print_logs": lambda w: w.ingestion.print_logs(),
    "refresh": lambda w: (w.ingestion.refresh(), w.ingestion.results[0].rows == 20)[1],
    "wait_for_completion": lambda w: w.ingestion.wait_for_completion(),
}
