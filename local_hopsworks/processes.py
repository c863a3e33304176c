"""Child processes of a server: started in a group of their own, ended with all they have started,
and found again by the next server if this one is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

GRACE_SECONDS = 5  # from SIGTERM to SIGKILL


def start(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start a command in `folder`, as the leader of a session and process group of its own.
    OSError if it cannot be started."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def end(child: subprocess.Popen[bytes]) -> None:
    """Ask a child and all of its group to end; kill them after GRACE_SECONDS."""
    _signal_group(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    end_group(child)
    child.wait()


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what a child has left running in its group."""
    _signal_group(child.pid, signal.SIGKILL)


def identity(process: int) -> list[Any]:
    """The number of a process and when it was started: together they name it for good."""
    return [process, _started_at(process)]


def end_orphan(process: list[Any] | None) -> None:
    """Kill the group of the process with this identity, which a killed server has left behind."""
    if process and process[1] and _started_at(process[0]) == process[1]:
        _signal_group(process[0], signal.SIGKILL)


def _started_at(process: int) -> str:
    """When a process was started, as text; empty if there is none."""
    try:
        found = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(process)], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return found.stdout.strip()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
