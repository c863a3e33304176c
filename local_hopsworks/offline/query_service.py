"""The query service: Arrow Flight over mutual TLS, the protocol of Hopsworks' own ("flyingduck").

A client sends the ticket that `PUT …/query` signed for it and gets the rows as a stream. Only the
client certificate of this store is let in, and it alone gets nothing: a question without a ticket
shows the password that was handed out with it. The SDK shows its user little of an error here, so
causes are also logged.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from local_hopsworks.errors import HopsworksError
from local_hopsworks.offline import delta, training_files
from local_hopsworks.offline.plan import Plan, Table
from local_hopsworks.offline.run import Engine
from local_hopsworks.security import Security

_log = logging.getLogger("local_hopsworks")
_KNOWN = ("No data found", "No commits found", "No delta logs found")
_ACTIONS = ("healthcheck", "get-version", "register-client-certificates", "create-training-dataset")


class _Headers(flight.ServerMiddleware):  # type: ignore[misc]  # pyarrow has no types
    def __init__(self, headers: dict[str, list[str]]) -> None:
        self.headers = headers


class _HeadersFactory(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    def start_call(self, info: Any, headers: dict[str, list[str]]) -> _Headers:
        return _Headers(headers)


class QueryService(flight.FlightServerBase):  # type: ignore[misc]
    """Serves from construction on, on threads of its own. `serve` is never called: it only waits,
    and meanwhile keeps SIGTERM from the program.

    `plan_ticket(content)` plans a ticket; `find_file(path)` finds a path of dataset storage;
    `materialise(content, view, view_version, version)` writes a training dataset. All raise
    HopsworksError.
    """

    def __init__(
        self,
        host: str,
        port: int,
        security: Security,
        engine: Engine,
        plan_ticket: Callable[[dict[str, Any]], Plan],
        find_file: Callable[[str], Path],
        materialise: Callable[[dict[str, Any], str, int, int], None],
    ) -> None:
        self._security, self._engine = security, engine
        self._plan_ticket, self._find_file = plan_ticket, find_file
        self._materialise = materialise
        super().__init__(
            f"grpc+tls://{host}:{port}",
            tls_certificates=[(security.read("server.pem"), security.read("server.key"))],
            verify_client=True,
            root_certificates=security.read("ca.pem"),
            middleware={"headers": _HeadersFactory()},
        )
        self._ending = threading.Event()
        self._closer = threading.Thread(
            target=self._close, name="hopsworks-query-service-stop", daemon=True
        )
        # at the end of a program, where close() is called, none can be started
        self._closer.start()

    def close(self) -> None:
        """Stop answering; wait a second at most for reads under way, of which one may be this very
        process's."""
        self._ending.set()
        self._closer.join(1)

    def _close(self) -> None:
        self._ending.wait()
        self.shutdown()
        # pyarrow's object and its C++ server hold each other, and while that server lives gRPC
        # makes the end of the process last two seconds. Constructing once more, which fails, lets
        # go of it.
        with suppress(pa.ArrowKeyError):
            super().__init__("none://")

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """What the SDK may ask for beside rows."""
        return [(action, "") for action in _ACTIONS]

    def do_action(self, context: Any, action: flight.Action) -> Iterator[flight.Result]:
        """Answer that all is well, or write a training dataset."""
        if action.type not in _ACTIONS:
            raise flight.FlightServerError(f"There is no action {action.type[:80]!r}.")
        if action.type == "create-training-dataset":
            with _Answering("create-training-dataset"):
                self._check_password(context)
                request = json.loads(action.body.to_pybytes())
                self._materialise(
                    request["query"],
                    str(request["fv_name"]),
                    int(request["fv_version"]),
                    int(request["tds_version"]),
                )
        return iter([flight.Result(b"ok")])

    def get_flight_info(
        self, context: Any, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """The SDK waits 5 s at most for this answer, so it only wraps the question into a
        ticket."""
        is_command = descriptor.descriptor_type == flight.DescriptorType.CMD
        question = (
            {"query": descriptor.command.decode()}
            if is_command
            else {"path": b"/".join(descriptor.path).decode()}
        )
        return flight.FlightInfo(
            pa.schema([]), descriptor, [flight.FlightEndpoint(json.dumps(question), [])], -1, -1
        )

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.GeneratorStream:
        """The rows of a question, as a stream."""
        with _Answering("a read") as read:
            question = json.loads(ticket.ticket)
            if "path" in question:
                read.what = f"the read of {str(question['path'])[:200]!r}"
                path = self._find_file(question["path"])
                self._check_password(context)
                return _stream(training_files.stream(path), read)
            signature = _header(context, "hopsworks-signature")
            plan = self._plan_ticket(self._security.open_ticket(question["query"], signature))
            read.what = f"the read of {', '.join(table.name for table in plan.tables)}"
            read.tables = plan.tables
            return _stream(self._engine.stream(plan), read)

    def _check_password(self, context: Any) -> None:
        """Of a question that the SDK does not sign: it shows what it was handed over HTTPS, with
        the API key, beside its certificate."""
        try:
            shown = json.loads(_header(context, "x-certificates-json"))["cert_key"]
        except (ValueError, TypeError, KeyError):
            shown = ""
        if not self._security.is_client_password(str(shown)):
            message = "The question does not come from a client of this Hopsworks; log in again."
            raise HopsworksError(message, status=401)


def _header(context: Any, name: str) -> str:
    values = context.get_middleware("headers").headers.get(name, [""])
    return str(values[0])


def _stream(rows: pa.RecordBatchReader, read: _Answering) -> flight.GeneratorStream:
    """Rows are computed while they are sent, so that is also when most things go wrong."""

    def batches() -> Iterator[pa.RecordBatch]:
        with read:
            yield from rows

    return flight.GeneratorStream(rows.schema, batches())


class _Answering:
    """Turns what goes wrong into a Flight error with its sentence, and logs the cause."""

    def __init__(self, what: str, tables: Sequence[Table] = ()) -> None:
        self.what, self.tables = what, tables

    def __enter__(self) -> _Answering:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        is_failure = isinstance(error, Exception) and not isinstance(error, HopsworksError)
        if is_failure and (gone := self._deleted_table()) is not None:
            message = f"No data found for featuregroup {gone.name}: it has just been deleted."
            error = HopsworksError(message, status=404)
        if isinstance(error, HopsworksError):
            _log.warning("The query service refused %s: %s", self.what, error.message)
            # The SDK shows its user the text up to "Details:", for three causes that it knows by
            # their words
            is_known = any(words in error.message for words in _KNOWN)
            message = error.message if is_known else f"{_KNOWN[0]}: {error.message}"
            raise flight.FlightServerError(f"{message} Details: status {error.status}.") from error
        if isinstance(error, Exception):
            _log.error("The query service failed at %s", self.what, exc_info=error)
            raise flight.FlightServerError(f"{type(error).__name__}: {error}") from error

    def _deleted_table(self) -> Table | None:
        """A table that was there when the question was planned."""
        return next((each for each in self.tables if delta.find(each.location) is None), None)
