"""Python programs that begin with the packages of others imported.

Importing hopsworks, pandas, scikit-learn or Gradio takes a new process one to four seconds of a
core, and the tests start hundreds of programs. So one process imports those packages once, and is
forked for each program. All else is the program's own, as if `python` had started it: process,
environment, directory, arguments, streams, exit status. Nothing of this repository is imported
before the fork. Only at its very end, when Python takes all packages apart for a fifth of a second,
the process is ended at once.

    warm = WarmPython(environment)
    warm.start([sys.executable, "app.py"], cwd=…, env=…)    # takes and returns what Popen does
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = [
    "hopsworks", "hopsworks.client.exceptions", "hsfs.engine.python", "hsfs.feature_view",
    "hsml.model_schema", "pandas", "pandera.pandas", "numpy.random", "deltalake.exceptions",
    "pyarrow.flight", "pyarrow.parquet", "sklearn.ensemble", "sklearn.linear_model",
    "sklearn.metrics", "sklearn.model_selection", "scipy.stats", "joblib", "matplotlib.figure",
    "seaborn", "PIL.Image", "tenacity", "typer", "click", "requests", "jinja2", "gradio",
    "starlette.applications", "uvicorn", "sqlalchemy.dialects.sqlite", "cryptography.x509",
    "duckdb",
]  # fmt: skip
LARGEST_REQUEST = 2**17  # bytes of arguments and environment
# Variables that are read when the interpreter starts or when packages are imported: with values
# other than the warm process's own, a program is started as any other
READ_AT_START = ("PYTHON", "LD_", "HF_", "GRADIO_", "MPL")
NEED_A_START = {"preexec_fn", "pass_fds", "start_new_session", "process_group"}


class WarmPython:
    """Starts programs; `environment` is that of most of them."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def close(self) -> None:
        """End the warm process. Programs that it has started go on."""
        self._requests.close()
        self._process.wait()

    def start(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """As subprocess.Popen(command, **options), which it is for all that is no plain Python."""
        words = [str(word) for word in command]
        environment = options.get("env") or dict(os.environ)
        differs = _read_at_start(environment) != _read_at_start(self._environment)
        if differs or not _is_plain_python(words) or options.keys() & NEED_A_START:
            return subprocess.Popen(words, **options)
        return _Forked(words, requests=self._requests, **options)

    def run(self, command: Sequence[str | Path], timeout: float, **options: Any) -> Any:
        """As subprocess.run(command, timeout=…, capture_output=True, text=True, **options)."""
        given = options.pop("input", None)
        options.setdefault("stdin", subprocess.DEVNULL if given is None else subprocess.PIPE)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        with self.start(command, **streams) as program:
            try:
                out, err = program.communicate(given, timeout=timeout)
            except BaseException:
                program.kill()
                raise
        return subprocess.CompletedProcess(command, program.returncode, out, err)


def _read_at_start(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START)
        and name != "PYTHONUNBUFFERED"  # which run_program() knows
    }


def _is_plain_python(words: list[str]) -> bool:
    """Whether a command is `python` without options, but -m and -c."""
    if len(words) < 2 or words[0] != sys.executable:
        return False
    return words[1] in ("-m", "-c") or not words[1].startswith("-")


