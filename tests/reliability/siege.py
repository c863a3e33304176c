"""A server under attack: what it is asked, what it must not touch, and how it is brought back to
where it was."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import sqlite3
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local_hopsworks import Server
from local_hopsworks.jobs.runner import Runner
from local_hopsworks.pages.access import cookie

SECRET = "what-nobody-may-read"
SECONDS = 60  # without an answer by then, a request hangs


@dataclass(frozen=True)
class Request:
    """One request, its path exactly as it goes out."""

    method: str
    path: str  # without the query
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = "application/json"

    @property
    def document(self) -> Any:
        """The body as JSON; None if it is something else."""
        try:
            return json.loads(self.body or b"")
        except ValueError:
            return None

    def with_document(self, document: Any) -> Request:
        return replace(self, body=json.dumps(document).encode())


class _Raw(http.client.HTTPSConnection):
    """Sends every path as it is, however wrong."""

    def _validate_path(self, url: str) -> None:
        pass

    def _encode_request(self, request: str) -> bytes:
        return request.encode("utf-8", "surrogatepass")


class Besieged:
    """A server over the store in `base`, with a neighbour that holds a secret, and links that lead
    there.

    `restore()` after each request that may have changed something, and the next one meets the same
    store."""

    def __init__(self, base: Path) -> None:
        self.base, self.home = base, base / "store"
        (base / "outside").mkdir()
        (base / "outside" / "secret.txt").write_text(SECRET)
        resources = self.home / "projects" / "local" / "Resources"
        (resources / "link").symlink_to(base / "outside")
        (resources / "linked.txt").symlink_to(base / "outside" / "secret.txt")
        (resources / "innocent.txt").write_text("innocent")
        shutil.copytree(self.home, base / "pristine", symlinks=True)
        self.server = Server(self.home)
        # A script that somebody stored may run; what is tried here is everything before that
        self.server._hopsworks.part(Runner).start = lambda task: None  # type: ignore[method-assign]
        self.server.start()
        self._connection = self._connect()
        self._outside = self.outside()
        self._inside = self._listed()

    def _connect(self) -> _Raw:
        context = ssl.create_default_context(cafile=str(self.server.store.security / "ca.pem"))
        return _Raw("127.0.0.1", self.server.port, context=context, timeout=SECONDS)

    def ask(self, request: Request) -> tuple[int, bytes, str]:
        """Status, content and type of the answer; raises TimeoutError when there is none in
        time."""
        target = request.path
        if request.query:
            target += "?" + "&".join(f"{name}={value}" for name, value in request.query)
        headers = {
            "Authorization": f"ApiKey {self.server.api_key}",
            "X-API-KEY": self.server.api_key,  # for the REST feature server
            "Cookie": "=".join(cookie(self.server._hopsworks.security)),  # for the pages
            "Content-Type": request.content_type,
        }
        try:
            self._connection.request(request.method, target, request.body, headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, ConnectionError, ssl.SSLError):
            # The server gave this connection up
            self._connection.close()
            self._connection = self._connect()
            self._connection.request(request.method, target, request.body, headers)
            answer = self._connection.getresponse()
        content = answer.read()
        if answer.will_close:
            self._connection.close()
        return answer.status, content, answer.headers.get("content-type", "")

    def outside(self) -> dict[str, tuple[int, int, int]]:
        """Everything around the project's own files and tables: what no request may touch."""
        kept = {}
        for folder, folders, files in os.walk(self.base):
            if folder == str(self.base):
                folders.remove("pristine")
            if folder == str(self.home):
                folders[:] = [name for name in folders if name == "security"]
                files = [name for name in files if not name.startswith("metadata.db")]
            for name in [*folders, *files]:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                kept[path] = (info.st_ino, info.st_size, info.st_mtime_ns if name in files else 0)
        return kept

    def assert_nothing_outside_changed(self) -> None:
        assert self.outside() == self._outside

    def _listed(self) -> list[tuple[str, int]]:
        return sorted(
            (str(path), path.lstat().st_mtime_ns)
            for name in ("projects", "featurestore")
            for path in (self.home / name).rglob("*")
        )

    def restore(self) -> None:
        _copy_database(self.base / "pristine" / "metadata.db", self.home / "metadata.db")
        if self._listed() != self._inside:
            for name in ("projects", "featurestore"):
                shutil.rmtree(self.home / name)
                shutil.copytree(self.base / "pristine" / name, self.home / name, symlinks=True)
            self._inside = self._listed()

    def stop(self) -> None:
        self._connection.close()
        self.server.stop()


def _copy_database(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
