"""Kill a program at every step of a write, start it again, and see that all is as before or as
after, never between.

    python kill_points.py WORK_FOLDER WHO SIGNAL OPERATION[@STEP] ...     one line of JSON for each
    kill

The operations are those of writes.py, on the store in WORK_FOLDER/template, which is furnished if
it is not there. Without STEP, a regular expression, all steps are struck; after the last that left
it as before it is done again.

WHO is killed: `both` (an embedded Hopsworks and its user are one process), `server` or `client`
(two processes). Steps are found, not listed: an audit hook sees everything Python does to files of
the store, SQLAlchemy every commit, and wrappers every request of the SDK and every Delta write. One
run without a kill counts them, then each is struck. Every run is a fork of this process, which has
imported everything and started nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401
import furnished
import hopsworks
import hsfs.core.delta_engine
import hsml.engine.model_engine  # noqa: F401
import pyarrow.parquet  # noqa: F401
import requests
import sqlalchemy as sa
import sqlglot  # noqa: F401
from furnished import difference, forked, furnish, logged_in, state, wait
from writes import OPERATIONS

from local_hopsworks import Server
from local_hopsworks.__main__ import serve
from local_hopsworks.offline import delta_log, profile, query_service, run, sql, training_files  # noqa: F401

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Strike:
    """Counts the steps of this process from `begin` on, and sends it a signal at one of them."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.home, self.at, self.signal, self.active = "", -1, signal.SIGKILL, False
        self.lock = threading.Lock()

    def begin(self) -> None:
        self.steps.clear()
        self.active = True

    def step(self, name: str) -> None:
        with self.lock:
            if not self.active:
                return
            self.steps.append(re.sub(r"[0-9a-f]{32}", "…", name.replace(self.home + "/", "")))
            struck = len(self.steps) - 1 == self.at
        if struck:
            os.kill(os.getpid(), self.signal)
            if self.signal == signal.SIGTERM:
                wait(1)  # it ends here, as soon as the signal has arrived

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or event not in (
            "open",
            "os.rename",
            "os.mkdir",
            "os.remove",
            "os.rmdir",
            "os.link",
        ):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        if isinstance(arguments[0], int):
            return
        path = os.fsdecode(arguments[0])
        inside = path.startswith(self.home) or arguments[-1] not in (
            -1,
            None,
        )  # of rmtree: relative to a folder
        if inside and "metadata.db" not in path:
            self.step(f"{event.removeprefix('os.')} {path}")


strike = Strike()


def watch() -> None:
    sys.addaudithook(strike.audit)
    sa.event.listen(
        sa.engine.Engine,
        "commit",
        lambda connection: (
            strike.step("commit") if connection.get_execution_options().get("writes") else None
        ),
    )
    send, write = requests.Session.send, hsfs.core.delta_engine.DeltaEngine._write_delta_rs_dataset

    def watched_send(self: Any, request: Any, **options: Any) -> Any:
        name = (
            f"{request.method} "
            f"{request.path_url.removeprefix('/hopsworks-api/api').partition('?')[0]}"
        )
        if request.method != "GET":
            strike.step(f"ask {name}")
        answer = send(self, request, **options)
        if request.method != "GET":
            strike.step(f"answered {name}")
        return answer

    def watched_write(self: Any, *arguments: Any, **options: Any) -> Any:
        strike.step("write the Delta table")
        done = write(self, *arguments, **options)
        strike.step("wrote the Delta table")
        return done

    requests.Session.send = watched_send
    hsfs.core.delta_engine.DeltaEngine._write_delta_rs_dataset = watched_write


# --------------------------------------------------------------------------------------------------
# the runs


def steps_of(operation: Callable[[Any], None], project: Any) -> list[str]:
    if not strike.active:
        strike.begin()
    operation(project)
    strike.step("done")
    strike.active = False
    return strike.steps


def in_one_process(home: Path, name: str) -> list[str]:
    """The operation in this process, with an embedded Hopsworks beside it."""
    if name in ("make_store", "open_store"):
        strike.begin()
    server = Server(home, project="tests").start()
    return steps_of(OPERATIONS[name], logged_in(server.port, server.api_key))


class Served:
    """A process that runs `python -m local_hopsworks serve` over a store, whose steps count between
    two words."""

    def __init__(self, home: Path) -> None:
        self.told, answer = socket.socketpair()
        self.process = os.fork()
        if not self.process:
            os.dup2(furnished.log, 1), os.dup2(furnished.log, 2)
            self.told.close()
            server = Server(home, project="tests")
            answer.send(json.dumps([server.port, server.api_key]).encode())
            threading.Thread(target=self._listen, args=[answer], daemon=True).start()
            try:
                serve(server, open_browser=False)
            except BaseException:  # this is a fork of the caller, which must not go on as it
                traceback.print_exc()
            os._exit(0)
        answer.close()
        self.port, self.key = json.loads(self.told.recv(1000))

    @staticmethod
    def _listen(answer: socket.socket) -> None:
        while word := answer.recv(1):
            if word == b"b":
                strike.begin()
            answer.send(
                json.dumps(strike.steps).encode().ljust(20_000) if word == b"e" else b" " * 20_000
            )

    def say(self, word: bytes) -> str:
        self.told.send(word)
        return self.told.recv(20_000, socket.MSG_WAITALL).decode()

    def end(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGTERM)
        return os.waitpid(self.process, 0)[1]