class _Forked(subprocess.Popen):  # type: ignore[type-arg]
    """A Popen whose process is forked off the warm one. A process between them, its parent, tells
    its number and how it ended."""

    def __init__(self, words: list[str], *, requests: socket.socket, **options: Any) -> None:
        self._requests = requests
        super().__init__(words, **options)

    def _execute_child(self, args: Any, *private: Any) -> None:
        directory, environment = private[4:6]
        pipes = private[9:15]  # for each stream the program's end and ours, stdin the first
        request = {
            "words": args,
            "directory": str(directory or Path.cwd()),
            "environment": dict(environment or os.environ),
        }
        ends = (pipes[0], pipes[3], pipes[5])
        streams = [number if end == -1 else end for number, end in enumerate(ends)]
        self._told, theirs = os.pipe()
        socket.send_fds(self._requests, [json.dumps(request).encode()], [*streams, theirs])
        os.close(theirs)
        self._close_pipe_fds(*pipes)
        self.pid = self._hear() or -1
        self._child_created = True

    def _hear(self) -> int | None:
        told = os.read(self._told, 4)
        return int.from_bytes(told, "big") if told else None

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        ready, _, _ = select.select([self._told], [], [], 0 if wait_flags else None)
        if not ready:
            return 0, 0
        status = self._hear()
        os.close(self._told)
        return self.pid, signal.SIGKILL if status is None else status

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                if self.returncode is None:
                    process, status = self._try_wait(os.WNOHANG)
                    if process:
                        self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def look_often() -> None:
    """Let the SDK look every half second whether a model is registered or a deployment runs, and
    draw the dots of a read ten times a second. By itself it sleeps five seconds before it looks for
    the first time, and no read takes less than half a second. It counts the looks, so it waits for
    a minute if it is told to wait for 600 seconds."""
    from hopsworks_common import util
    from hsml.engine import model_engine, serving_engine

    model_engine.time = serving_engine.time = _clock(0.5)
    util.time = _clock(0.1)


def _clock(longest: float) -> types.SimpleNamespace:
    """The module `time`, with a sleep of so many seconds at most."""
    clock = types.SimpleNamespace(**vars(time))
    clock.sleep = lambda seconds: time.sleep(min(seconds, longest))
    return clock


# -------------------------------------------------------------------------------------------------
# the warm process

statuses: list[Any] = []  # what the program has ended with


def serve(requests: socket.socket) -> None:
    """Fork for each request. Returns, in the new process, when its program is to be run."""
    atexit.register(leave)  # before all others, so it is called after them
    for name in PACKAGES:
        importlib.import_module(name)
    look_often()
    gc.freeze()  # what is imported stays: a program need not look through it when it ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes in between
    while True:
        message, files, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 4)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            fork_program(files)
            run_program(**json.loads(message))
            return
        for file in files:
            os.close(file)


def fork_program(files: list[int]) -> None:
    """Returns in the program's process only, with its streams; the other waits for its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, tell = files
    program = os.fork()
    if program == 0:
        os.close(tell)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for stream in set(streams) - {0, 1, 2}:
            os.close(stream)
        return
    os.write(tell, program.to_bytes(4, "big"))
    os.closerange(0, 3)
    for stream in set(streams) - {0, 1, 2}:
        os.close(stream)
    _, status = os.waitpid(program, 0)
    os.write(tell, status.to_bytes(4, "big"))
    os._exit(0)


def run_program(words: list[str], directory: str, environment: dict[str, str]) -> None:
    """What `python` does with these arguments, in this directory and environment."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    time.tzset()
    sys.modules["numpy"].random.seed()
    if environment.get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(write_through=True)
    importlib.invalidate_caches()
    try:
        run_words(words, directory)
    except SystemExit as end:
        statuses.append(0 if end.code is None else end.code)
        raise
    statuses.append(0)


def run_words(words: list[str], directory: str) -> None:
    """A module (-m), code (-c) or a file, as the main program."""
    _, first, *rest = words
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if first == "-m":
        sys.path[0], sys.argv = directory, rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.path[0], sys.argv = "", ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    else:
        sys.path[0], sys.argv = str(Path(first).resolve().parent), [first, *rest]
        runpy.run_path(first, run_name="__main__")


def leave() -> None:
    """End the process at once, if its program has come to its end and all it has printed can be
    written; else Python goes on as usual."""
    if not statuses or not isinstance(statuses[0], int):
        return
    # Of the program's own objects some may have something to do at their end
    vars(sys.modules["__main__"]).clear()
    gc.collect()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return
    os._exit(statuses[0])


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
