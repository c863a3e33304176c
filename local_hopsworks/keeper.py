"""Runs one command, and ends with it and with everything it has started. The server that wanted it
holds the other end of a pipe: when that server is gone, by whatever death, so are they.

    python -I -S keeper.py PIPE MARK COMMAND [ARGUMENT ...]

On Linux nothing escapes: what a command leaves behind, even in a session of its own, becomes a
child of this process. Elsewhere it is found by MARK, a variable in its environment; a program that
has cleared its environment, and on macOS one of the system's own, is not found there.

Only the standard library, and little of that: it starts with every job.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

VARIABLE = "LOCAL_HOPSWORKS_CHILD"
SECONDS = 5  # that killing takes at most
_SET_CHILD_SUBREAPER = 36  # of prctl(2)
_NOT_FOUND = 127  # the shell's status for a command that cannot be started


def main(pipe: int, mark: str, command: list[str]) -> int:
    """Run the command; its exit status, or 128 and the signal that ended it."""
    _adopt_orphans()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        # A handler, as the command would inherit it if they were ignored. They are meant for it.
        signal.signal(number, lambda *_: None)
    try:
        child = subprocess.Popen(command, env={**os.environ, VARIABLE: mark})
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}.", file=sys.stderr)
        return _NOT_FOUND
    status = None
    while status is None:
        readable, _, _ = select.select([pipe, woken], [], [])
        if pipe in readable:  # it is never written to: the server has let go of it
            break
        os.read(woken, 4096)
        status = _reap(child.pid)
    kill_left(os.getpid(), mark)
    return 128 + signal.SIGKILL if status is None else status


def _adopt_orphans() -> None:
    """Linux: what loses its parent becomes a child of this process."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(child: int) -> int | None:
    """Forget children that have ended; the exit status of `child` if it is one of them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            if process == child:
                code = os.waitstatus_to_exitcode(status)
                found = code if code >= 0 else 128 - code
    return found


def kill_left(keeper: int, mark: str) -> None:
    """Kill what the command has left, and what that starts meanwhile."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        left = (_below(keeper) if sys.platform == "linux" else marked(mark)) - {keeper}
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        _reap(0)
        if not left:
            return
        time.sleep(0.01)


def _below(keeper: int) -> set[int]:
    """The children of a process, theirs, and so on."""
    parents = {int(name): _parent(name) for name in os.listdir("/proc") if name.isdecimal()}
    found: set[int] = set()
    above = {keeper}
    while above:
        above = {process for process, parent in parents.items() if parent in above}
        found |= above
    return found


def _parent(process: str) -> int | None:
    """The parent of a process that has not ended."""
    try:
        with open(f"/proc/{process}/stat") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state in "ZX" else int(parent)


def marked(mark: str) -> set[int]:
    """The processes whose environment has the mark, as far as the system shows it."""
    with_environment = ["-axEww"] if sys.platform == "darwin" else ["axeww"]
    listed = subprocess.run(
        ["ps", *with_environment, "-o", "pid=,command="],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    variable = f"{VARIABLE}={mark}"
    lines = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    return {int(line[0]) for line in lines if len(line) == 2 and variable in line[1].split()}


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