def in_two_processes(home: Path, name: str, who: str, report: Path) -> tuple[list[str], Served]:
    """The operation in a process of its own, on a server in another; `strike` works in one of the
    two."""
    at = strike.at
    strike.at = at if who == "server" else -1
    served = Served(home)
    strike.at = at if who == "client" else -1

    def use() -> list[str]:
        project = logged_in(served.port, served.key)
        strike.active = who != "client"  # then nothing counts here
        served.say(b"b")
        strike.active = False
        return steps_of(OPERATIONS[name], project)

    report.write_text("[]")
    forked(use, report=report)
    steps = json.loads(report.read_text())
    if who == "server" and at < 0:
        steps = json.loads(served.say(b"e"))
    return steps, served


class Experiment:
    """Operations on copies of one store, struck at their steps."""

    def __init__(self, work: Path, who: str) -> None:
        self.work, self.who = work, who
        self.template, self.report = work / "template", work / "report.json"
        self.homes = (work / f"store{turn}" for turn in itertools.count())
        if not self.template.exists():
            assert forked(self.make) == 0, "the store could not be furnished"
        self.before = self.seen(Path(shutil.copytree(self.template, work / "before")))

    def make(self) -> None:
        with Server(self.template, project="tests") as server:
            furnish(logged_in(server.port, server.api_key))
            hopsworks.logout()

    def seen(self, home: Path, served: Served | None = None) -> dict[str, Any]:
        ended = forked(lambda: state(home, served), report=self.report)
        assert ended == 0, f"the state of {home} cannot be read"
        return json.loads(self.report.read_text())

    def fresh(self, name: str) -> Path:
        home = next(self.homes)
        if name != "make_store":
            shutil.copytree(self.template, home)
        return home

    def struck(self, home: Path, name: str, at: int) -> tuple[list[str], int, dict[str, Any]]:
        """The steps of an operation, how the process that was struck ended, and the state after a
        restart."""
        strike.home, strike.at = str(home), at
        if self.who == "both":
            self.report.write_text("[]")
            ended = forked(lambda: in_one_process(home, name), report=self.report)
            return json.loads(self.report.read_text()), ended, self.seen(home)
        steps, served = in_two_processes(home, name, self.who, self.report)
        if self.who == "client":
            now = self.seen(home, served)  # of the same server, which lives on
            return steps, served.end(), now
        return steps, served.end(), self.seen(home)

    def strike(self, name: str, pattern: str) -> None:
        """Strike an operation at each step that fits the pattern."""
        steps, _, after = self.struck(self.fresh(name), name, -1)
        faults = after["faults"]
        assert steps and not faults, f"{name} has steps {steps} and leaves the faults {faults}"
        before = after if name == "make_store" else self.before
        deepest = None
        for at, step in enumerate(steps):
            if not re.search(pattern, step):
                continue
            home = self.fresh(name)
            result = {"operation": name, "step": f"{at + 1} of {len(steps)}: {step}"}
            result |= self.outcome(home, name, at, before, after)
            if result["verdict"] == "before" and not pattern:
                deepest = home
            print(json.dumps(result), flush=True)
        # struck at the last of these steps, it can be done again
        if deepest and self.before != after:
            again = verdict(self.struck(deepest, name, -1)[2], {}, after)
            print(json.dumps({"operation": name, "step": "done again", **again}), flush=True)
        for home in self.work.glob("store*"):
            shutil.rmtree(home)

    def outcome(
        self, home: Path, name: str, at: int, before: dict[str, Any], after: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            _, ended, now = self.struck(home, name, at)
        except AssertionError as error:
            return {"verdict": str(error)}
        return {"ended": ended, **verdict(now, before, after)}


def main(work: Path, who: str, number: int, chosen: list[str]) -> None:
    watch()
    furnished.log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    strike.signal = number
    experiment = Experiment(work, who)
    for choice in chosen:
        name, _, pattern = choice.partition("@")
        experiment.strike(name, pattern)


def verdict(now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    if now in (before, after):
        return {"verdict": "before" if now == before else "after"}
    why = f"before: {difference(now, before)}\nafter: {difference(now, after)}"
    return {"verdict": "between", "why": why}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], signal.Signals[sys.argv[3]], sys.argv[4:])
