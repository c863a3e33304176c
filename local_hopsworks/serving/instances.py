"""The processes of deployments: one per deployment, whichever server over the store has it.

A server claims a deployment in a transaction, starts its process, and watches it until it ends, is
asked to stop, or is to run something newer. `deployments.instance` says what is known of it:
`state` (Starting, Running, Stopping or Failed), `revision` (of the deployment that it runs),
`port`, `token`, `process` (see processes.py) and, if it failed, `reason`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import secrets
import subprocess
import sys
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from local_hopsworks import environment, processes
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.projects.tables import projects
from local_hopsworks.serving import files
from local_hopsworks.serving.logs import Log
from local_hopsworks.serving.model_server import Settings
from local_hopsworks.serving.tables import deployments
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")
CREATED, RUNNING, STOPPED = "Created", "Running", "Stopped"  # what can be asked for
STARTING, STOPPING, FAILED, IDLE, UPDATING = "Starting", "Stopping", "Failed", "Idle", "Updating"
POLL_SECONDS = 0.25
START_POLL_SECONDS = 0.05
_PROGRAM = Path(__file__).with_name("model_server.py")
_NOT_INHERITED = ("HOPSWORKS_JOB_NAME", "HOPSWORKS_JOB_EXECUTION_ID")


def is_live(store: Store, row: sa.Row[Any]) -> bool:
    """Whether a deployment has a process whose server lives."""
    if row.instance is None or row.instance["state"] == FAILED:
        return False
    return store.is_alive(row.runner)


def status(store: Store, row: sa.Row[Any]) -> str:
    """The status of a deployment, in Hopsworks' words. One that is to run and has no process yet is
    Idle: its first request starts it."""
    live = is_live(store, row)
    if row.asked != RUNNING:
        return STOPPING if live else str(row.asked)
    if live:
        state = row.instance["state"]
        is_newest = row.instance["revision"] == row.revision
        return UPDATING if state == RUNNING and not is_newest else str(state)
    has_failed = row.instance is not None and row.instance["state"] == FAILED
    return FAILED if has_failed and row.instance["revision"] == row.revision else IDLE


class Instances:
    """The deployments' processes that one server has."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._hopsworks = hopsworks
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()
        hopsworks.store.register()
        atexit.register(self.stop)

    def claim(self, db: sa.Connection, row: sa.Row[Any]) -> bool:
        """In a writing transaction: make this server the one that runs a deployment. False if one
        has it already."""
        if is_live(self._hopsworks.store, row):
            return False
        instance = {"state": STARTING, "revision": row.revision}
        if row.instance is not None:  # a killed server's process may be left
            instance["process"] = row.instance.get("process")
        values = {"runner": self._hopsworks.store.id, "instance": instance}
        db.execute(deployments.update().where(deployments.c.id == row.id).values(**values))
        return True

    def start(self, deployment: int) -> None:
        """Start the process of a deployment that this server has claimed, and watch it."""
        run = partial(self._run, deployment)
        thread = threading.Thread(
            target=run, name=f"hopsworks-deployment-{deployment}", daemon=True
        )
        self._threads.add(thread)
        thread.start()

    def stop(self) -> None:
        """End all processes. Their deployments are to run all the same, on another server."""
        atexit.unregister(self.stop)
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(processes.GRACE_SECONDS + 2)

    def _run(self, deployment: int) -> None:
        """Run the deployment's process, and again as long as something newer is to run."""
        try:
            row = self._row(deployment)
            while row is not None:
                self._run_once(row)
                row = self._newer_or_released(row)
        except Exception as error:
            _log.error("The deployment %s cannot be watched", deployment, exc_info=error)
        finally:
            self._threads.discard(threading.current_thread())

    def _run_once(self, row: sa.Row[Any]) -> None:
        """Run a deployment's process from its start to its end."""
        processes.end_orphan((row.instance or {}).get("process"))
        place = files.Place(self._hopsworks.store, row.project, row.name, row.version)
        place.finish_exchange(self._hopsworks.metadata)
        if self._must_end(row, row):
            return
        self._record(row, {"state": STARTING})
        folder = self._hopsworks.store.new_draft()
        try:
            process = _Process(self._hopsworks, row, folder)
        except OSError as error:
            self._record(row, _failed(f"The process cannot be started: {error}."))
        else:
            with process:
                self._watch(row, process)
        finally:
            self._hopsworks.store.remove(folder)

    def _watch(self, row: sa.Row[Any], process: _Process) -> None:
        """Follow a process to its end, or to the moment where it must end."""
        identity = processes.identity(process.child.pid)
        self._record(row, {"state": STARTING, "process": identity})
        port = None
        while not process.has_ended(POLL_SECONDS if port else START_POLL_SECONDS):
            if self._must_end(self._row(row.id), row):
                process.note("The process is to end.")
                return
            if port is None and (port := process.port()) is not None:
                instance = {"state": RUNNING, "process": identity}
                self._record(row, {**instance, "port": port, "token": process.token})
        process.note(f"The process has ended with the status {process.child.returncode}.")
        if port is None:
            self._record(row, _failed(process.failure()))

    def _must_end(self, current: sa.Row[Any] | None, started: sa.Row[Any]) -> bool:
        """Whether the deployment was deleted, or a client asked, through any server, to end it."""
        if current is None or current.runner != self._hopsworks.store.id:
            return True
        is_asked = current.asked != RUNNING or current.revision != started.revision
        return is_asked or self._stopping.is_set()

    def _row(self, deployment: int) -> sa.Row[Any] | None:
        with self._hopsworks.metadata.transaction(write=False) as db:
            return db.execute(_with_project().where(deployments.c.id == deployment)).one_or_none()

    def _record(self, row: sa.Row[Any], instance: dict[str, Any]) -> None:
        values = {"instance": {**instance, "revision": row.revision}}
        with self._hopsworks.metadata.transaction(write=True) as db:
            db.execute(deployments.update().where(self._is_mine(row.id)).values(**values))

    def _newer_or_released(self, row: sa.Row[Any]) -> sa.Row[Any] | None:
        """The deployment, if it is to run newer than `row`. Else this server no longer has its
        process, and what is known of a failure stays."""
        with self._hopsworks.metadata.transaction(write=True) as db:
            query = _with_project().where(self._is_mine(row.id))
            current = db.execute(query).one_or_none()
            if current is None:
                return None
            is_newer = current.asked == RUNNING and current.revision != row.revision
            if is_newer and not self._stopping.is_set():
                return current
            has_failed = current.asked == RUNNING and current.instance["state"] == FAILED
            values = {"runner": None, "instance": current.instance if has_failed else None}
            db.execute(deployments.update().where(deployments.c.id == row.id).values(**values))
            return None

    def _is_mine(self, deployment: int) -> sa.ColumnElement[bool]:
        return sa.and_(
            deployments.c.id == deployment, deployments.c.runner == self._hopsworks.store.id
        )


