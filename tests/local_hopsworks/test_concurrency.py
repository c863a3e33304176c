"""Several programs on one store at the same moment, each with an embedded Hopsworks of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3

from local_hopsworks import Server

APPEND = """
import sys, time
import pandas as pd
from local_hopsworks import login
store = login().get_feature_store()
time.sleep(max(0, float(sys.argv[2]) - time.time()))
number = int(sys.argv[1])
for attempt in range(8):
    try:
        group = store.get_or_create_feature_group("passengers", 1, primary_key=["id"])
        rows = pd.DataFrame({"id": range(number * 100, number * 100 + 100)})
        group.insert(rows, operation="insert")
        break
    except Exception as error:
        if "CommitFailed" not in type(error).__name__ and "exist" not in str(error):
            raise
        time.sleep(0.1 * (number + 1) * (attempt + 1))
else:
    sys.exit("eight conflicts in a row")
"""

SAVE = """
import pathlib, sys, tempfile, time
from local_hopsworks import login
registry = login().get_model_registry()
folder = tempfile.mkdtemp()
time.sleep(max(0, float(sys.argv[2]) - time.time()))
for attempt in range(4):
    pathlib.Path(folder, "who.txt").write_text(sys.argv[1])
    try:
        model = registry.python.create_model("racer", metrics={"accuracy": 0.5})
        model.save(folder, keep_original_files=True)
        break
    except Exception as error:
        print("lost", error)
else:
    sys.exit("lost four times")
print("saved", model.version)
"""


def at_once(
    environment: dict[str, str], script: str, count: int
) -> list[subprocess.CompletedProcess[str]]:
    """The script in `count` processes that go ahead at the same moment."""
    moment = str(time.time() + 6)

    def start(number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(number), moment]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


@pytest.fixture
def fresh(environment: dict[str, str], tmp_path: Any) -> dict[str, str]:
    return {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}


def test_programs_that_create_and_fill_one_feature_group_lose_no_row(fresh, run):
    results = at_once(fresh, APPEND, 3)
    assert [result.returncode for result in results] == [0, 0, 0], [
        result.stderr[-800:] for result in results
    ]
    count = (
        "from local_hopsworks import login\n"
        "groups = login().get_feature_store().get_feature_groups('passengers')\n"
        "print(len(groups), groups[0].read()['id'].nunique(), len(groups[0].read()))"
    )
    counted = run(sys.executable, "-c", count, env=fresh)
    assert counted.stdout.splitlines()[-1] == "1 300 300", counted.stderr[-800:]


def test_programs_that_save_a_model_at_once_each_get_a_version_with_their_own_files(fresh):
    results = at_once(fresh, SAVE, 2)
    assert [result.returncode for result in results] == [0, 0], [
        r.stdout[-800:] + r.stderr[-800:] for r in results
    ]
    models = {}
    for number, result in enumerate(results):
        version = result.stdout.split("saved ")[1].strip()
        models[version] = str(number)
    assert len(models) == 2
    folder = f"{fresh['LOCAL_HOPSWORKS_HOME']}/projects/local/Models/racer"
    for version, who in models.items():
        with open(f"{folder}/{version}/Files/who.txt") as file:
            assert file.read() == who


def test_client_that_came_second_cannot_remove_the_folder_of_the_first(tmp_path):
    # Model.save removes its version's folder when anything fails, also when it failed because the
    # folder was another's
    urllib3.disable_warnings()
    with Server(tmp_path) as server, requests.Session() as first, requests.Session() as second:
        url = f"{server.address}/hopsworks-api/api/project/1/dataset/Models/raced"
        headers, create = {"Authorization": f"ApiKey {server.api_key}"}, {"action": "create"}
        assert first.post(url, params=create, headers=headers, verify=False).status_code == 200
        assert second.post(url, params=create, headers=headers, verify=False).status_code == 400
        assert second.delete(url, headers=headers, verify=False).status_code == 400
        assert second.get(url, headers=headers, verify=False).status_code == 200
        assert first.delete(url, headers=headers, verify=False).status_code == 204
