"""`python -m local_hopsworks check`: names every fault of a store, and repairs it without losing
anything."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from local_hopsworks import Server
from local_hopsworks.__main__ import main
from local_hopsworks.check import check as find_faults
from local_hopsworks.offline import archive
from tests import rest

GROUP = {
    "type": "cachedFeaturegroupDTO",
    "name": "passengers",
    "features": [{"name": "id", "type": "bigint"}],
}
DEPLOYMENT = {
    "name": "chances",
    "modelName": "served",
    "modelVersion": 1,
    "modelServer": "PYTHON",
    "servingTool": "KSERVE",
    "modelFramework": "PYTHON",
    "predictor": "/Projects/tests/Deployments/chances/resources/predictor/predict.py",
    "configFile": "/Projects/tests/Resources/settings.yml",
}
SECRET = {"name": "token", "secret": "hidden"}


def ask(server: Server, method: str, path: str, **options: Any) -> Any:
    answer = rest.call(server, method, path, **options)
    assert answer.ok, answer.text
    return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a feature group of two commits, a model, a deployment and a secret."""
    home = tmp_path_factory.mktemp("check") / "store"
    with Server(home, project="tests") as server:
        group = ask(server, "POST", "/project/1/featurestores/1/featuregroups", json=GROUP)
        for first in (1, 3):
            write_deltalake(
                group["location"], pd.DataFrame({"id": [first, first + 1]}), mode="append"
            )
        commit = {"commitTime": 1, "rowsInserted": 4}
        ask(
            server,
            "POST",
            f"/project/1/featurestores/1/featuregroups/{group['id']}/commits",
            json=commit,
        )
        for name in ("titanic", "served"):
            for folder in (name, f"{name}/1", f"{name}/1/Files"):
                ask(server, "POST", f"/project/1/dataset/Models/{folder}?action=create")
            model = {"name": name, "version": 1, "framework": "PYTHON"}
            ask(server, "PUT", f"/project/1/modelregistries/1/models/{name}_1", json=model)
        for key in ("predictor", "configFile"):
            file = server.store.dataset("tests", DEPLOYMENT[key])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("class Predict: ...")
        ask(server, "PUT", "/project/1/serving", json=DEPLOYMENT)
        ask(server, "POST", "/users/secrets", json=SECRET)
    return home


@pytest.fixture
def home(furnished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(furnished, tmp_path / "store"))


@pytest.fixture
def check(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The exit status of `check`, and the lines it says."""

    def run(*options: str) -> tuple[int, list[str]]:
        status = main(["check", "--home", str(home), *options])
        return status, capsys.readouterr().out.splitlines()

    return run


def table(home: Path) -> Path:
    return next(home.glob("featurestore/tests/passengers_1_*"))


def log(home: Path, version: int) -> Path:
    return table(home) / "_delta_log" / f"{version:020}.json"


def rows(home: Path) -> list[int]:
    return sorted(DeltaTable(table(home)).to_pandas()["id"])


def tree(home: Path) -> dict[str, bytes]:
    """All files of a store but those that SQLite keeps beside its database."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and "metadata.db" not in path.name
    }


def test_store_in_order_is_said_to_be(check, home):
    before = tree(home)
    assert check() == (0, [f"The store {home} is in order."])
    assert tree(home) == before


def test_table_with_an_archive_is_in_order(check, home):
    assert archived(home).exists() and not log(home, 0).exists()
    before = tree(home)
    assert check() == (0, [f"The store {home} is in order."])
    assert tree(home) == before


def test_table_that_two_programs_made_at_once_is_in_order(check, home):
    first = log(home, 0).read_text()
    identity = next(
        json.loads(line)["metaData"]["id"] for line in first.splitlines() if "metaData" in line
    )
    log(home, 2).write_text(first.replace(identity, "11111111-2222-3333-4444-555555555555"))
    assert check() == (0, [f"The store {home} is in order."])


def test_deployment_whose_server_was_killed_is_in_order(check, home):
    """The next request starts it."""
    instance = {"state": "Running", "revision": 1, "port": 1, "token": "x", "process": [1, "then"]}
    with sqlite3.connect(home / "metadata.db") as database:
        database.execute(
            "UPDATE deployments SET asked = 'Running', runner = 'dead', instance = ?",
            (json.dumps(instance),),
        )
    database.close()
    assert check() == (0, [f"The store {home} is in order."])


