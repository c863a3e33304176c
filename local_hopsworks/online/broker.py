"""The Kafka broker that online feature groups are written through: TLS on loopback, for holders of
the store's client certificate alone.

It offers each call in one old version (see wire.py). A client that sends what is no request, or
that is silent for too long in the middle of one, is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import ssl
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from local_hopsworks.online import topics, wire
from local_hopsworks.online.brokered import Brokered
from local_hopsworks.online.coordinator import Coordinator
from local_hopsworks.online.ingest import Appended, Produced
from local_hopsworks.online.wire import Reader, WireError, array, int16, int32, int64, string

LARGEST_REQUEST = 32 * 2**20  # bytes; librdkafka sends at most 1 MB unless told otherwise
MOST_CONNECTIONS = 64
MOST_UNDER_WAY = 16  # requests of one connection that are read before they are answered
HANDSHAKE_SECONDS = 5.0
REQUEST_SECONDS = 30.0  # from the first byte of a request to its last
BUSY_PAUSE_SECONDS = 0.2
NODE = 1  # the broker's number; it is the only one
CLUSTER = "local_hopsworks"
# The versions that are offered. librdkafka writes record batches of version 2 only to a broker that
# has this version of Fetch.
VERSIONS = {
    wire.PRODUCE: (8, 8),
    wire.FETCH: (4, 4),
    wire.LIST_OFFSETS: (2, 2),
    wire.METADATA: (7, 7),
    wire.OFFSET_COMMIT: (2, 2),
    wire.OFFSET_FETCH: (1, 1),
    wire.FIND_COORDINATOR: (1, 1),
    wire.JOIN_GROUP: (0, 0),
    wire.HEARTBEAT: (0, 0),
    wire.LEAVE_GROUP: (0, 0),
    wire.SYNC_GROUP: (0, 0),
    wire.API_VERSIONS: (0, 3),
    wire.INIT_PRODUCER_ID: (1, 1),
}
Answer = TypeVar("Answer")


class Writes:
    """Applies what comes at the same time together: one commit, one flush to the disk."""

    def __init__(self, store: Callable[[list[Produced]], Awaitable[list[Appended]]]) -> None:
        self._store = store
        self._waiting: list[tuple[list[Produced], asyncio.Future[list[Appended]]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def apply(self, parts: list[Produced]) -> list[Appended]:
        """Apply record batches; returns when they are on the disk. Raises sqlite3.Error."""
        applied: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self._waiting.append((parts, applied))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await applied

    async def _work(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            try:
                answers = await self._store([part for parts, _ in together for part in parts])
            except sqlite3.Error as error:
                for _, applied in together:
                    if not applied.done():
                        applied.set_exception(error)
                continue
            for parts, applied in together:
                if not applied.done():  # else its connection has gone
                    applied.set_result(answers[: len(parts)])
                answers = answers[len(parts) :]
        self._worker = None


class Broker:
    """Serves the topics of one store on `host` and `port` (0: a free one)."""

    def __init__(self, stores: Brokered, certificates: Path, host: str, port: int) -> None:
        self._stores, self.host, self.port = stores, host, port
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._tls.load_verify_locations(certificates / "ca.pem")
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._connections = 0
        # One thread: SQLite has one writer at a time, and batches stay in their order
        self._worker = ThreadPoolExecutor(1, "kafka-store")
        self._writes = Writes(lambda parts: self._in_worker(stores.produce, parts))
        self._calls: dict[int, Callable[[Reader], Awaitable[bytes | None]]] = {
            wire.PRODUCE: self._produce,
            wire.LIST_OFFSETS: self._list_offsets,
            wire.METADATA: self._metadata,
            wire.FIND_COORDINATOR: self._find_coordinator,
            wire.INIT_PRODUCER_ID: self._init_producer_id,
            **Coordinator(stores, self._in_worker).calls,
        }

    async def listen(self) -> asyncio.Server:
        """Start to listen; `port` is then the port."""
        server = await asyncio.start_server(
            self._serve,
            self.host,
            self.port,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=1,
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MOST_CONNECTIONS:
                await self._converse(reader, writer)
        except (OSError, EOFError, asyncio.TimeoutError, WireError):
            pass  # the client has gone, or sent something that has no answer
        except sqlite3.Error as error:
            # The client keeps what has no answer and sends it again, in order; an error code would
            # let the requests behind this one overtake it.
            _tell(f"The online store cannot be written ({error}); clients try again.")
            await asyncio.sleep(BUSY_PAUSE_SECONDS)
        finally:
            self._connections -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests while the ones before are worked on; the answers keep their order."""
        under_way: asyncio.Queue[asyncio.Future[bytes | None]] = asyncio.Queue(MOST_UNDER_WAY)
        answering: asyncio.Future[Any] = asyncio.ensure_future(_send(under_way, writer))
        reading: asyncio.Future[Any] = asyncio.ensure_future(self._read(reader, under_way))
        try:
            await asyncio.wait([reading, answering], return_when=asyncio.FIRST_COMPLETED)
            for task in (answering, reading):  # the first that failed says why
                if task.done():
                    task.result()
        finally:
            left = [reading, answering]
            while not under_way.empty():
                left.append(under_way.get_nowait())
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _read(
        self, reader: asyncio.StreamReader, under_way: asyncio.Queue[asyncio.Future[bytes | None]]
    ) -> None:
        while True:
            start = await reader.readexactly(1)
            request = await asyncio.wait_for(_rest(start, reader), REQUEST_SECONDS)
            await under_way.put(asyncio.ensure_future(self._answer(request)))

    async def _answer(self, request: bytes) -> bytes | None:
        reader = Reader(request)
        call, version, correlation = reader.int16(), reader.int16(), reader.int32()
        reader.nullable_string()  # the client's name for itself
        head = int32(correlation)
        if call == wire.API_VERSIONS:
            return head + _api_versions(version)
        lowest, highest = VERSIONS.get(call, (0, -1))
        if call not in self._calls or not lowest <= version <= highest:
            raise WireError(f"call {call} in version {version} is not offered")
        answer = await self._calls[call](reader)
        return None if answer is None else head + answer

    async def _in_worker(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function, *arguments)

    async def _produce(self, reader: Reader) -> bytes | None:
        transaction, acknowledgements = reader.nullable_string(), reader.int16()
        reader.int32()  # how long to wait for other brokers
        if transaction is not None:
            raise WireError("transactions are not offered")

        def topic() -> list[Produced]:
            name = reader.string()
            return reader.array(lambda: Produced(name, reader.int32(), reader.binary()))

        parts = [part for parts in reader.array(topic) for part in parts]
        answers = await self._writes.apply(parts)
        if not acknowledgements:
            return None
        answered = []
        for part, answer in zip(parts, answers, strict=True):
            times = int64(-1) + int64(0)
            partition = int32(part.part) + int16(answer.error) + int64(answer.offset) + times
            answered.append(string(part.topic) + array([partition + array([]) + string(None)]))
        return array(answered) + int32(0)

    async def _metadata(self, reader: Reader) -> bytes:
        names = reader.nullable_array(reader.string)
        found = await self._in_worker(self._stores.topics)
        wanted = sorted(found) if names is None else names
        broker = int32(NODE) + string(self.host) + int32(self.port) + string(None)
        described = array(_described(name, found.get(name)) for name in wanted)
        return int32(0) + array([broker]) + string(CLUSTER) + int32(NODE) + described

    async def _list_offsets(self, reader: Reader) -> bytes:
        reader.int32(), reader.int8()  # who asks, and how isolated from transactions

        def topic() -> tuple[str, list[tuple[int, int]]]:
            return reader.string(), reader.array(lambda: (reader.int32(), reader.int64()))

        answered = []
        for name, parts in reader.array(topic):
            answers = []
            for part, moment in parts:
                offset = await self._in_worker(self._stores.offset, name, part, moment)
                error = wire.UNKNOWN_TOPIC_OR_PARTITION if offset is None else wire.NONE
                answers.append(
                    int32(part) + int16(error) + int64(-1) + int64(-1 if offset is None else offset)
                )
            answered.append(string(name) + array(answers))
        return int32(0) + array(answered)

    async def _find_coordinator(self, reader: Reader) -> bytes:
        """Of every group it is this broker; transactions have none."""
        reader.string()
        if reader.int8() != 0:
            error = int16(wire.COORDINATOR_NOT_AVAILABLE) + string(None)
            return int32(0) + error + int32(-1) + string("") + int32(-1)
        here = int32(NODE) + string(self.host) + int32(self.port)
        return int32(0) + int16(wire.NONE) + string(None) + here

    async def _init_producer_id(self, reader: Reader) -> bytes:
        if reader.nullable_string() is not None:
            return int32(0) + int16(wire.UNSUPPORTED_VERSION) + int64(-1) + int16(-1)
        producer = secrets.randbits(62)  # none had it before
        return int32(0) + int16(wire.NONE) + int64(producer) + int16(0)


