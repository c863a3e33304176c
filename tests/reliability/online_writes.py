"""Every kind of write into an online feature store, each on a store with an online feature group, a
stream group and a topic."""

from __future__ import annotations

from typing import Any

import hsfs.feature
from furnished import GROUP, rows

WAIT = {"wait_for_online_ingestion": True}
MATERIALISE = {**WAIT, "wait_for_job": True}
FEATURES = [{"name": "id", "type": "bigint"}, {"name": "fare", "type": "double"}]
SCHEMA = {"type": "record", "name": "sale", "fields": [{"name": "id", "type": "int"}]}


def furnish(project: Any) -> None:
    """What is in the store before each operation."""
    store, kafka = project.get_feature_store(), project.get_kafka_api()
    latest = store.create_feature_group("latest", **GROUP, online_enabled=True)
    latest.insert(rows(1, 2, 3), write_options=WAIT)
    stream = store.create_feature_group("stream", **GROUP, online_enabled=True, stream=True)
    stream.insert(rows(1, 2, 3), write_options=MATERIALISE)
    kafka.create_schema("sales", SCHEMA)
    kafka.create_topic("kept", "sales", 1)


def latest(project: Any) -> Any:
    return project.get_feature_store().get_feature_group("latest", 1)


def stream(project: Any) -> Any:
    return project.get_feature_store().get_feature_group("stream", 1)


def create_online_group(project: Any) -> None:
    store = project.get_feature_store()
    store.create_feature_group("new", **GROUP, online_enabled=True, features=FEATURES).save()


def create_stream_group(project: Any) -> None:
    store = project.get_feature_store()
    options = {**GROUP, "online_enabled": True, "stream": True}
    store.create_feature_group("new", **options, features=FEATURES).save()


def insert_online(project: Any) -> None:
    latest(project).insert(rows(3, 4, 5, fare=9.0), write_options=WAIT)


def insert_stream(project: Any) -> None:
    stream(project).insert(rows(3, 4, 5, fare=9.0), write_options=MATERIALISE)


def overwrite_online(project: Any) -> None:
    latest(project).insert(rows(3, 7, fare=9.0), overwrite=True, write_options=WAIT)


def overwrite_stream(project: Any) -> None:
    stream(project).insert(rows(3, 7, fare=9.0), overwrite=True, write_options=MATERIALISE)


def remove_online_rows(project: Any) -> None:
    latest(project).remove_rows(rows(1, 2)[["id"]], write_options=WAIT)


def remove_stream_rows(project: Any) -> None:
    stream(project).remove_rows(rows(1, 2)[["id"]], write_options=WAIT)


def append_online_feature(project: Any) -> None:
    latest(project).append_features([hsfs.feature.Feature("embarked", "string")])


def append_stream_feature(project: Any) -> None:
    stream(project).append_features([hsfs.feature.Feature("embarked", "string")])


def delete_online_group(project: Any) -> None:
    latest(project).delete()


def delete_stream_group(project: Any) -> None:
    stream(project).delete()


def create_topic(project: Any) -> None:
    project.get_kafka_api().create_topic("new", "sales", 1)


def delete_topic(project: Any) -> None:
    project.get_kafka_api().get_topic("kept").delete()


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        create_online_group,
        create_stream_group,
        insert_online,
        insert_stream,
        overwrite_online,
        overwrite_stream,
        remove_online_rows,
        remove_stream_rows,
        append_online_feature,
        append_stream_feature,
        delete_online_group,
        delete_stream_group,
        create_topic,
        delete_topic,
    )
}
