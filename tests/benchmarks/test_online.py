"""Rows into the online store through the SDK and Kafka, until they are there: beside the SDK's own
encoding and sending alone, to a broker that keeps nothing, and beside the offline store alone."""

import numpy as np
import pandas as pd
import pytest
from confluent_kafka import Producer
from hsfs.core import kafka_engine

WAIT = {"wait_for_online_ingestion": True}
SIZES = [10_000, 200_000]


@pytest.fixture(params=SIZES, scope="module")
def rows(request):
    """Rows as wide as those of most feature groups: a key, a number, 150 characters."""
    count = request.param
    random = np.random.default_rng(1)
    texts = [f"{number:0150d}" for number in range(count)]
    return pd.DataFrame({"id": range(count), "price": random.random(count), "note": texts})


@pytest.fixture(scope="module")
def group(feature_store, rows):
    made = feature_store.get_or_create_feature_group(
        f"bench_online_{len(rows)}",
        version=1,
        primary_key=["id"],
        online_enabled=True,
        statistics_config=False,
    )
    made.insert(rows.head(1), write_options=WAIT)
    yield made
    made.delete()


@pytest.fixture(scope="module")
def void():
    """A producer whose broker keeps nothing: the one that librdkafka has for its own tests."""
    return Producer({"bootstrap.servers": "nowhere", "test.mock.num.brokers": 1})


def produce(group, rows, producer):
    """What the SDK does with rows on their way to Kafka, and no more."""
    complex_writers, writer = kafka_engine._get_writer_function(group)
    headers = {"featureGroupId": b"1", "subjectId": b"1", "onlineIngestionId": b"1"}
    for row in rows.itertuples(index=False):
        values = row._asdict()
        encoded = kafka_engine._encode_row(complex_writers, writer, values)
        kafka_engine._kafka_produce(
            producer, str(values["id"]), encoded, "void", headers, lambda error, message: None
        )
    producer.flush()


def test_online_beside_production_alone(group, rows, void, compare):
    compare(
        "insert online, until the rows are there",
        lambda: group.insert(rows, write_options=WAIT, storage="online"),
        lambda: produce(group, rows, void),
        len(rows),
        "production alone",
    )


def test_both_stores_beside_offline_alone(group, rows, compare):
    compare(
        "insert into both stores, until the rows are there",
        lambda: group.insert(rows, write_options=WAIT),
        lambda: group.insert(rows, storage="offline"),
        len(rows),
        "offline alone",
    )


def test_one_row_online(group, rows, compare):
    one = rows.head(1)
    compare(
        "insert one row online, until it is there",
        lambda: group.insert(one, write_options=WAIT, storage="online"),
        lambda: group.insert(one, storage="offline"),
        1,
        "offline alone",
    )
