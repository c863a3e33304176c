"""Several programs on one store at the same moment, each with an embedded Hopsworks of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from local_hopsworks import Server
from tests.processes import at_once

PROGRAMS = Path(__file__).with_name("programs")
APPENDS, SAVES = PROGRAMS / "appends_at_once.py", PROGRAMS / "saves_at_once.py"


@pytest.fixture
def fresh(environment: dict[str, str], tmp_path: Any) -> dict[str, str]:
    return {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}


def test_programs_that_create_and_fill_one_feature_group_lose_no_row(fresh, run, warm):
    results = at_once(
        [[sys.executable, APPENDS, number] for number in range(3)], fresh, start=warm.start
    )
    assert [result.returncode for result in results] == [0, 0, 0], [
        result.stderr[-800:] for result in results
    ]
    counted = run(sys.executable, PROGRAMS / "counts_rows.py", "passengers", env=fresh)
    assert counted.stdout.splitlines()[-1] == "1 300 300 rows", counted.stderr[-800:]


def test_programs_that_save_a_model_at_once_each_get_a_version_with_their_own_files(fresh, warm):
    results = at_once(
        [[sys.executable, SAVES, number] for number in range(2)], fresh, start=warm.start
    )
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
