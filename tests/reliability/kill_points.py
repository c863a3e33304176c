"""Kill a program at every step of a write, start it again, and see that all is as before or as after, never between.

    python kill_points.py WORK_FOLDER WHO SIGNAL OPERATION[@STEP] ...     one line of JSON for each kill

WHO is killed: `both` (an embedded Hopsworks and its user are one process), `server` or `client` (two processes).
Steps are found, not listed: an audit hook sees everything Python does to files of the store, SQLAlchemy every commit,
and wrappers every request of the SDK and every Delta write. One run without a kill counts them, then each is struck.
Every run is a fork of this process, which has imported everything and started nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401
import hopsworks
import hsfs.core.delta_engine
import hsfs.engine.python
import hsml.engine.model_engine  # noqa: F401
import pandas as pd
import pyarrow.csv
import pyarrow.flight
import pyarrow.parquet  # noqa: F401
import requests
import sqlalchemy as sa
import sqlglot  # noqa: F401

from local_hopsworks import Server, check
from local_hopsworks.__main__ import serve
from local_hopsworks.query import files, profile, run, service, sql  # noqa: F401

_wait = time.sleep
time.sleep = lambda seconds: _wait(min(seconds, 0.01))  # the SDK waits 5 s for a saved model and 0.5 s for each read
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
GROUP = {"version": 1, "primary_key": ["id"]}


def rows(*ids: int, fare: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"id": list(ids), "fare": [fare] * len(ids)})


# ------------------------------------------------------------------------------------------------------ the operations


def furnish(project: Any) -> None:
    """What is in the store before each operation."""
    store, storage = project.get_feature_store(), project.get_dataset_api()
    group = store.create_feature_group("full", **GROUP)
    group.insert(rows(1, 2, 3))
    group.add_tag("owner", "tests")
    store.create_feature_group(
        "empty", **GROUP, features=[{"name": "id", "type": "bigint"}, {"name": "fare", "type": "double"}]
    ).save()
    view = store.create_feature_view("view", group.select_all(), version=1)
    view.create_training_data(data_format="parquet")
    group.insert(rows(6))
    with here("first"):
        storage.upload("file.txt", "Resources")
        storage.mkdir("Resources/folder")
        storage.upload("file.txt", "Resources/folder")
        save_model(project)
    hopsworks.get_secrets_api().create_secret("kept", "value")
    with here("print('done')", "job.py"):
        storage.upload("job.py", "Resources")
    job_api = project.get_job_api()
    config = job_api.get_configuration("PYTHON") | {"appPath": "Resources/job.py"}
    job_api.create_job("kept", config)


@contextlib.contextmanager
def here(content: str | bytes, name: str = "file.txt") -> Iterator[Path]:
    """A working folder with one file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content if isinstance(content, bytes) else content.encode())
        before = os.getcwd()
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def save_model(project: Any) -> None:
    project.get_model_registry().python.create_model("model", metrics={"accuracy": 0.5}).save("file.txt")


def full(project: Any) -> Any:
    return project.get_feature_store().get_feature_group("full", 1)


def view(project: Any) -> Any:
    return project.get_feature_store().get_feature_view("view", 1)


def create_group(project: Any) -> None:
    features = [{"name": "id", "type": "bigint"}]
    project.get_feature_store().create_feature_group("new", **GROUP, features=features).save()


def first_insert(project: Any) -> None:
    project.get_feature_store().get_feature_group("empty", 1).insert(rows(1, 2))


def upsert(project: Any) -> None:
    full(project).insert(rows(3, 4, fare=9.0))


def append(project: Any) -> None:
    full(project).insert(rows(4, 5), operation="insert")


def overwrite(project: Any) -> None:
    full(project).insert(rows(7, 8), overwrite=True)


def remove_rows(project: Any) -> None:
    full(project).remove_rows(rows(1))


def append_feature(project: Any) -> None:
    full(project).append_features([hsfs.feature.Feature("embarked", "string")])


def delete_group(project: Any) -> None:
    full(project).delete(delete_feature_views=True)


