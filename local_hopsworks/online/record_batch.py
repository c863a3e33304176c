"""Kafka's record batches (version 2): rows in, rows out.

Consecutive records with the same header bytes make a run: all rows of an insert have the same, so
headers are parsed once for hundreds of rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from local_hopsworks.online.wire import (
    CORRUPT_MESSAGE,
    INVALID_RECORD,
    MESSAGE_TOO_LARGE,
    UNSUPPORTED_COMPRESSION,
    varint,
)

# base offset, length, leader epoch, magic, CRC, attributes, last offset delta, first and last time,
# producer id, producer epoch, sequence, count
_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_FROM = 12  # the length counts the bytes after itself
_CODEC, _TRANSACTIONAL, _CONTROL = 0x07, 0x10, 0x20  # attributes
_CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_SMALLEST_RECORD = 7  # bytes
_MOST_HEADERS = 32
LARGEST_BATCH = 64 * 2**20  # bytes, once decompressed


class BadBatch(ValueError):
    """A batch that is refused, with Kafka's error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Run:
    """Records in a row that have the same headers."""

    headers: dict[str, bytes]
    values: list[bytes]


@dataclass(frozen=True)
class Batch:
    """The records of one produce request for one partition."""

    producer: int  # -1 without idempotence
    epoch: int
    sequence: int  # of the first record
    count: int
    last_time: int  # ms since 1970
    runs: list[Run]


def read(data: bytes) -> Batch:
    """Parse one batch; raises BadBatch.

    Its checksum is not looked at: TLS has checked the bytes.
    """
    if len(data) < _HEADER.size:
        raise BadBatch(CORRUPT_MESSAGE, "There is no record batch.")
    fields = _HEADER.unpack_from(data)
    _, length, _, magic, _, attributes, _, _, last_time, producer, epoch, sequence, count = fields
    if magic != 2 or length + _LENGTH_FROM != len(data):
        raise BadBatch(CORRUPT_MESSAGE, "This is not one record batch of version 2.")
    if attributes & (_TRANSACTIONAL | _CONTROL):
        raise BadBatch(INVALID_RECORD, "Transactions are not offered.")
    body = data[_HEADER.size :]
    if codec := attributes & _CODEC:
        body = _decompressed(codec, body)
    if not 0 < count <= len(body) // _SMALLEST_RECORD:
        raise BadBatch(CORRUPT_MESSAGE, "There are more records than bytes.")
    try:
        runs = list(_runs(body, count))
    except (IndexError, UnicodeDecodeError) as error:
        raise BadBatch(CORRUPT_MESSAGE, "A record goes beyond its batch.") from error
    return Batch(producer, epoch, sequence, count, last_time, runs)


def at_offset(data: bytes, offset: int) -> bytes:
    """The batch as a consumer gets it: its first record has this offset (the checksum leaves the
    offset out)."""
    return struct.pack(">q", offset) + data[8:]


def _runs(body: bytes, count: int) -> Iterator[Run]:
    run: Run | None = None
    previous: bytes | None = None
    at = 0
    for _ in range(count):
        value, headers, at = _record(body, at)
        if run is None or headers != previous:
            if run is not None:
                yield run
            previous, run = headers, Run(_headers(headers), [])
        run.values.append(value)
    if at != len(body):
        raise IndexError("bytes after the last record")
    if run is not None:
        yield run


def _record(body: bytes, at: int) -> tuple[bytes, bytes, int]:
    """The value and the header bytes of the record at `at`, and where it ends."""
    size, at = varint(body, at)
    end = at + size
    if size < 0 or end > len(body):
        raise IndexError("a record goes beyond its batch")
    at += 1  # attributes, of which there are none
    while body[at] > 127:  # its time
        at += 1
    at += 1
    while body[at] > 127:  # its offset within the batch
        at += 1
    size, at = varint(body, at + 1)
    if size > 0:  # the key, which is in the row as well
        at += size
    size, at = varint(body, at)
    if size < 0:
        size = 0  # a record without a value
    if at + size > end:
        raise IndexError("a value goes beyond its record")
    return body[at : at + size], body[at + size : end], end


def _headers(data: bytes) -> dict[str, bytes]:
    count, at = varint(data, 0)
    if not 0 <= count <= _MOST_HEADERS:
        raise BadBatch(INVALID_RECORD, "A record has too many headers.")
    found = {}
    for _ in range(count):
        size, at = varint(data, at)
        name = data[at : at + max(size, 0)].decode()
        size, at = varint(data, at + max(size, 0))
        found[name] = data[at : at + max(size, 0)]
        at += max(size, 0)
    if at != len(data):
        raise IndexError("headers go beyond their record")
    return found


def _decompressed(codec: int, body: bytes) -> bytes:
    """At most LARGEST_BATCH bytes, whatever the compressed ones promise."""
    import pyarrow as pa  # has all codecs of Kafka, and the SDK needs it anyway

    name = _CODECS.get(codec)
    try:
        if name == "snappy":
            size = _snappy_size(body)
            if size > LARGEST_BATCH:
                raise _too_large()
            return bytes(pa.Codec("snappy").decompress(body, size))
        with pa.CompressedInputStream(pa.BufferReader(body), name) as stream:
            found = bytes(stream.read(LARGEST_BATCH + 1))
    except (OSError, ValueError, TypeError, IndexError, pa.ArrowException) as error:
        if isinstance(error, BadBatch):
            raise
        message = f"The batch cannot be decompressed: {error}."
        raise BadBatch(UNSUPPORTED_COMPRESSION, message) from error
    if len(found) > LARGEST_BATCH:
        raise _too_large()
    return found


def _snappy_size(body: bytes) -> int:
    """What a snappy frame says of its size, in its first bytes."""
    size = 0
    for position, byte in enumerate(body[:5]):
        size |= (byte & 127) << (7 * position)
        if byte < 128:
            return size
    raise IndexError("no size")


def _too_large() -> BadBatch:
    return BadBatch(MESSAGE_TOO_LARGE, f"A batch is at most {LARGEST_BATCH // 2**20} MiB.")
