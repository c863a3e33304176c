"""The output of deployments' processes, line by line with its time, in files of bounded size.

They lie where Hopsworks archives such logs, Logs/Serving/{deployment}/ in dataset storage: the
SDK's `download_logs` finds them there.
"""

from __future__ import annotations

import datetime
import logging
import logging.handlers
import threading
from collections import deque
from pathlib import Path
from typing import IO

# Bytes; a log has two files of this size at most, the older lines in the first
LARGEST_FILE = 2 * 2**20
LONGEST_LINE = 2**16  # bytes; the rest of a longer one counts as the next
FILES_KEPT = 10  # of a deployment's runs
MOST_LINES = 10_000  # that one request is answered with


class Log:
    """The log of one run of a deployment."""

    def __init__(self, folder: Path, instance: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in files(folder)[FILES_KEPT - 1 :]:
            for file in (old, _older_part(old)):
                file.unlink(missing_ok=True)
        started = f"{_now():%Y%m%d-%H%M%S}"
        self._file = logging.handlers.RotatingFileHandler(
            folder / f"{started}_{instance}_predictor.log",
            maxBytes=LARGEST_FILE,
            backupCount=1,
            encoding="utf-8",
        )

    def write(self, line: str) -> None:
        """Add a line, with the present time before it."""
        stamped = f"{_now():%Y-%m-%dT%H:%M:%S.%fZ} {line}"
        self._file.handle(logging.makeLogRecord({"msg": stamped}))

    def follow(self, output: IO[bytes]) -> threading.Thread:
        """Write all lines of a process's output, on a thread that ends where the output does."""

        def pump() -> None:
            with output:
                while line := output.readline(LONGEST_LINE):
                    self.write(line.decode(errors="replace").rstrip("\r\n"))

        thread = threading.Thread(target=pump, name="hopsworks-deployment-log", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """No line follows."""
        self._file.close()


def files(folder: Path) -> list[Path]:
    """The logs of a deployment, newest first."""
    return sorted(folder.glob("*_predictor.log"), reverse=True)


def read(file: Path, lines: int | None, since: str | None, *, with_times: bool) -> str:
    """The last lines of a log, each ended by a newline. `since` is the time (ISO 8601, UTC), to
    the second, from which on they are returned."""
    parts = [part for part in (_older_part(file), file) if part.exists()]
    found: deque[str] = deque(maxlen=min(lines or MOST_LINES, MOST_LINES))
    for part in parts:
        for line in part.read_text(encoding="utf-8", errors="replace").splitlines():
            time, _, text = line.partition(" ")
            if since is None or time[: len("2026-01-31T12:00:00")] >= since[:19]:
                found.append(line if with_times else text)
    return "".join(f"{line}\n" for line in found)


def _older_part(file: Path) -> Path:
    return file.with_name(f"{file.name}.1")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
