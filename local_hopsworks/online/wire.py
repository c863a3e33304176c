"""Kafka's way of writing requests and answers: big-endian numbers, strings and lists with a count.

The broker offers each call in one old version, of before Kafka's "flexible" encoding, so these few
forms are all there is (https://kafka.apache.org/protocol). Every length from outside is checked
against the bytes that are there before anything is made of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")

# Calls by their number
PRODUCE, FETCH, LIST_OFFSETS, METADATA = 0, 1, 2, 3
OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR = 8, 9, 10
JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 11, 12, 13, 14
API_VERSIONS, INIT_PRODUCER_ID = 18, 22

# Error codes
NONE = 0
OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
UNKNOWN_TOPIC_OR_PARTITION = 3
MESSAGE_TOO_LARGE = 10
COORDINATOR_NOT_AVAILABLE = 15
ILLEGAL_GENERATION = 22
UNKNOWN_MEMBER_ID = 25
REBALANCE_IN_PROGRESS = 27
UNSUPPORTED_VERSION = 35
OUT_OF_ORDER_SEQUENCE = 45
UNKNOWN_PRODUCER_ID = 59
UNSUPPORTED_COMPRESSION = 76
INVALID_RECORD = 87


class WireError(ValueError):
    """Bytes that are not Kafka's, or a call that is not offered: the connection is closed."""


class Reader:
    """Reads a request from its start to its end; raises WireError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int8(self) -> int:
        """A number of one byte."""
        return self._number(">b", 1)

    def int16(self) -> int:
        """A number of two bytes."""
        return self._number(">h", 2)

    def int32(self) -> int:
        """A number of four bytes."""
        return self._number(">i", 4)

    def int64(self) -> int:
        """A number of eight bytes."""
        return self._number(">q", 8)

    def string(self) -> str:
        """A text; empty for null."""
        return self.nullable_string() or ""

    def nullable_string(self) -> str | None:
        """A text or null."""
        size = self.int16()
        if size == -1:
            return None
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise WireError("a text is not UTF-8") from error

    def binary(self) -> bytes:
        """Bytes; empty for null."""
        size = self.int32()
        return b"" if size == -1 else self._take(size)

    def array(self, read: Callable[[], Item]) -> list[Item]:
        """A list of what `read` reads; empty for null."""
        return self.nullable_array(read) or []

    def nullable_array(self, read: Callable[[], Item]) -> list[Item] | None:
        """A list of what `read` reads, or null."""
        count = self.int32()
        if count == -1:
            return None
        smallest = 2  # bytes of an item
        if not 0 <= count <= (len(self._data) - self._at) // smallest:
            raise WireError("a count goes beyond its request")
        return [read() for _ in range(count)]

    def _number(self, kind: str, size: int) -> int:
        return int(struct.unpack(kind, self._take(size))[0])

    def _take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise WireError("a length goes beyond its request")
        self._at += size
        return self._data[self._at - size : self._at]


def int8(number: int) -> bytes:
    """A number of one byte."""
    return struct.pack(">b", number)


def int16(number: int) -> bytes:
    """A number of two bytes."""
    return struct.pack(">h", number)


def int32(number: int) -> bytes:
    """A number of four bytes."""
    return struct.pack(">i", number)


def int64(number: int) -> bytes:
    """A number of eight bytes."""
    return struct.pack(">q", number)


def string(text: str | None) -> bytes:
    """A text or null."""
    if text is None:
        return int16(-1)
    content = text.encode()
    return int16(len(content)) + content


def binary(content: bytes) -> bytes:
    """Bytes."""
    return int32(len(content)) + content


def array(items: Iterable[bytes]) -> bytes:
    """A list of items that are written already."""
    written = list(items)
    return int32(len(written)) + b"".join(written)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of records and Avro, and where it ends; IndexError beyond the end."""
    byte = data[at]
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at + 1
    found, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        found |= (byte & 127) << shift
        if byte < 128:
            return (found >> 1) ^ -(found & 1), at + 1
        shift += 7
        if shift > 63:
            raise IndexError("a number has too many bytes")


def encoded_varint(number: int) -> bytes:
    """A number as `varint` reads it."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    written = bytearray()
    while left > 127:
        written.append(left & 127 | 128)
        left >>= 7
    written.append(left)
    return bytes(written)
