"""Processes that tests start or look at: whether they live, and several that go on at once."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Done = subprocess.CompletedProcess[str]


def wait(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Until something is true; fails if it never is."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def alive(process: int) -> bool:
    """Whether the process of this id runs; a zombie does not."""
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() not in ("", "Z", "Zs")


def exists(process: int) -> bool:
    """Whether there is a process of this id, be it a zombie."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def children(parent: int) -> list[int]:
    """The processes that this one has started and that run."""
    found = subprocess.run(
        ["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False
    )
    # pgrep is a child too, but over
    return [child for child in map(int, found.stdout.split()) if alive(child)]


def at_once(
    commands: Sequence[Sequence[object]],
    environment: dict[str, str],
    timeout: float = 120,
    start: Callable[..., Any] = subprocess.Popen,
) -> list[Done]:
    """Run programs that say "ready" and then wait for a line, which all get at the same moment.

    What each printed after that, in the order of the commands.
    """
    pipes: dict[str, Any] = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    programs = [
        start([str(part) for part in command], env=environment, text=True, **pipes)
        for command in commands
    ]

    def finish(program: subprocess.Popen[str]) -> Done:
        output, errors = program.communicate("\n", timeout)
        return subprocess.CompletedProcess(program.args, program.returncode, output, errors)

    try:
        for program in programs:
            ready = any(line == "ready\n" for line in program.stdout or ())
            assert ready, program.communicate()[1][-2000:]
        with ThreadPoolExecutor(len(programs)) as pool:
            return list(pool.map(finish, programs))
    finally:
        for program in programs:
            program.kill()
