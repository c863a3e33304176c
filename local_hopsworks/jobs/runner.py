"""Runs executions of jobs as child processes of the serving one, notices how they end, and starts
those that are due.

An execution belongs to one server, its runner. A server holds a lock on a file in the store as long
as its process lives, so every other server can tell an execution that runs from one whose server
was killed, without a heartbeat.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import processes
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.jobs import retention
from local_hopsworks.jobs.logs import Log
from local_hopsworks.jobs.states import LOST
from local_hopsworks.jobs.tables import executions, still_runs
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")
POLL_SECONDS = 0.25
FINISH_SECONDS = 60  # that a stopping server waits for a task that must finish
LOG_SECONDS = 5  # for the last lines, after all that could write them has ended


@dataclass(frozen=True)
class Task:
    """An execution, ready to be started. Its log files are there already."""

    id: int
    program: list[str]  # what Python is given: the script, or -m and a module, with arguments
    files: list[Path]  # copied into the working folder
    environment: dict[str, str]
    stdout: Path
    stderr: Path
    must_finish: bool = False  # the server waits for it before it stops


class Runner:
    """The child processes of one server."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._store, self._metadata = hopsworks.store, hopsworks.metadata
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()

    def register(self) -> None:
        """From now until the process ends, this server's executions count as alive."""
        self._store.register()
        atexit.unregister(self.stop)
        atexit.register(self.stop)

    def start(self, task: Task) -> None:
        """Run an execution on a thread of its own."""
        self._thread(lambda: self._run(task), f"hopsworks-execution-{task.id}")

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Do `action` again and again until the server stops."""

        def repeat() -> None:
            while not self._stopping.wait(seconds):
                try:
                    action()
                except Exception as error:  # the next time may go better
                    _log.error("The scheduler of jobs failed", exc_info=error)

        self._thread(repeat, "hopsworks-schedules")

    def _thread(self, target: Callable[[], None], name: str) -> None:
        def run() -> None:
            try:
                target()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def stop(self) -> None:
        """End all executions of this runner; they count as killed. Those of the server's own are
        waited for."""
        atexit.unregister(self.stop)
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(FINISH_SECONDS + processes.GRACE_SECONDS + 2)

    def _run(self, task: Task) -> None:
        started, folder = time.monotonic(), self._store.new_draft()
        stdout, stderr = (Log(self._store, path) for path in (task.stdout, task.stderr))
        try:
            folder.mkdir()
            for file in task.files:
                shutil.copy2(file, folder / file.name)
            command = [sys.executable, *task.program]
            child = processes.start(
                command, folder, task.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            stderr.write(f"The job could not be started: {error}.\n".encode())
            stdout.close()
            stderr.close()
            self._record(task.id, state="INITIALIZATION_FAILED", finalStatus="FAILED", progress=1.0)
            self._store.remove(folder)
            return
        assert child.stdout is not None and child.stderr is not None
        pumps = stdout.follow(child.stdout), stderr.follow(child.stderr)
        self._record(task.id, state="RUNNING", process=processes.identity(child.pid))
        killed = self._wait(task, child)
        processes.end_group(child)  # whatever it left running ends with it
        for pump in pumps:
            pump.join(LOG_SECONDS)
        self._store.remove(folder)
        status = (
            ("KILLED", "KILLED")
            if killed
            else ("FAILED", "FAILED")
            if child.returncode
            else ("FINISHED", "SUCCEEDED")
        )
        duration = int((time.monotonic() - started) * 1000)
        self._record(
            task.id, state=status[0], finalStatus=status[1], progress=1.0, duration=duration
        )
        retention.drop_old(self._store, self._metadata, task.id)

    def _wait(self, task: Task, child: processes.Child) -> bool:
        """Until the child ends; whether it was because it had to."""
        deadline: float | None = None
        while True:
            try:
                child.wait(POLL_SECONDS)
                return False
            except subprocess.TimeoutExpired:
                if self._stopping.is_set() and deadline is None:
                    patience = FINISH_SECONDS if task.must_finish else 0
                    deadline = time.monotonic() + patience
                is_late = deadline is not None and time.monotonic() >= deadline
                if is_late or self._must_stop(task.id):
                    break
        processes.end(child)
        return True

    def _must_stop(self, execution: int) -> bool:
        """Whether the execution was deleted, or a client asked, through any server, to stop it."""
        with self._metadata.transaction(write=False) as db:
            row = db.execute(executions.select().where(executions.c.id == execution)).one_or_none()
        return row is None or bool(row.document.get("mustStop"))

    def _record(self, execution: int, **changes: Any) -> None:
        with self._metadata.transaction(write=True) as db:
            for row in db.execute(executions.select().where(executions.c.id == execution)).all():
                _update(db, row, changes)


def recover(store: Store, metadata: Metadata) -> None:
    """Settle the executions of servers that were killed: they failed, their processes end."""
    with metadata.transaction(write=False) as db:
        if not lost(db, store):
            return
    with metadata.transaction(write=True) as db:
        for row in lost(db, store):
            processes.end_orphan(row.document.get("process"))
            _update(db, row, LOST)


def lost(db: sa.Connection, store: Store) -> list[sa.Row[Any]]:
    """Executions marked as running whose server was killed."""
    return [row for row in db.execute(under_way()) if not store.is_alive(row.runner)]


def under_way() -> sa.Select[Any]:
    """The query for executions that are marked as running."""
    return executions.select().where(still_runs)


def _update(db: sa.Connection, row: sa.Row[Any], changes: dict[str, Any]) -> None:
    document = {**row.document, **changes}
    db.execute(executions.update().where(executions.c.id == row.id).values(document=document))
