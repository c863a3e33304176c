"""Child processes of a server: started under a keeper, which ends them with all they have started
when they end, when they are told to, and when this server is gone. See keeper.py."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_KEEPER = Path(__file__).with_name("keeper.py")
GRACE_SECONDS = 5  # from SIGTERM to SIGKILL


class Child(subprocess.Popen[bytes]):
    """A command and its keeper. The returncode is the command's exit status, or 128 and the number
    of the signal that ended it."""

    lifeline: int  # the end of a pipe that keeps them alive

    def wait(self, timeout: float | None = None) -> int:
        """Until the command has ended with all it has started; subprocess.TimeoutExpired after
        `timeout` seconds."""
        status = super().wait(timeout)
        self.let_go()
        return status

    def let_go(self) -> None:
        """Have the keeper kill all that is left."""
        lifeline = vars(self).pop("lifeline", None)  # once, as several threads may wait
        if lifeline is not None:
            os.close(lifeline)


def start(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> Child:
    """Start a command in `folder`, in a session and process group of its own. OSError if it cannot
    be started."""
    watched, lifeline = os.pipe()
    keeper = [sys.executable, "-I", "-S", str(_KEEPER), str(watched), uuid.uuid4().hex]
    try:
        child = Child(
            [*keeper, *command],
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=[watched],
        )
    except OSError:
        os.close(lifeline)
        raise
    finally:
        os.close(watched)
    child.lifeline = lifeline
    return child


def end(child: Child) -> None:
    """Ask a command and all of its group to end; kill them after GRACE_SECONDS."""
    _signal_group(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    end_group(child)


def end_group(child: Child) -> None:
    """Kill what a command has left running."""
    child.let_go()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    _signal_group(child.pid, signal.SIGKILL)  # if the keeper was killed
    child.wait()


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
