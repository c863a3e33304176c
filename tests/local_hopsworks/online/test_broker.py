"""The Kafka endpoint: who may speak to it, what it takes, and what it survives."""

from __future__ import annotations

import random
import socket
import struct
import threading

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from local_hopsworks.online.record_batch import LARGEST_BATCH
from local_hopsworks.online.wire import (
    CORRUPT_MESSAGE,
    INVALID_RECORD,
    MESSAGE_TOO_LARGE,
    NONE,
    UNSUPPORTED_COMPRESSION,
)
from local_hopsworks.security import Security
from tests.local_hopsworks.online.kafka import (
    TOPIC,
    Endpoint,
    error_of,
    is_cut_off,
    produce_request,
)
from tests.processes import wait

GIVE_UP = {"message_timeout_ms": 2500}
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    started = Endpoint(tmp_path_factory.mktemp("endpoint"))
    yield started
    started.close()
    assert "Traceback" not in started.said()


@pytest.fixture
def keys(request):
    """Keys that no other test writes."""
    first = 10_000 * (1 + request.session.items.index(request.node))
    return range(first, first + 1000)


# -------------------------------------------------------------------------------------------------
# what it takes


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_rows_are_there_when_they_are_acknowledged(endpoint, keys, codec):
    assert set(endpoint.send(keys, codec * 20, compression_type=codec, linger_ms=20)) == {None}
    assert set(keys) <= endpoint.keys_there()


def test_idempotent_producer_is_served(endpoint, keys):
    assert set(endpoint.send(keys, enable_idempotence="true")) == {None}
    assert set(keys) <= endpoint.keys_there()


def test_consumer_sees_topics_and_offsets(endpoint, keys):
    endpoint.send(keys)
    consumer = Consumer(endpoint.config(group_id="hsfs_consumer_group"))
    described = consumer.list_topics(timeout=60).topics[TOPIC]
    first, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=60)
    consumer.close()
    assert list(described.partitions) == [0] and first == end >= len(keys)


def test_row_of_a_megabyte_fits(endpoint, keys):
    assert endpoint.send(keys[:1], "x" * 4000) == [None]
    large = Producer(endpoint.config(message_max_bytes=10_000_000))
    problems = []
    large.produce(TOPIC, value=b"x" * 1_500_000, headers=endpoint.headers,
                  callback=lambda error, _: problems.append(error))  # fmt: skip
    large.flush(60)
    assert problems == [None]  # it came, though it is no row: see what is said of it
    wait(lambda: "cannot be kept online: not in the group's schema" in endpoint.said())


# -------------------------------------------------------------------------------------------------
# who may speak to it


def test_client_without_a_certificate_is_refused(endpoint, keys):
    strangers = {"ssl_certificate_location": None, "ssl_key_location": None}
    assert endpoint.send(keys[:1], **strangers, **GIVE_UP) == ["_MSG_TIMED_OUT"]
    assert keys[0] not in endpoint.keys_there()


def test_client_in_plain_text_is_refused(endpoint, keys):
    plain = dict.fromkeys(["ssl_ca_location", "ssl_certificate_location", "ssl_key_location"])
    answers = endpoint.send(keys[:1], security_protocol="PLAINTEXT", **plain, **GIVE_UP)
    assert answers == ["_MSG_TIMED_OUT"] and keys[0] not in endpoint.keys_there()


def test_certificate_of_another_store_is_refused(endpoint, keys, tmp_path):
    Security(tmp_path / "other", lambda: tmp_path / "draft")
    foreign = {
        "ssl_certificate_location": str(tmp_path / "other" / "client.pem"),
        "ssl_key_location": str(tmp_path / "other" / "client.key"),
    }
    assert endpoint.send(keys[:1], **foreign, **GIVE_UP) == ["_MSG_TIMED_OUT"]
    assert keys[0] not in endpoint.keys_there()


def test_certificate_of_the_server_is_not_a_clients(endpoint, keys):
    servers = {
        "ssl_certificate_location": str(endpoint.keys / "server.pem"),
        "ssl_key_location": str(endpoint.keys / "server.key"),
    }
    assert endpoint.send(keys[:1], **servers, **GIVE_UP) == ["_MSG_TIMED_OUT"]
    assert keys[0] not in endpoint.keys_there()


# -------------------------------------------------------------------------------------------------
# what it refuses


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, "no header featureGroupId"),
        ({"featureGroupId": b"x"}, "no header featureGroupId with a number"),
        ({"featureGroupId": b"8"}, "no feature group of this topic"),
        ({"featureGroupId": b"7", "subjectId": b"99"}, "no schema of their feature group"),
    ],
)
def test_records_that_name_no_group_or_schema_are_refused(endpoint, keys, headers, problem):
    producer, answers = Producer(endpoint.config()), []
    producer.produce(TOPIC, value=endpoint.row(keys[0]), headers=headers,
                     callback=lambda error, _: answers.append(error.name()))  # fmt: skip
    producer.flush(60)
    assert answers == ["INVALID_RECORD"]
    wait(lambda: problem in endpoint.said())
    assert keys[0] not in endpoint.keys_there()