def tag_group(project: Any) -> None:
    full(project).add_tag("owner", "somebody else")


def compute_statistics(project: Any) -> None:
    full(project).compute_statistics()


def create_view(project: Any) -> None:
    project.get_feature_store().create_feature_view("another", full(project).select(["fare"]), version=1)


def delete_view(project: Any) -> None:
    view(project).delete()


def write_training_data(project: Any) -> None:
    view(project).create_training_data(data_format="parquet")


def write_training_splits(project: Any) -> None:
    view(project).create_train_test_split(test_size=0.3, data_format="csv", seed=1)


def recreate_training_data(project: Any) -> None:
    view(project).recreate_training_dataset(1)


def delete_training_files(project: Any) -> None:
    view(project).purge_training_data(1)


def delete_training_dataset(project: Any) -> None:
    view(project).delete_training_dataset(1)


def model_save(project: Any) -> None:
    with here("second"):
        save_model(project)


def model_delete(project: Any) -> None:
    project.get_model_registry().get_model("model", 1).delete()


def upload(project: Any) -> None:
    with here("second", "new.txt"):
        project.get_dataset_api().upload("new.txt", "Resources")


def upload_in_chunks(project: Any) -> None:
    with here(b"abcdefghij" * 100, "new.txt"):
        project.get_dataset_api().upload("new.txt", "Resources", chunk_size=250)


def copy_folder(project: Any) -> None:
    project.get_dataset_api().copy("Resources/folder", "Resources/copied")


def move_folder(project: Any) -> None:
    project.get_dataset_api().move("Resources/folder", "Resources/moved")


def remove_folder(project: Any) -> None:
    project.get_dataset_api().remove("Resources/folder")


def make_folder(project: Any) -> None:
    project.get_dataset_api().mkdir("Resources/new")


def create_secret(project: Any) -> None:
    hopsworks.get_secrets_api().create_secret("new", "hidden")


def delete_secret(project: Any) -> None:
    hopsworks.get_secrets_api().get_secret("kept").delete()


def create_job(project: Any) -> None:
    job_api = project.get_job_api()
    job_api.create_job("new", job_api.get_configuration("PYTHON") | {"appPath": "Resources/job.py"})


def schedule_job(project: Any) -> None:
    project.get_job_api().get_job("kept").schedule("0 0 3 * * ?")


def delete_job(project: Any) -> None:
    project.get_job_api().get_job("kept").delete()


def start_nothing(project: Any) -> None:
    """The steps are those of making or opening a store."""


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        create_group, first_insert, upsert, append, overwrite, remove_rows, append_feature, delete_group, tag_group,
        compute_statistics, create_view, delete_view, write_training_data, write_training_splits,
        recreate_training_data, delete_training_files, delete_training_dataset, model_save, model_delete, upload,
        upload_in_chunks, copy_folder, move_folder, remove_folder, make_folder, create_secret, delete_secret,
        create_job, schedule_job, delete_job, start_nothing,
    )
}  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- the steps


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
                _wait(1)  # it ends here, as soon as the signal has arrived

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or event not in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        if isinstance(arguments[0], int):
            return
        path = os.fsdecode(arguments[0])
        inside = path.startswith(self.home) or arguments[-1] not in (-1, None)  # of rmtree: relative to a folder
        if inside and "metadata.db" not in path:
            self.step(f"{event.removeprefix('os.')} {path}")


strike = Strike()


def watch() -> None:
    sys.addaudithook(strike.audit)
    sa.event.listen(
        sa.engine.Engine,
        "commit",
        lambda connection: strike.step("commit") if connection.get_execution_options().get("writes") else None,
    )
    send, write = requests.Session.send, hsfs.core.delta_engine.DeltaEngine._write_delta_rs_dataset

    def watched_send(self: Any, request: Any, **options: Any) -> Any:
        name = f"{request.method} {request.path_url.removeprefix('/hopsworks-api/api').partition('?')[0]}"
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


# ------------------------------------------------------------------------------------------------------------- the runs


log = os.open(os.devnull, os.O_WRONLY)