def stray_table(home):
    (home / "featurestore/tests/gone_1_77").mkdir()
    (home / "featurestore/tests/gone_1_77/rows.parquet").write_text("rows")
    return "gone_1_77 is the table of no feature group."


def dead_server(home):
    (home / "servers/dead").mkdir()
    (home / "servers/dead/lock").touch()
    (home / "servers/dead/draft").write_text("half an upl")
    return "servers/dead has 1 draft of a server that was killed."


def open_key(home):
    (home / "security/api_key").chmod(0o644)
    return "security/api_key holds keys and is open to other users (mode 0644)."


def half_made_model(home):
    folder = home / "projects/tests/Models/titanic/2"
    folder.mkdir()
    (folder / "half.bin").write_text("half")
    for path in (folder / "half.bin", folder):
        os.utime(path, (time.time() - 10_000,) * 2)
    return "Models/titanic/2 is a model's version that was never registered."


def missing_rows(home):
    next(iter(table(home).glob("*.parquet"))).unlink()
    return "Feature group passengers version 1: files that its log names are missing:"


def damaged_commit(home):
    log(home, 1).write_text('{"add": ')
    return (
        "Feature group passengers version 1: its last commit is damaged or another table's, "
        f"{log(home, 1)}."
    )


def commit_of_another_table(home):
    write_deltalake(home.parent / "other", pd.DataFrame({"id": [9]}))
    shutil.copy(home.parent / "other/_delta_log/00000000000000000000.json", log(home, 2))
    return f"its last commit is damaged or another table's, {log(home, 2)}."


def foreign_file_in_log(home):
    (table(home) / "_delta_log/notes.txt").write_text("mine")
    return "Feature group passengers version 1: its log has a foreign file,"


def archive_of_another_table(home):
    (table(home) / archive.FOLDER).mkdir()
    shutil.copy(log(home, 0), table(home) / archive.FOLDER)
    return (
        f"passengers version 1: {table(home) / archive.FOLDER} is of a table that was there before."
    )


def missing_project_folder(home):
    (home / "projects/tests/Logs").rmdir()
    return "The project tests lacks its folders Logs"


def deployed(home: Path) -> Path:
    return home / "projects/tests/Deployments/chances/1"


def lost_script(home):
    (deployed(home) / "predictor-predict.py").unlink()
    return (
        f"Deployment chances has lost its predictor script {deployed(home)}/predictor-predict.py."
    )


def unknown_script(home):
    (deployed(home) / "predictor-older.py").write_text("class Predict: ...")
    return f"{deployed(home)}/predictor-older.py is a file that the deployment chances does not"


def files_of_no_deployment(home):
    shutil.copytree(deployed(home).parent, home / "projects/tests/Deployments/gone")
    for path in (home / "projects/tests/Deployments/gone").rglob("*"):
        os.utime(path, (time.time() - 10_000,) * 2)
    os.utime(home / "projects/tests/Deployments/gone", (time.time() - 10_000,) * 2)
    return "Deployments/gone has the files of a deployment that is not there."


def broken_off_removal(home):
    with sqlite3.connect(home / "metadata.db") as database:
        database.execute("DELETE FROM models WHERE name = 'titanic'")
        inode = (home / "projects/tests/Models/titanic/1").stat().st_ino
        note = ("dead", "", "remove", "projects/tests/Models/titanic/1", f'{{"inode": {inode}}}')
        database.execute(
            "INSERT INTO unfinished (server, client, action, path, document) VALUES (?, ?, "
            "?, ?, ?)",
            note,
        )
    database.close()
    return (
        "A server was killed in the middle of this write: remove projects/tests/Models/titanic/1."
    )


def lost_execution(home):
    with sqlite3.connect(home / "metadata.db") as database:
        database.execute(
            "INSERT INTO jobs (id, parent_id, name, version, document) VALUES (1, 1, "
            "'job', 1, '{}')"
        )
        document = '{"state": "RUNNING", "stdoutPath": "/Projects/tests/Logs/x"}'
        database.execute(
            "INSERT INTO executions (parent_id, document, runner) VALUES (1, ?, 'dead')",
            (document,),
        )
    database.close()
    return "The execution 1 of a job is marked as RUNNING, but its server was killed."


