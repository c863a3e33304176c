"""The online store over MySQL's protocol, which is how the SDK reads it unless it is told
otherwise.

The SDK insists on port 3306 and speaks without TLS (of the password it sends only a scramble), so
this listens on loopback and nowhere else. On Linux every address in 127/8 is loopback, and each
server has one of its own; elsewhere there is 127.0.0.1 alone, and who comes second reads through
REST.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import socket
import socketserver
import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.http.failures import explained
from local_hopsworks.online import mysql_wire, results, statements
from local_hopsworks.online.errors import MYSQL_NOT_REACHABLE
from local_hopsworks.online.executable import Executable, executable, project_of
from local_hopsworks.online.mysql_wire import Connection, Gone, Refusal
from local_hopsworks.online.store import OnlineStore, OnlineStores
from local_hopsworks.online.types import Column

if TYPE_CHECKING:
    from local_hopsworks.http.hopsworks import Hopsworks

_log = logging.getLogger("local_hopsworks")
PORT = 3306  # the SDK knows no other
USER = "online"
MOST_CONNECTIONS = 1024  # of which those that do not log in end after five seconds
ROWS_AT_ONCE = 1000
MOST_KEPT = 1000  # statements of which is remembered how SQLite runs them
_ADDRESSES = 8  # that are tried on Linux
_BIGINT = Column("value", "bigint", "bigint", False)
_STRING = Column("value", "string", "varchar(100)", False)
# What the drivers ask of the server itself, before and after a query
_VARIABLES = {
    "select version()": "8.4.0",
    "select @@version": "8.4.0",
    "select @@version_comment limit 1": "local_hopsworks",
    "select @@transaction_isolation": "READ-COMMITTED",
    "select @@lower_case_table_names": "0",
    "select @@sql_mode": "",
    "show variables like 'sql_mode'": "",
    "select database()": "hopsworks",
}
_NOTHING_TO_DO = ("set names ", "set autocommit", "rollback", "commit", "begin")


class SqlEndpoint:
    """The endpoint of one server, listening once it is made; `hopsworks.part(SqlEndpoint)`."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._hopsworks = hopsworks
        self.password = hopsworks.security.sign("password of the online store")[:32]
        self._hashed = mysql_wire.twice_hashed(self.password)
        self._executables: dict[tuple[int, str], Executable] = {}
        self._server = _listening(self, hopsworks)
        self.host = str(self._server.server_address[0])
        threading.Thread(
            target=self._server.serve_forever, name="hopsworks-sql", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening and end all connections; the server calls this when it stops."""
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    def converse(self, client: socket.socket, is_one_too_many: bool) -> None:
        """Let a client log in and answer its queries until it goes."""
        connection = Connection(client)
        with contextlib.suppress(Gone):
            try:
                if is_one_too_many:
                    raise Refusal("There are too many connections.", 1040, "08004")
                mysql_wire.login(connection, USER.encode(), self._hashed)
                while self._answered(connection):
                    pass
            except Refusal as refusal:
                connection.write(refusal.packet)

    def _answered(self, connection: Connection) -> bool:
        """Whether the client asked for something, and not to end."""
        request = connection.read(mysql_wire.LARGEST_PACKET)
        command = request[0] if request else mysql_wire.QUIT
        if command == mysql_wire.QUIT:
            return False
        try:
            if command in mysql_wire.ACCEPTED_COMMANDS:
                connection.write(mysql_wire.OK)
            elif command == mysql_wire.QUERY:
                self._answer(connection, request[1:].decode("utf-8", "surrogateescape"))
            else:
                raise Refusal("Only queries are answered here.", 1047, "08S01")
        except Refusal as refusal:
            connection.write(refusal.packet)
        except HopsworksError as error:
            connection.write(Refusal(error.message, 1064, "42000").packet)
        except sqlite3.Error as error:
            _log.error("A query of the online store failed", exc_info=error)
            failure = explained(error, "a query of the online store", self._hopsworks.store)
            connection.write(Refusal(failure.message, 1105, "HY000").packet)
        return True

    def _answer(self, connection: Connection, query: str) -> None:
        try:
            received = statements.received(self._hopsworks.security, query)
        except statements.NotHandedOut:
            return self._answer_driver(connection, query)
        store = self._hopsworks.part(OnlineStores).of(project_of(received.shape))
        with store.transaction(write=False) as db:
            if " LIKE ?" in received.shape:  # in RonDB upper and lower case are not the same
                db.execute("PRAGMA case_sensitive_like = 1")
            statement = self._executable(store, db, received.shape)
            _send(connection, statement.columns, statement.run(db, received.values))

    def _executable(self, store: OnlineStore, db: sqlite3.Connection, shape: str) -> Executable:
        """The shape for the tables as they are; kept until any table changes."""
        known = (store.state(db), shape)
        found = self._executables.get(known)
        if found is None:
            if len(self._executables) >= MOST_KEPT:
                self._executables.clear()
            found = self._executables[known] = executable(store, db, shape)
        return found

    @staticmethod
    def _answer_driver(connection: Connection, query: str) -> None:
        plain = " ".join(query.strip().rstrip(";").lower().split())
        if plain == "select 1":
            _send(connection, [("1", _BIGINT)], [(1,)])
        elif plain in _VARIABLES:
            _send(connection, [(plain.removeprefix("select "), _STRING)], [(_VARIABLES[plain],)])
        elif plain.startswith(_NOTHING_TO_DO) and ";" not in plain:
            connection.write(mysql_wire.OK)
        else:
            message = (
                "Only the statements that this Hopsworks handed out are answered: those of "
                "feature views "
                "and of read(online=True), both of online enabled feature groups."
            )
            raise Refusal(message, 1235, "42000")


def _send(
    connection: Connection, columns: Sequence[tuple[str, Column]], rows: Iterable[Sequence[Any]]
) -> None:
    """A result; rows are sent as they come, so that a large one is never in memory."""
    texts = [results.text_of(column) for _, column in columns]
    packets = [mysql_wire.length(len(columns))]
    packets += [results.definition(name, column) for name, column in columns]
    packets.append(mysql_wire.END)
    left = iter(rows)
    while some := list(itertools.islice(left, ROWS_AT_ONCE)):
        packets += results.rows(texts, some)
        if len(some) == ROWS_AT_ONCE:
            connection.write(*packets)
            packets = []
    connection.write(*packets, mysql_wire.END)


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each connection: SQLite and the socket do their work without the interpreter's
    lock, and a vector takes fewer steps than through an event loop."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, endpoint: SqlEndpoint, host: str) -> None:
        self._endpoint = endpoint
        self._clients: set[socket.socket] = set()
        super().__init__((host, PORT), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._clients.add(request)
        try:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            self._endpoint.converse(request, len(self._clients) > MOST_CONNECTIONS)
        finally:
            self._clients.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what escaped a connection's thread; the base class prints it."""
        _log.error("A connection to the online store failed", exc_info=True)

    def close_connections(self) -> None:
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


def _listening(endpoint: SqlEndpoint, hopsworks: Hopsworks) -> _Server:
    """A server on the first address of ours that is free. Raises HopsworksError if none is."""
    for host in _hosts(hopsworks):
        try:
            return _Server(endpoint, host)
        except OSError as error:
            problem = f"Port {PORT} of {host} cannot be used ({error.strerror})"
    raise HopsworksError(
        f"{problem}, and the SDK reads the online store with SQL through this port only. Read it "
        "through REST: "
        "feature_view.init_serving(init_rest_client=True, init_sql_client=False).",
        MYSQL_NOT_REACHABLE,
        500,
    )


def _hosts(hopsworks: Hopsworks) -> Iterator[str]:
    """Loopback addresses, the same ones after a restart of the server on its port."""
    if sys.platform != "linux":
        yield "127.0.0.1"
        return
    own = hopsworks.security.read("ca.pem") + hopsworks.address.encode()
    for number in range(_ADDRESSES):
        second, third, fourth = hashlib.sha256(own + bytes((number,))).digest()[:3]
        yield f"127.{second % 254 + 1}.{third}.{fourth % 254 + 1}"
