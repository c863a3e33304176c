"""Kill a program at every step of a write, start it again, and see that all is as before or as
after, never between.

    python kill_points.py WORK_FOLDER WHO SIGNAL OPERATION[@STEP] ...     one line of JSON for each
    kill

The operations are those of writes.py, online_writes.py and deployment_writes.py, each on a store of
its own in WORK_FOLDER (template, template_online, template_deployments), which is furnished if it
is not there. Without STEP, a regular expression, all steps are struck; after the last that left it
as before it is done again.

WHO is killed: `both` (an embedded Hopsworks and its user are one process), `server` or `client`
(two processes), or a child process of the server (see struck.py): `broker`, to which the SDK sends
the rows of online feature groups, or `job`, which brings those of stream groups into their offline
table. Steps are found, not listed: an audit hook sees everything Python does to files of the store,
SQLAlchemy and the online store every commit, and wrappers every request of the SDK, every row it
produces and every Delta write. One run without a kill counts them, then each is struck. Every run
is a fork of this process, which has imported everything and started nothing.

Where a write into an online feature group was broken off, `check --repair` makes the halves agree,
and what is there then counts. The rows of a stream group come one by one, as on Hopsworks: of those
each must be as before or as after, offline and online the same (`row by row`); an overwrite of one
deletes them all first.
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

import deployment_writes
import duckdb  # noqa: F401
import furnished
import hopsworks
import hsfs.core.delta_engine
import hsfs.core.kafka_engine
import hsml.engine.model_engine  # noqa: F401
import online_writes
import pyarrow.parquet  # noqa: F401
import requests
import sqlalchemy as sa
import sqlglot  # noqa: F401
import writes
from deltalake.table import TableMerger
from furnished import difference, forked, logged_in, state, wait

from local_hopsworks import Server, check, processes
from local_hopsworks.__main__ import serve
from local_hopsworks.offline import delta_log, profile, query_service, run, sql, training_files  # noqa: F401
from local_hopsworks.online.store import OnlineStore

OPERATIONS = {**writes.OPERATIONS, **online_writes.OPERATIONS, **deployment_writes.OPERATIONS}
CHILDREN = {
    "broker": "local_hopsworks.online.endpoint",
    "job": "local_hopsworks.online.materialise",
}
STRUCK = Path(__file__).with_name("struck.py")
BROKEN_OFF = ("A write into ", "A removal from ")  # faults that `check --repair` is for
ROW_BY_ROW = ("insert_stream", "overwrite_stream")
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
        # Of rmtree: relative to a folder
        inside = path.startswith(self.home) or arguments[-1] not in (-1, None)
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
    watch_online()


def watch_online() -> None:
    produce, transaction = hsfs.core.kafka_engine._kafka_produce, OnlineStore.transaction
    merge = TableMerger.execute

    def watched_produce(producer: Any, *arguments: Any, **options: Any) -> None:
        strike.step("produce a row")
        produce(producer, *arguments, **options)
        producer.flush()  # so that it is known which rows have come
        strike.step("produced a row")

    @contextlib.contextmanager
    def watched_transaction(self: Any, *, write: bool) -> Any:
        with transaction(self, write=write) as db:
            yield db
            if write:
                strike.step("commit online")
        if write:
            strike.step("committed online")

    def watched_merge(self: Any) -> Any:  # with which rows are removed
        strike.step("merge into the Delta table")
        done = merge(self)
        strike.step("merged into the Delta table")
        return done

    hsfs.core.kafka_engine._kafka_produce = watched_produce
    OnlineStore.transaction = watched_transaction
    TableMerger.execute = watched_merge


def strike_child(module: str, home: Path, at: int) -> Path:
    """Have the server start a module's process under struck.py; the file that tells its steps."""
    told, start = home.with_name(f"{home.name}.steps"), processes.start

    def struck(command: Any, *arguments: Any, **options: Any) -> Any:
        if list(command[1:3]) == ["-m", module]:
            command = [command[0], STRUCK, told, str(at), *command[2:]]
        return start(list(map(str, command)), *arguments, **options)

    processes.start = struck
    return told


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