def older_format(home):
    (home / "format").write_text("1\n")
    return f"The store {home} has format 1, and this version of local_hopsworks writes format 2."


def long_share(*damages):
    return [pytest.param(damage, marks=pytest.mark.reliability) for damage in damages]


REPAIRED = [
    stray_table,
    half_made_model,
    missing_rows,
    broken_off_removal,
    archive_of_another_table,
    lost_script,
    *long_share(
        unknown_script,
        files_of_no_deployment,
        dead_server,
        open_key,
        damaged_commit,
        commit_of_another_table,
        foreign_file_in_log,
        missing_project_folder,
        lost_execution,
        older_format,
    ),
]


@pytest.mark.parametrize("damage", REPAIRED)
def test_fault_is_named_and_repaired_only_when_asked(damage, check, home, record):
    record(faults_injected=1)
    sentence, before = damage(home), tree(home)
    status, said = check()
    assert status == 1 and sentence in said[0] and "With --repair:" in said[0], said
    assert tree(home) == before
    status, said = check("--repair")
    assert status == 0 and said[0].startswith("Repaired: ") and sentence in said[0], said
    assert said[-1] == f"The store {home} is in order."
    assert check() == (0, [f"The store {home} is in order."])
    if damage in (
        stray_table,
        half_made_model,
        foreign_file_in_log,
        damaged_commit,
        archive_of_another_table,
        unknown_script,
        files_of_no_deployment,
    ):
        lost = set(before.values()) - set(tree(home).values())
        assert not lost, "what is in doubt is kept"
        where = Path(said[0].partition(" It is now ")[2].rstrip("."))
        assert where.is_relative_to(home / "aside") and where.exists()
    if damage is lost_script:
        assert (deployed(home) / "predictor-predict.py").read_text() == "class Predict: ..."
    if damage in (damaged_commit, commit_of_another_table):
        assert rows(home) == ([1, 2] if damage is damaged_commit else [1, 2, 3, 4])
    with Server(home, project="tests") as server:
        assert ask(server, "GET", "/users/secrets/token")["items"][0]["secret"] == "hidden"
    record(survived=1)


def lost_table(home):
    shutil.rmtree(table(home))
    return "Feature group passengers version 1 has lost its table"


def missing_commit(home):
    log(home, 0).unlink()
    return f"Feature group passengers version 1: its log lacks the commit {log(home, 0)}."


def archived(home):
    """The first commit of the table of four is in the archive; where that is."""
    for first in (5, 7):
        DeltaTable(table(home)).create_checkpoint()
        write_deltalake(table(home), pd.DataFrame({"id": [first, first + 1]}), mode="append")
    archive.put_away(table(home))
    return table(home) / archive.FOLDER / log(home, 0).name


def damaged_commit_in_archive(home):
    archived(home).write_text('{"add": ')
    return (
        "a commit is damaged or another table's, "
        f"{table(home) / archive.FOLDER / log(home, 0).name}."
    )


def shortened_rows(home):
    path = next(iter(table(home).glob("*.parquet")))
    path.write_bytes(path.read_bytes()[:100])
    return f"the file {path} has 100 bytes, not"


def lost_model(home):
    shutil.rmtree(home / "projects/tests/Models/titanic/1")
    return "Model titanic version 1 has lost its files in"


def deployment_of_lost_model(home):
    with Server(home, project="tests") as server:
        ask(server, "DELETE", "/project/1/modelregistries/1/models/served_1")
    return "Deployment chances serves version 1 of the model served, which is gone."


def lost_configuration_file(home):
    (deployed(home) / "configfile-settings.yml").unlink()
    return "Deployment chances has lost its configuration file"


def other_secrets_key(home):
    with Server(home.parent / "other"):
        pass
    shutil.copy(home.parent / "other/security/secrets_key", home / "security/secrets_key")
    return "The secret 'token' was encrypted with another key than that in"


def no_database(home):
    for leftover in home.glob("metadata.db-*"):
        leftover.unlink()
    (home / "metadata.db").write_bytes(
        b"not a database at all, but long enough to be looked at" * 100
    )
    return f"The metadata in {home}/metadata.db is damaged: file is not a database."


