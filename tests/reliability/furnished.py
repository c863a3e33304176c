"""A store with one of everything, and all that a user can see of a store.

python furnished.py make FOLDER     make that store, with the local_hopsworks that Python finds
python furnished.py break FOLDER    make it, and die with an overwrite, a model and a removal half
done
python furnished.py show FOLDER     what is in a store, as JSON
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hopsworks
import pandas as pd
import pyarrow.parquet as pq

from local_hopsworks import Server

wait = time.sleep
# The SDK waits 5 s for a saved model and 0.5 s for each read
time.sleep = lambda seconds: wait(min(seconds, 0.01))
GROUP = {"version": 1, "primary_key": ["id"]}


def rows(*ids: int, fare: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"id": list(ids), "fare": [fare] * len(ids)})


def furnish(project: Any) -> None:
    """What is in the store before each operation."""
    store, storage = project.get_feature_store(), project.get_dataset_api()
    group = store.create_feature_group("full", **GROUP)
    group.insert(rows(1, 2, 3))
    group.add_tag("owner", "tests")
    store.create_feature_group(
        "empty",
        **GROUP,
        features=[{"name": "id", "type": "bigint"}, {"name": "fare", "type": "double"}],
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
    project.get_model_registry().python.create_model("model", metrics={"accuracy": 0.5}).save(
        "file.txt"
    )


# -------------------------------------------------------------------------------------------------
# what there is to see


def logged_in(port: int, key: str) -> Any:
    return hopsworks.login(host="127.0.0.1", port=port, project="tests", api_key_value=key)


def state(home: Path, served: Any = None) -> dict[str, Any]:
    """All that a user can see, and every file but those inside tables and the database."""
    with contextlib.ExitStack() as stack:
        server = served or stack.enter_context(Server(home, project="tests"))
        project = logged_in(server.port, served.key if served else server.api_key)
        store, found = project.get_feature_store(), {}
        bring_offline(home, project)
        client = hopsworks.client._get_instance()
        ask = lambda *path: client._send_request("GET", ["project", client._project_id, *path])  # noqa: E731
        for document in ask("featurestores", client._project_id, "featuregroups")["items"]:
            group = store.get_feature_group(document["name"], document["version"])
            try:
                content = group.read().sort_values("id").to_json(orient="records")
            except Exception as error:
                if "No data found for" not in str(error):
                    raise
                content = (
                    "[]"  # it is saved in two steps, and without rows before and after the second
                )
            found[f"group {group.name}"] = [
                content,
                [feature.name for feature in group.columns],
                group.get_tags(),
            ]
        for document in ask("featurestores", client._project_id, "featureview")["items"]:
            view = store.get_feature_view(document["name"], document["version"])
            versions = [dataset.version for dataset in view.get_training_datasets()]
            found[f"view {view.name}"] = [[feature.name for feature in view.features], versions]
        for model in project.get_model_registry().get_models("model"):
            found[f"model {model.version}"] = [
                model.training_metrics,
                sorted(os.listdir(model.download())),
            ]
        secrets = hopsworks.get_secrets_api()
        found["secrets"] = {
            secret.name: secrets.get(secret.name) for secret in secrets.get_secrets()
        }
        found["jobs"] = {
            job.name: str(job.job_schedule and job.job_schedule.cron_expression)
            for job in project.get_job_api().get_jobs()
            if job.job_type == "PYTHON"
        }
        if ask("serving"):
            deployments = project.get_model_serving().get_deployments()
            found |= {f"deployment {each.name}": deployed(each) for each in deployments}
        hopsworks.logout()
    found |= online(home, found)
    from local_hopsworks import check  # the versions that made the older stores have none

    found["faults"] = [str(fault) for fault in check.check(home)[1]]
    found["files"] = dict(_files(home))
    for name in [
        name for name, content in found.items() if name.startswith("group ") and content[0] == "[]"
    ]:
        found["files"].pop(f"table {name.removeprefix('group ')}_1", None)
    return found


def bring_offline(home: Path, project: Any) -> None:
    """Run the jobs of stream groups whose rows wait in their topics, as a person does."""
    for table in waiting(home):
        group = project.get_feature_store().get_feature_group(table.name, table.version)
        deadline = time.monotonic() + 120
        while is_under_way(group.materialization_job):  # the server has started it again
            assert time.monotonic() < deadline
            wait(0.05)
        if table in waiting(home):
            group.materialization_job.run(await_termination=True)
        assert table not in waiting(home)


def is_under_way(job: Any) -> bool:
    last = job.get_executions()
    return bool(last) and last[0].final_status == "UNDEFINED"


def waiting(home: Path) -> list[Any]:
    if not (home / "online" / "tests.db").exists():
        return []
    from local_hopsworks.online import materialise
    from local_hopsworks.online.store import OnlineStore

    with contextlib.closing(OnlineStore(home / "online" / "tests.db")) as store:
        with store.transaction(write=False) as db:
            tables = [table for table in store.all(db) if table.stream]
        return [table for table in tables if materialise.is_due(store, table)]


def online(home: Path, seen: dict[str, Any]) -> dict[str, Any]:
    """What is in the online store. A table may have a column that its group does not know, as
    offline tables may: killed when features are appended, it is the table that has them first."""
    if not (home / "online" / "tests.db").exists():
        return {}
    from local_hopsworks.online import online_table, subjects, topics
    from local_hopsworks.online.store import OnlineStore

    with contextlib.closing(OnlineStore(home / "online" / "tests.db")) as store:
        with store.transaction(write=False) as db:
            tables = store.all(db)
            found: dict[str, Any] = {
                f"online {table.name}": [
                    dict(zip(names, row, strict=True))
                    for row in online_table.scan(db, table, names)
                ]
                for table in tables
                for names in [seen[f"group {table.name}"][1]]
            }
            found["topics"] = [topic.name for topic in topics.all_topics(db)]
            found["subjects"] = subjects.versions(db, "sales")
    return found


def deployed(deployment: Any) -> list[Any]:
    """Whether a deployment is to run, and what it then answers."""
    status = deployment.get_state().status
    if status in ("Created", "Stopped", "Failed"):
        return [status, None]
    return ["runs", deployment.predict(inputs=[[1, 2]])]


def _files(home: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(home.rglob("*")):
        name, parts = str(path.relative_to(home)), path.relative_to(home).parts
        # What is aside is not lost, and not in the way; a living server's lock is its right
        if name.startswith(("metadata.db", "port", "security/", "aside", "online")) or re.fullmatch(
            r"servers/\w+(/lock|/certificates(/.*)?)?", name
        ):
            continue
        # Logs tell of every start, and uploads of a script are no part of a deployment yet
        if re.match(r"projects/\w+/(Logs/|Deployments/\w+(/resources|$))", name):
            continue
        if parts[0] == "featurestore" and len(parts) > 2:
            table = re.sub(r"_\d+(?=$|\.cleared)", "", parts[2])  # without its id
            yield f"table {table}", ""
        elif path.is_file() and path.suffix != ".parquet":
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        elif path.suffix == ".parquet":
            # Pandas' own reading can abort Python's exit
            yield (name, pq.read_table(path).to_pandas().to_json())
        else:
            yield name, ""


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    if keys == ["files"]:
        return f"files: {sorted(set(found['files'].items()) ^ set(expected['files'].items()))}"
    return "; ".join(
        f"{key}: {_short(found.get(key))} instead of {_short(expected.get(key))}" for key in keys
    )


def _short(value: Any) -> str:
    return str(value)[:1000]


# ----------------------------------------------------------------------------------------------
# processes of their own

log = os.open(os.devnull, os.O_WRONLY)


def forked(work: Callable[[], Any], *, report: Path | None = None) -> int:
    """Do the work in a process of its own, and return how that ended; what the work returns is
    written to `report`."""
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
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        sys.stderr.flush()
        os._exit(status)


def main(action: str, home: Path) -> None:
    if action == "show":
        shown = state(home)
        print(json.dumps(shown))
        return
    with Server(home, project="tests") as server:
        project = logged_in(server.port, server.api_key)
        furnish(project)
        if action == "break":
            break_off(project)
        hopsworks.logout()


def break_off(project: Any) -> None:
    from local_hopsworks import unfinished

    group = project.get_feature_store().get_feature_group("full", 1)
    # The first half of insert(overwrite=True)
    group._feature_group_engine._feature_group_api._delete_content(group)
    storage = project.get_dataset_api()
    assert project.get_model_registry().get_model("model", 2) is None
    storage.mkdir("Models/model/2")
    with here("second"):
        storage.upload("file.txt", "Models/model/2")
    unfinished.remove = lambda *arguments: os._exit(9)
    project.get_feature_store().get_feature_view("view", 1).delete_training_dataset(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