def with_child_struck(home: Path, name: str, who: str, at: int) -> list[str]:
    """The operation in this process; `who` of its child processes is struck, at one of the steps
    that are returned."""
    told = strike_child(CHILDREN[who], home, at)
    strike.at = -1
    with contextlib.suppress(Exception) if at >= 0 else contextlib.nullcontext():
        in_one_process(home, name)
    return told.read_text().splitlines() if told.exists() else []


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

    def __init__(self, work: Path, who: str, kind: str, furnish: Callable[[Any], None]) -> None:
        self.work, self.who, self.furnish = work, who, furnish
        self.template, self.report = work / f"template{kind}", work / "report.json"
        self.homes = (work / f"store{turn}" for turn in itertools.count())
        if not self.template.exists():
            assert forked(self.make) == 0, "the store could not be furnished"
        self.before = self.seen(Path(shutil.copytree(self.template, work / f"before{kind}")))

    def make(self) -> None:
        with Server(self.template, project="tests") as server:
            self.furnish(logged_in(server.port, server.api_key))
            hopsworks.logout()

    def seen(self, home: Path, served: Served | None = None) -> dict[str, Any]:
        """The state of a store, after a repair if a write into an online group was broken off."""
        ended = forked(lambda: state(home, served), report=self.report)
        assert ended == 0, f"the state of {home} cannot be read"
        found = json.loads(self.report.read_text())
        if served or not found["faults"] or not all(map(is_broken_off, found["faults"])):
            return found
        assert forked(lambda: check.check(home, repair=True)) == 0, f"{home} cannot be repaired"
        return self.seen_repaired(home)

    def seen_repaired(self, home: Path) -> dict[str, Any]:
        assert forked(lambda: state(home), report=self.report) == 0
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
        if self.who == "both" or self.who in CHILDREN:
            self.report.write_text("[]")
            ended = forked(lambda: self.in_one_process(home, name, at), report=self.report)
            return json.loads(self.report.read_text()), ended, self.seen(home)
        steps, served = in_two_processes(home, name, self.who, self.report)
        if self.who == "client":
            now = self.seen(home, served)  # of the same server, which lives on
            return steps, served.end(), now
        return steps, served.end(), self.seen(home)

    def in_one_process(self, home: Path, name: str, at: int) -> list[str]:
        if self.who in CHILDREN:
            return with_child_struck(home, name, self.who, at)
        return in_one_process(home, name)

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
            again = verdict(name, self.struck(deepest, name, -1)[2], {}, after)
            print(json.dumps({"operation": name, "step": "done again", **again}), flush=True)
        for home in self.work.glob("store*"):
            shutil.rmtree(home) if home.is_dir() else home.unlink()

    def outcome(
        self, home: Path, name: str, at: int, before: dict[str, Any], after: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            _, ended, now = self.struck(home, name, at)
        except AssertionError as error:
            return {"verdict": str(error)}
        return {"ended": ended, **verdict(name, now, before, after)}


def main(work: Path, who: str, number: int, chosen: list[str]) -> None:
    watch()
    furnished.log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    strike.signal = number
    for kind, module, furnish in (
        ("", writes, furnished.furnish),
        ("_online", online_writes, online_writes.furnish),
        ("_deployments", deployment_writes, deployment_writes.furnish),
    ):
        choices = [each for each in chosen if each.partition("@")[0] in module.OPERATIONS]
        experiment = Experiment(work, who, kind, furnish) if choices else None
        for choice in choices:
            name, _, pattern = choice.partition("@")
            experiment.strike(name, pattern)


def is_broken_off(fault: str) -> bool:
    return fault.startswith(BROKEN_OFF)


def verdict(
    name: str, now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> dict[str, str]:
    if now in (before, after):
        return {"verdict": "before" if now == before else "after"}
    overwrites = name == "overwrite_stream"
    if name in ROW_BY_ROW and is_row_by_row(now, before, after, overwrites=overwrites):
        return {"verdict": "row by row"}
    why = f"before: {difference(now, before)}\nafter: {difference(now, after)}"
    return {"verdict": "between", "why": why}


def is_row_by_row(
    now: dict[str, Any], before: dict[str, Any], after: dict[str, Any], *, overwrites: bool
) -> bool:
    """Whether of the stream group every row that is there is as before or as after, none is missing
    that was there before and should be there after, both halves are the same, and all else is as
    before or as after. An overwrite deletes all rows first."""
    rows, earlier, later = (by_id(each["online stream"]) for each in (now, before, after))
    each_is_whole = all(row in (earlier.get(key), later.get(key)) for key, row in rows.items())
    each_is_there = overwrites or set(earlier) & set(later) <= set(rows)
    agree = by_id(json.loads(now["group stream"][0])) == rows
    others = [key for key in now if key not in ("online stream", "group stream", "files")]
    as_one = all(now[key] in (before.get(key), after.get(key)) for key in others)
    files = [{**each["files"], "table stream_1": ""} for each in (now, before, after)]
    as_one = as_one and files[0] in files[1:]
    return each_is_whole and each_is_there and agree and as_one


def by_id(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in rows}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], signal.Signals[sys.argv[3]], sys.argv[4:])
