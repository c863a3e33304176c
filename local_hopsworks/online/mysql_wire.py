"""MySQL's wire protocol, as much of it as the SDK's drivers (aiomysql and PyMySQL) speak: a login,
then one query at a time, its rows as text.

Names and numbers are those of MySQL's own description of its client/server protocol. It is written
by hand because of strangers: nothing is read from them without a limit and a deadline. The library
mysql-mimic, tried first, keeps 192 MB of what a stranger sends and waits for a silent one for ever.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import string
import struct
import time

QUERY, QUIT = 3, 1
# Use a database, ping, reset the connection: nothing to do for them
ACCEPTED_COMMANDS = (2, 14, 31)
LARGEST_LOGIN = 2**16  # bytes
LARGEST_PACKET = 2**24 - 2  # bytes; a longer one comes in several packets, which is refused
LOGIN_SECONDS = 5
STALL_SECONDS = 60  # for the rest of a query that has begun, and for a client to take its rows

OK = b"\0\0\0\x02\0\0\0"
END = b"\xfe\0\0\x02\0"
NULL = b"\xfb"
UTF8, BINARY = 255, 63  # character sets

_PLUGIN = b"mysql_native_password"
_LETTERS = string.ascii_letters + string.digits
_VERSION = b"8.4.0-local-hopsworks\0"
_CAPABILITIES = (
    0x1  # long password
    | 0x4  # long column flags
    | 0x8  # a database at login
    | 0x200  # protocol 4.1
    | 0x2000  # transactions
    | 0x8000  # secure connection
    | 0x80000  # authentication plugins
    | 0x100000  # connection attributes
    | 0x200000  # long authentication data
)
_TLS, _WITH_DATABASE, _WITH_PLUGIN = 0x800, 0x8, 0x80000


class Refusal(Exception):
    """An error for the client, with MySQL's code and SQL state."""

    def __init__(self, message: str, code: int, state: str) -> None:
        super().__init__(message)
        text = message.encode(errors="replace")[:500]
        self.packet = b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text


class Gone(Exception):
    """The client closed the connection, or is none that speaks this protocol."""


class Connection:
    """Packets to and from one client."""

    def __init__(self, client: socket.socket) -> None:
        self._socket = client
        self._received = b""
        self._number = 0  # of the next packet to send

    def read(self, largest: int, deadline: float | None = None) -> bytes:
        """The next packet; raises Gone or Refusal.

        Without a deadline (in seconds of `time.monotonic`) it waits for the packet to begin as long
        as the connection lasts, as a pool of connections needs it.
        """
        header = self._exactly(4, deadline)
        size = int.from_bytes(header[:3], "little")
        self._number = (header[3] + 1) % 256
        if size > largest:
            raise Refusal(f"A packet may have {largest} bytes here, not {size}.", 1153, "08S01")
        return self._exactly(size, deadline or time.monotonic() + STALL_SECONDS)

    def write(self, *packets: bytes) -> None:
        """Send packets together; raises Gone, or Refusal for one that is too large."""
        framed = []
        for packet in packets:
            if len(packet) > LARGEST_PACKET:
                raise Refusal("A row is larger than 16 MB, which is not answered.", 1301, "HY000")
            framed.append(struct.pack("<I", len(packet) | self._number << 24))
            framed.append(packet)
            self._number = (self._number + 1) % 256
        try:
            self._socket.settimeout(STALL_SECONDS)
            self._socket.sendall(b"".join(framed))
        except OSError as error:
            raise Gone from error

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        while len(self._received) < size:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise Gone
            try:
                self._socket.settimeout(left)
                part = self._socket.recv(2**16)
            except OSError as error:
                raise Gone from error
            if not part:
                raise Gone
            self._received += part
        found, self._received = self._received[:size], self._received[size:]
        return found


def twice_hashed(password: str) -> bytes:
    """What the server has to know of a password."""
    return hashlib.sha1(hashlib.sha1(password.encode()).digest()).digest()


def login(connection: Connection, user: bytes, password: bytes) -> None:
    """Greet the client and check who it is; `password` is `twice_hashed`. Raises Refusal or
    Gone."""
    deadline = time.monotonic() + LOGIN_SECONDS
    nonce = "".join(secrets.choice(_LETTERS) for _ in range(20)).encode()
    connection.write(_greeting(nonce))
    answer = connection.read(LARGEST_LOGIN, deadline)
    try:
        name, scramble, plugin = _parsed(answer)
    except (struct.error, IndexError) as error:
        raise Gone from error
    if plugin != _PLUGIN:
        connection.write(b"\xfe" + _PLUGIN + b"\0" + nonce + b"\0")
        scramble = connection.read(LARGEST_LOGIN, deadline)
    is_password = _is_password(scramble, nonce, password)
    if not (is_password & hmac.compare_digest(name, user)):
        message = (
            "Access denied: this is not the user and password of the online storage connector."
        )
        raise Refusal(message, 1045, "28000")
    connection.write(OK)


def _greeting(nonce: bytes) -> bytes:
    low, high = _CAPABILITIES & 0xFFFF, _CAPABILITIES >> 16
    flags = struct.pack("<HBHHB", low, UTF8, 2, high, len(nonce) + 1)
    start = b"\x0a" + _VERSION + struct.pack("<I", 1) + nonce[:8] + b"\0"
    return start + flags + bytes(10) + nonce[8:] + b"\0" + _PLUGIN + b"\0"


def _parsed(answer: bytes) -> tuple[bytes, bytes, bytes]:
    """The user, the scrambled password and how it was scrambled."""
    capabilities = struct.unpack_from("<I", answer)[0]
    if capabilities & _TLS or not capabilities & _WITH_PLUGIN:
        message = "Log in without TLS and with mysql_native_password, as the Hopsworks SDK does."
        raise Refusal(message, 1251, "08004")
    name, _, rest = answer[32:].partition(b"\0")
    size = rest[0]
    scramble, rest = rest[1 : 1 + size], rest[1 + size :]
    if capabilities & _WITH_DATABASE:
        rest = rest.partition(b"\0")[2]
    return name, scramble, rest.partition(b"\0")[0]


def _is_password(scramble: bytes, nonce: bytes, password: bytes) -> bool:
    """The client proves that it knows SHA1(password) without sending it."""
    mask = hashlib.sha1(nonce + password).digest()
    once_hashed = bytes(a ^ b for a, b in zip(scramble, mask, strict=False))
    return hmac.compare_digest(hashlib.sha1(once_hashed).digest(), password)


def column_definition(name: str, kind: int, character_set: int, decimals: int = 0) -> bytes:
    """What precedes the rows for each of their columns."""
    encoded = text(name.encode())
    numbers = struct.pack("<HIBHB", character_set, 65535, kind, 0, decimals)
    return b"\x03def\0\0\0" + encoded + b"\0\x0c" + numbers + b"\0\0"


def text(value: bytes) -> bytes:
    """Bytes after their length."""
    return length(len(value)) + value


def length(number: int) -> bytes:
    """MySQL's length-encoded integer, up to 2**24."""
    if number < 251:
        return bytes((number,))
    if number < 2**16:
        return b"\xfc" + struct.pack("<H", number)
    return b"\xfd" + struct.pack("<I", number)[:3]