def forked(work: Callable[[], Any], *, report: Path | None = None) -> int:
    """Do the work in a process of its own, and return how that ended; what the work returns is written to `report`."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    for stream in (1, 2):
        os.dup2(log, stream)
    try:
        result = work()
        if report:
            report.write_text(json.dumps(result))
        status = 0
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        traceback.print_exc()
    finally:
        import atexit

        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        sys.stderr.flush()
        os._exit(status)


def logged_in(port: int, key: str) -> Any:
    return hopsworks.login(host="127.0.0.1", port=port, project="tests", api_key_value=key)


def steps_of(operation: Callable[[Any], None], project: Any) -> list[str]:
    if not strike.active:
        strike.begin()
    operation(project)
    strike.step("done")
    strike.active = False
    return strike.steps


def in_one_process(home: Path, name: str) -> list[str]:
    """The operation in this process, with an embedded Hopsworks beside it."""
    if name == "start_nothing":
        strike.begin()
    server = Server(home, project="tests").start()
    return steps_of(OPERATIONS[name], logged_in(server.port, server.api_key))


class Served:
    """A process that runs `python -m local_hopsworks serve` over a store, whose steps count between two words."""

    def __init__(self, home: Path) -> None:
        self.told, answer = socket.socketpair()
        self.process = os.fork()
        if not self.process:
            os.dup2(log, 1), os.dup2(log, 2)
            self.told.close()
            server = Server(home, project="tests")
            answer.send(json.dumps([server.port, server.api_key]).encode())
            threading.Thread(target=self._listen, args=[answer], daemon=True).start()
            with contextlib.suppress(BaseException):
                serve(server)
            os._exit(0)
        answer.close()
        self.port, self.key = json.loads(self.told.recv(1000))

    @staticmethod
    def _listen(answer: socket.socket) -> None:
        while word := answer.recv(1):
            if word == b"b":
                strike.begin()
            answer.send(json.dumps(strike.steps).encode().ljust(20_000) if word == b"e" else b" " * 20_000)

    def say(self, word: bytes) -> str:
        self.told.send(word)
        return self.told.recv(20_000, socket.MSG_WAITALL).decode()

    def end(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGTERM)
        return os.waitpid(self.process, 0)[1]


def in_two_processes(home: Path, name: str, who: str, report: Path) -> tuple[list[str], Served]:
    """The operation in a process of its own, on a server in another; `strike` works in one of the two."""
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


def state(home: Path, served: Served | None) -> dict[str, Any]:
    """All that a user can see, and every file but those inside tables and the database."""
    with contextlib.ExitStack() as stack:
        server = served or stack.enter_context(Server(home, project="tests"))
        project = logged_in(server.port, served.key if served else server.api_key)
        store, found = project.get_feature_store(), {}
        client = hopsworks.client._get_instance()
        ask = lambda *path: client._send_request("GET", ["project", client._project_id, *path])  # noqa: E731
        for document in ask("featurestores", client._project_id, "featuregroups")["items"]:
            group = store.get_feature_group(document["name"], document["version"])
            try:
                content = group.read().sort_values("id").to_json(orient="records")
            except Exception as error:
                if "No data found" not in str(error):
                    raise
                content = "[]"  # it is saved in two steps, and without rows before and after the second
            found[f"group {group.name}"] = [content, [feature.name for feature in group.columns], group.get_tags()]
        for document in ask("featurestores", client._project_id, "featureview")["items"]:
            view = store.get_feature_view(document["name"], document["version"])
            versions = [dataset.version for dataset in view.get_training_datasets()]
            found[f"view {view.name}"] = [[feature.name for feature in view.features], versions]
        for model in project.get_model_registry().get_models("model"):
            found[f"model {model.version}"] = [model.training_metrics, sorted(os.listdir(model.download()))]
        secrets = hopsworks.get_secrets_api()
        found["secrets"] = {secret.name: secrets.get(secret.name) for secret in secrets.get_secrets()}
        found["jobs"] = {
            job.name: str(job.job_schedule and job.job_schedule.cron_expression)
            for job in project.get_job_api().get_jobs()
            if job.job_type == "PYTHON"
        }
        hopsworks.logout()
    found["faults"] = [str(fault) for fault in check.check(home)[1]]
    found["files"] = dict(_files(home))
    for name in [name for name, content in found.items() if name.startswith("group ") and content[0] == "[]"]:
        found["files"].pop(f"table {name.removeprefix('group ')}_1", None)
    return found


def _files(home: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(home.rglob("*")):
        name, parts = str(path.relative_to(home)), path.relative_to(home).parts
        # What is aside is not lost, and not in the way; a living server's lock is its right
        if name.startswith(("metadata.db", "port", "security/", "aside")) or re.fullmatch(r"servers/\w+(/lock)?", name):
            continue
        if parts[0] == "featurestore" and len(parts) > 2:
            table = re.sub(r"_\d+(?=$|\.cleared)", "", parts[2])  # without its id
            yield f"table {table}", ""
        elif path.is_file() and path.suffix != ".parquet":
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        elif path.suffix == ".parquet":
            yield name, pd.read_parquet(path).to_json()
        else:
            yield name, ""


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    if keys == ["files"]:
        return f"files: {sorted(set(found['files'].items()) ^ set(expected['files'].items()))}"
    return "; ".join(f"{key}: {_short(found.get(key))} instead of {_short(expected.get(key))}" for key in keys)


def _short(value: Any) -> str:
    return str(value)[:1000]


def main(work: Path, who: str, number: int, chosen: list[str]) -> None:
    watch()
    global log
    log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    template, report = work / "template", work / "report.json"
    strike.signal = number

    def seen(home: Path, served: Served | None = None) -> dict[str, Any]:
        assert forked(lambda: state(home, served), report=report) == 0, f"the state of {home} cannot be read"
        return json.loads(report.read_text())

    def furnished() -> None:
        with Server(template, project="tests") as server:
            furnish(logged_in(server.port, server.api_key))
            hopsworks.logout()

    def struck(home: Path, name: str, at: int) -> tuple[list[str], int, dict[str, Any]]:
        """The steps of an operation, how the process that was struck ended, and the state after a restart."""
        strike.home, strike.at = str(home), at
        if who == "both":
            report.write_text("[]")
            ended = forked(lambda: in_one_process(home, name), report=report)
            return json.loads(report.read_text()), ended, seen(home)
        steps, served = in_two_processes(home, name, who, report)
        if who == "client":
            now = seen(home, served)  # of the same server, which lives on
            return steps, served.end(), now
        return steps, served.end(), seen(home)

    assert forked(furnished) == 0, "the store could not be furnished"
    before = seen(template)
    homes = (work / f"store{turn}" for turn in itertools.count())

    def fresh(name: str) -> Path:
        home = next(homes)
        if name != "start_nothing":
            shutil.copytree(template, home)
        return home

    for choice in chosen:
        name, _, pattern = choice.partition("@")
        steps, _, after = struck(fresh(name), name, -1)
        assert steps and not after["faults"], f"{name} has steps {steps} and leaves the faults {after['faults']}"
        earlier = after if name == "start_nothing" else before
        for at, step in enumerate(steps):
            if not re.search(pattern, step):
                continue
            home = fresh(name)
            result: dict[str, Any] = {"operation": name, "step": f"{at + 1} of {len(steps)}: {step}"}
            try:
                _, result["ended"], now = struck(home, name, at)
                result["verdict"] = "before" if now == earlier else "after" if now == after else "between"
                if result["verdict"] == "between":
                    result["why"] = f"before: {difference(now, earlier)}\nafter: {difference(now, after)}"
                elif now == before != after:
                    again = struck(home, name, -1)[2]
                    if again != after:
                        result["verdict"], result["why"] = "not repeatable", difference(again, after)
            except AssertionError as error:
                result["verdict"] = str(error)
            print(json.dumps(result), flush=True)
            shutil.rmtree(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], signal.Signals[sys.argv[3]], sys.argv[4:])