def test_decompression_bomb_is_refused_without_being_held(endpoint, keys):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as compressed:
        for _ in range(3000):
            compressed.write(bytes(MEBIBYTE))
    bomb = sink.getvalue().to_pybytes()
    before = endpoint.memory
    with endpoint.connect() as connection:
        request = produce_request(endpoint.batch(keys[:1], 4, bomb))
        assert error_of(connection, request) == MESSAGE_TOO_LARGE
        boast = b"\xff\xff\xff\xff\x0f" + b"x" * 50  # a snappy frame that says it has 4 GiB
        request = produce_request(endpoint.batch(keys[:1], 2, boast))
        assert error_of(connection, request) == MESSAGE_TOO_LARGE
        request = produce_request(endpoint.batch(keys[:1]))
        assert error_of(connection, request) == NONE
    assert endpoint.memory - before < 4 * LARGEST_BATCH


@pytest.mark.parametrize(
    ("codec", "body", "count", "error"),
    [
        (1, b"not gzip", None, UNSUPPORTED_COMPRESSION),
        (7, b"no codec", None, UNSUPPORTED_COMPRESSION),
        (0, None, 2_000_000_000, CORRUPT_MESSAGE),
        (0, None, 0, CORRUPT_MESSAGE),
        (0, b"\xff" * 40, None, CORRUPT_MESSAGE),
        (0x10, None, None, INVALID_RECORD),
    ],
)
def test_batch_that_is_none_is_refused_and_the_next_one_taken(
    endpoint, keys, codec, body, count, error
):
    with endpoint.connect() as connection:
        bad = produce_request(endpoint.batch(keys[:1], codec, body, count))
        assert error_of(connection, bad) == error
        assert error_of(connection, produce_request(endpoint.batch(keys[:1]))) == NONE


@pytest.mark.parametrize(
    "length", [-5, 0, 7, 200_000_000, 2**31 - 1], ids=lambda length: f"length {length}"
)
def test_request_of_an_impossible_length_ends_the_connection(endpoint, length):
    before = endpoint.memory
    with endpoint.connect() as connection:
        assert is_cut_off(connection, struct.pack(">i", length) + b"x" * 1000)
    assert endpoint.memory - before < 16 * MEBIBYTE


@pytest.mark.parametrize("call", [(4, 0), (0, 3), (36, 1), (-1, -1)], ids=str)
def test_call_that_is_not_offered_ends_the_connection(endpoint, call):
    body = struct.pack(">hhih", *call, 1, -1) + bytes(20)
    with endpoint.connect() as connection:
        assert is_cut_off(connection, struct.pack(">i", len(body)) + body)


# -------------------------------------------------------------------------------------------------
# what it survives


def test_random_bytes_before_and_inside_of_tls(endpoint, keys):
    chance = random.Random(1)
    with socket.create_connection(("127.0.0.1", endpoint.port), 60) as plain:
        plain.settimeout(60)
        assert is_cut_off(plain, chance.randbytes(5000))
    with endpoint.connect() as connection:
        assert is_cut_off(connection, b"\x7f" + chance.randbytes(5000))
    assert endpoint.send(keys[:1]) == [None]


def test_changed_requests_are_refused_or_taken_and_nothing_breaks(endpoint, keys):
    chance = random.Random(2)
    good = produce_request(endpoint.batch(keys[:20]))
    connection = endpoint.connect()
    for _ in range(400):
        changed = bytearray(good)
        for _ in range(chance.choice((1, 1, 2, 5, 30))):
            at = chance.randrange(4, len(changed))
            changed[at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        try:
            error_of(connection, bytes(changed))
        except (OSError, EOFError, struct.error):
            connection.close()
            connection = endpoint.connect()
    connection.close()
    assert endpoint.send(keys[20:21]) == [None]


def test_silent_connections_leave_room_for_a_client(endpoint, keys):
    silent = [socket.create_connection(("127.0.0.1", endpoint.port), 60) for _ in range(200)]
    try:
        assert endpoint.send(keys[:1]) == [None]
        silent[0].settimeout(60)
        assert is_cut_off(silent[0])  # after five seconds
    finally:
        for connection in silent:
            connection.close()


def test_half_a_request_holds_up_nobody(endpoint, keys):
    with endpoint.connect() as connection:
        connection.sendall(struct.pack(">i", 30_000_000) + b"x" * 500_000)
        assert endpoint.send(keys[:1]) == [None]


def test_broker_killed_in_the_middle_loses_no_acknowledged_row(endpoint, keys):
    producer, acknowledged = Producer(endpoint.config(linger_ms=1)), set()

    def acknowledge(error, message):
        if error is None:
            acknowledged.add(int(message.key()))

    for position, key in enumerate(keys):
        producer.produce(TOPIC, key=str(key), value=endpoint.row(key), headers=endpoint.headers,
                         callback=acknowledge)  # fmt: skip
        producer.poll(0)
        if position == 500:
            while not acknowledged:
                producer.poll(0.01)
            endpoint.kill()
            before_the_kill = set(acknowledged)
            assert before_the_kill <= endpoint.keys_there()
            threading.Timer(0.3, endpoint.start).start()
    assert producer.flush(120) == 0
    assert acknowledged == set(keys) <= endpoint.keys_there()