def start_all(hopsworks: Hopsworks) -> None:
    """Start every deployment of the store that is to run and that no server has."""
    query = deployments.select().where(deployments.c.asked == RUNNING)
    with hopsworks.metadata.transaction(write=False) as db:
        idle = [row for row in db.execute(query) if status(hopsworks.store, row) == IDLE]
    if not idle:
        return
    instances = hopsworks.part(Instances)
    with hopsworks.metadata.transaction(write=True) as db:
        rows = [row for row in db.execute(query).all() if status(hopsworks.store, row) == IDLE]
        claimed = [row.id for row in rows if instances.claim(db, row)]
    for deployment in claimed:
        instances.start(deployment)


def _with_project() -> sa.Select[Any]:
    owned = deployments.join(projects, deployments.c.parent_id == projects.c.id)
    return sa.select(deployments, projects.c.name.label("project")).select_from(owned)


def _failed(reason: str) -> dict[str, Any]:
    return {"state": FAILED, "reason": reason}


class _Process:
    """One running process of a deployment, its folder and its log. OSError if it cannot start."""

    def __init__(self, hopsworks: Hopsworks, row: sa.Row[Any], folder: Path) -> None:
        self.token = secrets.token_urlsafe(32)
        self._folder = folder
        folder.mkdir(mode=0o700)
        place = files.Place(hopsworks.store, row.project, row.name, row.version)
        settings = Settings(
            self.token,
            row.name,
            place.script("predictor"),
            place.script("transformer"),
        )
        (folder / "settings.json").write_text(json.dumps(asdict(settings)))
        self._log = Log(place.logs, f"{row.name}-{row.revision}")
        environment = _environment(hopsworks, row, place)
        command = [sys.executable, str(_PROGRAM), str(folder)]
        self.child = processes.start(
            command, folder, environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.child.stdout is not None
        self._following = self._log.follow(self.child.stdout)

    def has_ended(self, seconds: float) -> bool:
        """Wait for the end of the process, at most so long. Then all that it said is in its log."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(seconds)
            self._following.join(processes.GRACE_SECONDS)
            return True
        return False

    def port(self) -> int | None:
        """Where it listens, once it does."""
        with contextlib.suppress(FileNotFoundError):
            return int((self._folder / "port").read_text())
        return None

    def failure(self) -> str:
        """Why it ended before it listened."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "failure").read_text()
        return f"The process ended with the status {self.child.returncode}."

    def note(self, what: str) -> None:
        """Write into its log what this server has to say."""
        self._log.write(f"[local_hopsworks] {what}")

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, if it has not ended, with all it has started."""
        processes.end(self.child)
        self._following.join(processes.GRACE_SECONDS)
        self._log.close()


def _environment(hopsworks: Hopsworks, row: sa.Row[Any], place: files.Place) -> dict[str, str]:
    """The variables of a deployment's process, named as on Hopsworks."""
    document = row.document
    found = environment.of_child(hopsworks.environment(row.project))
    found = {name: value for name, value in found.items() if name not in _NOT_INHERITED}
    found |= {
        "DEPLOYMENT_NAME": row.name,
        "DEPLOYMENT_VERSION": str(row.version),
        "ARTIFACT_VERSION": str(row.version),
        "ARTIFACT_FILES_PATH": str(place.artifacts),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # nothing appears beside the scripts in dataset storage
    }
    if document.get("modelName"):
        name, version = document["modelName"], document["modelVersion"]
        files_folder = hopsworks.store.model(row.project, name, version) / "Files"
        found |= {"MODEL_NAME": name, "MODEL_VERSION": str(version)}
        found["MODEL_FILES_PATH"] = str(files_folder)
    config = place.script("configfile")
    if config:
        found["CONFIG_FILE_PATH"] = config
    for key in ("predictorEnvVars", "transformerEnvVars"):
        found |= dict(text.split("=", 1) for text in document.get(key) or [])
    return found
