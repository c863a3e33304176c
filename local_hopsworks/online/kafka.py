"""The Kafka endpoint of one server: a child process, started when a program first asks for it.

A process of its own, because the program that produces and the broker would take turns at Python's
lock in one. If it is killed it comes back on the same port, and clients send again what was not
acknowledged. It ends with the server; see endpoint.py.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import local_hopsworks
from local_hopsworks import processes
from local_hopsworks.errors import HopsworksError
from local_hopsworks.http.hopsworks import Hopsworks

_log = logging.getLogger("local_hopsworks")
_PACKAGE_FOLDER = Path(local_hopsworks.__file__).parent.parent
_RESTART_SECONDS = 0.2
_STOP_SECONDS = 5
# The SDK writes the keys of a connector into files of this name, and leaves them there
_KEY_FILES = Path("/tmp")
_KEY_FILE_PATTERN = "kafka_sc_*_{connector}_*.pem"


class KafkaEndpoint:
    """The broker of one server: `call.hopsworks.part(KafkaEndpoint)`."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._store = hopsworks.store
        self._certificates = hopsworks.security.file("server.pem").parent
        self._host = hopsworks.host
        self._port = 0  # until it has had one
        self._child: processes.Child | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @property
    def connector_id(self) -> int:
        """The id of the storage connector: one of this server's own, because the SDK's key files
        are named by it."""
        return _connector_id(self._certificates, self._store.id)

    def address(self) -> str:
        """host:port of the broker, which is started if it is not running.

        Raises HopsworksError if it cannot be started.
        """
        with self._lock:
            if self._child is None and not self._stopping.is_set():
                self._start()
                atexit.register(self.stop)
                threading.Thread(target=self._watch, name="hopsworks-kafka", daemon=True).start()
        return f"{self._host}:{self._port}"

    def stop(self) -> None:
        """End the broker, and remove the files that the SDK has left."""
        atexit.unregister(self.stop)
        with self._lock:
            self._stopping.set()
            child = self._child
        if child is None:
            return
        assert child.stdin is not None
        with contextlib.suppress(OSError):
            child.stdin.close()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            processes.end(child)
        _remove_key_files(self.connector_id)

    def _start(self) -> None:
        self._store.register()  # if it is killed, the next server removes what it leaves
        folder = self._store.online("x").parent
        where = [str(folder), str(self._certificates), self._host, str(self._port)]
        child = processes.start(
            [sys.executable, "-m", "local_hopsworks.online.endpoint", *where],
            _PACKAGE_FOLDER,
            os.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout is not None
        answer = child.stdout.readline()
        child.stdout.close()
        if not answer.strip().isdigit():
            problem = self._problem(child)
            raise HopsworksError(f"The Kafka endpoint did not start: {problem}.", status=500)
        self._port = int(answer)
        self._child = child

    @staticmethod
    def _problem(child: processes.Child) -> str:
        """The last line that a broker says before it ends."""
        processes.end(child)
        assert child.stderr is not None
        with child.stderr as lines:
            said = lines.read().decode(errors="replace").strip()
        return said.rpartition("\n")[2] or "it said nothing"

    def _watch(self) -> None:
        """Log what the broker says, and start it again, on its port, whenever it ends before the
        server does."""
        while self._child is not None:
            assert self._child.stderr is not None
            with self._child.stderr as lines:
                for line in lines:
                    _log.warning(line.decode(errors="replace").rstrip())
            self._child.wait()
            assert self._child.stdin is not None
            with contextlib.suppress(OSError):
                self._child.stdin.close()
            if not self._is_started_again():
                return

    def _is_started_again(self) -> bool:
        """Start the broker until it runs, as its port may be taken for a while; False if the server
        stops meanwhile."""
        while not self._stopping.wait(_RESTART_SECONDS):
            _log.warning("The Kafka endpoint has ended and is started again.")
            with self._lock, contextlib.suppress(HopsworksError, OSError):
                if not self._stopping.is_set():
                    self._start()
                    return True
        return False


def remove_files_of_dead_servers(hopsworks: Hopsworks) -> None:
    """Remove the key files that the SDK has left in programs whose server was killed."""
    certificates = hopsworks.security.file("server.pem").parent
    for folder in hopsworks.store.dead_servers():
        _remove_key_files(_connector_id(certificates, folder.name))


def _connector_id(certificates: Path, server: str) -> int:
    seed = certificates.joinpath("ca.pem").read_bytes() + server.encode()
    return int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") >> 1


def _remove_key_files(connector: int) -> None:
    for file in _KEY_FILES.glob(_KEY_FILE_PATTERN.format(connector=connector)):
        with contextlib.suppress(OSError):
            file.unlink()
