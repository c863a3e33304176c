"""The output of an execution, in files of bounded size: of a long one the beginning and the end
stay, and a line between them says how much is left out.

A log can be read at any time while its program runs.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import IO

from local_hopsworks import disk
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")
HEAD_BYTES = 2**20
TAIL_BYTES = 4 * 2**20  # that stay when a log is shortened
MOST_BYTES = HEAD_BYTES + 2 * TAIL_BYTES  # beyond which it is shortened
_READ_BYTES = 2**16  # at once


class Log:
    """One of the two outputs of one execution."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store, self._path = store, path
        self._file = path.open("wb", buffering=0)
        self._left_out = 0
        self._head = b""  # once something is left out
        self._tail_starts = 0
        self._has_failed = False

    def follow(self, output: IO[bytes]) -> threading.Thread:
        """Write what a program says, on a thread that ends where the output does."""

        def pump() -> None:
            with output:
                while content := os.read(output.fileno(), _READ_BYTES):
                    self.write(content)
            self.close()

        thread = threading.Thread(target=pump, name="hopsworks-execution-log", daemon=True)
        thread.start()
        return thread

    def write(self, content: bytes) -> None:
        """Add output. What a full disk cannot take is lost, and the program goes on."""
        try:
            while content:
                content = content[self._file.write(content) :]
            if self._file.tell() > MOST_BYTES:
                self._shorten()
        except OSError as error:
            if not self._has_failed:
                _log.error("The log %s cannot be written: %s.", self._path, error.strerror)
            self._has_failed = True

    def close(self) -> None:
        """Nothing follows."""
        self._file.close()

    def _shorten(self) -> None:
        with self._path.open("rb") as file:
            if not self._head:
                self._head = _whole_lines(file.read(HEAD_BYTES))
                self._tail_starts = len(self._head)
            size = file.seek(0, os.SEEK_END)
            file.seek(size - TAIL_BYTES)
            tail = file.read()
        tail = tail[tail.find(b"\n") + 1 :]
        self._left_out += size - self._tail_starts - len(tail)
        start = self._head + self._notice()
        draft = self._store.new_draft()
        disk.make_file(draft)
        draft.write_bytes(start + tail)
        os.replace(draft, self._path)
        self._tail_starts = len(start)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)

    def _notice(self) -> bytes:
        sentence = (
            f"[{self._left_out} bytes are left out here: of a long log the beginning and the end "
            "are kept.]\n"
        ).encode()
        return sentence if self._head.endswith(b"\n") else b"\n" + sentence


def _whole_lines(content: bytes) -> bytes:
    """Without a line that is cut off at the end, unless there is no other."""
    return content[: content.rfind(b"\n") + 1] or content
