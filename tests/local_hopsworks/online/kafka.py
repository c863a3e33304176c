"""A Kafka endpoint of its own for a test, and the clients and bytes that it is tried with."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Producer

from local_hopsworks.online import online_table, subjects
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.online.wire import encoded_varint
from local_hopsworks.security import Security

TOPIC = "1_7_prices_1_onlinefs"
GROUP = {
    "id": 7,
    "name": "prices",
    "version": 1,
    "onlineEnabled": True,
    "features": [
        {"name": "id", "type": "bigint", "primary": True},
        {"name": "note", "type": "string", "onlineType": "varchar(4000)"},
    ],
}


class Endpoint:
    """A broker's process over a store in `folder`, and what is in its one table."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.keys = folder, folder / "security"
        Security(self.keys, lambda: folder / "draft")
        self.store = OnlineStore(folder / "online" / "p.db")
        self.table: Table = online_table.table_of(GROUP, TOPIC)
        with self.store.transaction(write=True) as db:
            self.store.create(db, self.table)
            subject = subjects.find(db, "prices_1", None)
        assert subject is not None
        self._schema = fastavro.parse_schema(json.loads(subject.schema))
        self.headers = {"featureGroupId": b"7", "subjectId": str(subject.id).encode()}
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start the process, on the port that it had."""
        where = [str(self.folder / "online"), str(self.keys), "127.0.0.1", str(self.port)]
        with (self.folder / "said").open("ab") as said:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "local_hopsworks.online.endpoint", *where],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        assert self._child.stdout is not None
        self.port = int(self._child.stdout.readline())

    def kill(self) -> None:
        """SIGKILL; what it has acknowledged must be there."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def close(self) -> None:
        """End the process, as its server does."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(60)
        self._child.stdout.close()
        self.store.close()

    @property
    def memory(self) -> int:
        """Bytes that the process has now (Linux)."""
        pages = Path(f"/proc/{self._child.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def said(self) -> str:
        """What the process has written to its standard error."""
        return (self.folder / "said").read_text()

    def keys_there(self) -> set[int]:
        """The keys of the rows in the table."""
        with self.store.transaction(write=False) as db:
            return {key for (key,) in online_table.scan(db, self.table, ["id"])}

    def config(self, **options: Any) -> dict[str, Any]:
        """The configuration of a client that holds the store's certificate."""
        base = {
            "bootstrap.servers": f"127.0.0.1:{self.port}",
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.keys / "ca.pem"),
            "ssl.certificate.location": str(self.keys / "client.pem"),
            "ssl.key.location": str(self.keys / "client.key"),
            "log_level": 0,
        }
        base |= {name.replace("_", "."): value for name, value in options.items()}
        return {name: value for name, value in base.items() if value is not None}

    def row(self, key: int, note: str = "x") -> bytes:
        """A row as the SDK encodes it."""
        with io.BytesIO() as written:
            fastavro.schemaless_writer(written, self._schema, {"id": key, "note": note})
            return written.getvalue()

    def send(self, keys: Iterable[int], note: str = "x", **options: Any) -> list[str | None]:
        """Produce rows with a client of their own; the name of the error of each, or None."""
        producer, answers = Producer(self.config(**options)), []
        for key in keys:
            producer.produce(
                TOPIC,
                key=str(key),
                value=self.row(key, note),
                headers=self.headers,
                callback=lambda error, _: answers.append(error and error.name()),
            )
            producer.poll(0)
        producer.flush(60)
        return answers

    def connect(self) -> ssl.SSLSocket:
        """A connection of a client that holds the store's certificate, for bytes of any kind."""
        context = ssl.create_default_context(cafile=str(self.keys / "ca.pem"))
        context.load_cert_chain(self.keys / "client.pem", self.keys / "client.key")
        plain = socket.create_connection(("127.0.0.1", self.port), 60)
        connection = context.wrap_socket(plain, server_hostname="127.0.0.1")
        connection.settimeout(60)
        return connection

    def batch(self, keys: Iterable[int], codec: int = 0, body: bytes | None = None,
              count: int | None = None) -> bytes:  # fmt: skip
        """A record batch, written by hand; `body` and `count` replace what would be true."""
        header = encoded_varint(len(self.headers))
        for name, value in self.headers.items():
            header += encoded_varint(len(name)) + name.encode()
            header += encoded_varint(len(value)) + value
        records, number = b"", 0
        for number, key in enumerate(keys):
            value = self.row(key)
            record = b"\0" + encoded_varint(0) + encoded_varint(number) + encoded_varint(-1)
            record += encoded_varint(len(value)) + value + header
            records += encoded_varint(len(record)) + record
        count = number + 1 if count is None else count
        numbers = struct.pack(">hiqqqhii", codec, number, 0, 0, -1, -1, -1, count)
        rest = numbers + (records if body is None else body)
        return struct.pack(">qiibI", 0, len(rest) + 9, 0, 2, 0) + rest


def produce_request(batch: bytes) -> bytes:
    """A produce request (version 8) with one batch for the topic."""
    body = struct.pack(">hhih", 0, 8, 7, -1) + struct.pack(">hhi", -1, 1, 1000)
    body += struct.pack(">ih", 1, len(TOPIC)) + TOPIC.encode()
    body += struct.pack(">iii", 1, 0, len(batch)) + batch
    return struct.pack(">i", len(body)) + body


def error_of(connection: ssl.SSLSocket, request: bytes) -> int:
    """Kafka's error code in the answer to a produce request; EOFError if the connection is cut."""
    connection.sendall(request)
    (size,) = struct.unpack(">i", _read(connection, 4))
    answer = _read(connection, size)
    at = 4 + 4 + 2 + len(TOPIC) + 4 + 4  # correlation, topics, name, partitions, partition
    return int(struct.unpack_from(">h", answer, at)[0])


def is_cut_off(connection: socket.socket, sent: bytes = b"") -> bool:
    """Whether the other end closes the connection, without an answer."""
    with contextlib.suppress(ConnectionError, ssl.SSLError, BrokenPipeError):
        connection.sendall(sent)
        return connection.recv(1) == b""
    return True


def _read(connection: ssl.SSLSocket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise EOFError("the connection was cut off")
        found += part
    return found