async def _send(
    under_way: asyncio.Queue[asyncio.Future[bytes | None]], writer: asyncio.StreamWriter
) -> None:
    while True:
        answer = await (await under_way.get())
        if answer is not None:
            writer.write(wire.binary(answer))
            await writer.drain()


async def _rest(start: bytes, reader: asyncio.StreamReader) -> bytes:
    """A request without its length, of which the first byte has come."""
    size = int.from_bytes(start + await reader.readexactly(3), "big", signed=True)
    if not 8 <= size <= LARGEST_REQUEST:
        raise WireError(f"a request of {size} bytes")
    return await reader.readexactly(size)


def _api_versions(version: int) -> bytes:
    ranges = [int16(call) + int16(low) + int16(high) for call, (low, high) in VERSIONS.items()]
    if version == 3:  # flexible: counts are one more, and every record ends in a list of tags
        records = b"".join(each + b"\0" for each in ranges)
        return int16(wire.NONE) + bytes([len(ranges) + 1]) + records + int32(0) + b"\0"
    if version > 3:  # answered in version 0, from which the client learns the highest
        return int16(wire.UNSUPPORTED_VERSION) + array(ranges)
    throttle = int32(0) if version in (1, 2) else b""
    return int16(wire.NONE) + array(ranges) + throttle


def _described(name: str, topic: topics.Topic | None) -> bytes:
    error = wire.UNKNOWN_TOPIC_OR_PARTITION if topic is None else wire.NONE
    replicas = array([int32(NODE)])
    partitions = [
        int16(wire.NONE) + int32(part) + int32(NODE) + int32(0) + replicas * 2 + array([])
        for part in range(topic.partitions if topic else 0)
    ]
    return int16(error) + string(name) + wire.int8(0) + array(partitions)


def _tell(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