def shortened_database(home):
    content = (home / "metadata.db").read_bytes()
    (home / "metadata.db").write_bytes(content[: len(content) // 2])
    return f"The metadata in {home}/metadata.db is damaged:"


def newer_format(home):
    (home / "format").write_text("3\n")
    return (
        f"The store {home} has format '3'; this version of local_hopsworks reads format 2. Use "
        "the version that"
    )


def no_store(home):
    (home / "format").unlink()
    return f"{home} is not a store: it has no file named format."


LEFT = [
    lost_table,
    shortened_database,
    deployment_of_lost_model,
    *long_share(
        lost_configuration_file,
        missing_commit,
        damaged_commit_in_archive,
        shortened_rows,
        lost_model,
        other_secrets_key,
        no_database,
        newer_format,
        no_store,
    ),
]


@pytest.mark.parametrize("damage", LEFT)
def test_fault_that_only_a_copy_can_mend_is_named_and_left_as_it_is(damage, check, home, record):
    record(faults_injected=1)
    sentence, before = damage(home), tree(home)
    for options in ((), ("--repair",)):
        status, said = check(*options)
        assert status == 1 and sentence in said[0] and "With --repair" not in said[0], said
        assert tree(home) == before
    record(survived=1)


def test_newcomer_is_told_what_check_does(run):
    said = " ".join(run(sys.executable, "-m", "local_hopsworks", "check", "--help").stdout.split())
    assert (
        "It changes nothing without --repair" in said
        and "exit status is 1 if there are faults" in said
    )
    assert "moved into the folder aside/ of the store" in said


def test_what_a_living_server_has_under_way_is_no_fault(check, home):
    with Server(home, project="tests") as server:
        group = ask(
            server,
            "POST",
            "/project/1/featurestores/1/featuregroups",
            json={**GROUP, "name": "other"},
        )
        write_deltalake(group["location"], pd.DataFrame({"id": [1]}))
        ask(server, "POST", f"/project/1/featurestores/1/featuregroups/{group['id']}/clear")
        ask(server, "POST", "/project/1/dataset/Models/titanic/2?action=create")
        shutil.copytree(deployed(home).parent, deployed(home).parent.with_name("uploaded"))
        server.store.new_draft().write_text("half an upl")
        assert check() == (0, [f"The store {home} is in order."])
        assert check("--repair") == (0, [f"The store {home} is in order."])
        assert ask(server, "GET", "/project/1/dataset/Models/titanic/2")["attributes"]["dir"]


@pytest.mark.reliability
def test_check_finds_nothing_while_others_write_and_delete(home):
    """The writes are those that take more than one step: a check in the middle of one must not take
    it for a fault."""
    done = threading.Event()

    def write(server: Server) -> None:
        groups, dataset = "/project/1/featurestores/1/featuregroups", "/project/1/dataset"
        try:
            for turn in range(12):
                group = ask(server, "POST", groups, json={**GROUP, "name": f"turn_{turn}"})
                write_deltalake(group["location"], pd.DataFrame({"id": [1]}))
                ask(server, "POST", f"{groups}/{group['id']}/commits", json={"commitTime": 1})
                ask(server, "POST", f"{groups}/{group['id']}/clear")
                write_deltalake(group["location"], pd.DataFrame({"id": [2]}))
                ask(server, "POST", f"{groups}/{group['id']}/commits", json={"commitTime": 2})
                ask(server, "DELETE", f"{groups}/{group['id']}")
                ask(server, "POST", f"{dataset}/Models/titanic/{turn + 2}?action=create")
                model = {"name": "titanic", "version": turn + 2, "framework": "PYTHON"}
                ask(
                    server,
                    "PUT",
                    f"/project/1/modelregistries/1/models/titanic_{turn + 2}",
                    json=model,
                )
                ask(server, "DELETE", f"{dataset}/Models/titanic/{turn + 2}")
        finally:
            done.set()

    found, looks = [], 0
    with Server(home, project="tests") as server, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, server)
        while not done.is_set():
            found += [fault.what for fault in find_faults(home)[1]]
            looks += 1
        writing.result()
    assert looks > 1 and not found
