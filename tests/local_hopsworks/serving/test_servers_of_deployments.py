"""Deployments over several servers, and over servers that are killed: one process each, ended with
its server, and started again by the next that is asked."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest
import requests

from local_hopsworks import Server
from tests.processes import exists

SCRIPTS = Path(__file__).resolve().parents[1] / "programs" / "deployments"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A store with a model and a deployment that is to run; to be copied."""
    home = tmp_path_factory.mktemp("template")
    with Server(home, project="tests") as server:
        model = server.store.model("tests", "served", 1) / "Files"
        model.mkdir(parents=True)
        (model / "weights.txt").write_text("0.5")
        path = "/project/1/modelregistries/1/models/served_1"
        given = {"name": "served", "version": 1, "framework": "PYTHON"}
        assert ask(server, "PUT", path, json=given).ok
        shutil.copy(SCRIPTS / "doubles.py", server.store.project("tests") / "Resources")
        given = {
            "name": "doubles",
            "modelServer": "PYTHON",
            "servingTool": "KSERVE",
            "modelFramework": "PYTHON",
            "modelName": "served",
            "modelVersion": 1,
            "predictor": "/Projects/tests/Resources/doubles.py",
        }
        assert ask(server, "PUT", "/project/1/serving", json=given).ok
        assert ask(server, "POST", "/project/1/serving/1?action=START").ok
    return home


@pytest.fixture
def home(template, tmp_path):
    return shutil.copytree(template, tmp_path / "store")


def ask(server, method, path, **options):
    """REST with a server, by its object or by the variables that `serve` prints."""
    if isinstance(server, Server):
        address, key = server.address, server.api_key
    else:
        address = f"https://{server['HOPSWORKS_HOST']}:{server['HOPSWORKS_PORT']}"
        key = server["HOPSWORKS_API_KEY"]
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            f"{address}/hopsworks-api/api{path}",
            headers={"Authorization": f"ApiKey {key}"},
            verify=False,
            timeout=60,
            **options,
        )


def who(server):
    """The process that answers."""
    answer = ask(
        server, "POST", "/project/1/inference/models/doubles:predict", json={"instances": [["who"]]}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"][0]


def status(server):
    return ask(server, "GET", "/project/1/serving/1").json()["status"]


def test_first_request_starts_what_is_to_run_and_the_end_of_the_server_ends_it(home):
    with Server(home, project="tests") as server:
        assert status(server) == "Idle"
        process = who(server)
        assert status(server) == "Running"
    assert not exists(process)
    with Server(home, project="tests") as server:
        assert status(server) == "Idle"
        assert who(server) != process


def test_saving_one_that_is_to_run_starts_it_as_the_sdk_waits_for_that(home, wait):
    with Server(home, project="tests") as server:
        given = ask(server, "GET", "/project/1/serving/1").json()
        assert given["status"] == "Idle"
        assert ask(server, "PUT", "/project/1/serving", json=given).ok
        wait(lambda: status(server) == "Running")


def test_two_servers_share_one_process_even_if_both_are_asked_first_at_once(home, wait):
    with Server(home, project="tests") as second:
        with Server(home, project="tests") as first:
            answers = []
            threads = [
                threading.Thread(target=lambda one=one: answers.append(who(one)))
                for one in (first, second) * 5
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(answers) == 10 and len(set(answers)) == 1
            processes = [who(first)]
        processes.append(who(second))  # whoever had it: the second answers when the first is gone
        assert exists(processes[-1])


def test_one_server_stops_what_another_runs(home, wait):
    with Server(home, project="tests") as first, Server(home, project="tests") as second:
        process = who(first)
        assert ask(second, "POST", "/project/1/serving/1?action=STOP").ok
        wait(lambda: status(second) == "Stopped" and status(first) == "Stopped")
        assert not exists(process)
        refused = ask(
            first, "POST", "/project/1/inference/models/doubles:predict", json={"instances": [[1]]}
        )
        assert (refused.status_code, refused.json()["errorCode"]) == (400, 250001)
        assert ask(second, "POST", "/project/1/serving/1?action=START").ok
        assert who(first) == who(second) != process


def test_serve_starts_all_that_is_to_run(home, serve, wait):
    _, variables = serve("--home", home, "--project", "tests")
    wait(lambda: status(variables) == "Running")
    assert exists(who(variables))


def test_killed_server_takes_its_process_along_and_the_next_one_starts_it_anew(home, serve, wait):
    killed, variables = serve("--home", home, "--project", "tests")
    process = who(variables)
    with Server(home, project="tests") as next_one:
        assert who(next_one) == process
        killed.send_signal(signal.SIGKILL)
        killed.wait(60)
        wait(lambda: not exists(process))
        wait(lambda: status(next_one) == "Idle")
        assert who(next_one) != process


def test_deployment_that_has_failed_stays_so_for_the_next_server(home, wait):
    with Server(home, project="tests") as server:
        resources = server.store.project("tests") / "Resources"
        shutil.copy(SCRIPTS / "cannot_be_imported.py", resources)
        changed = ask(server, "GET", "/project/1/serving/1").json()
        changed["predictor"] = "/Projects/tests/Resources/cannot_be_imported.py"
        assert ask(server, "PUT", "/project/1/serving", json=changed).ok
        ask(server, "POST", "/project/1/serving/1?action=START")
        wait(lambda: status(server) == "Failed")
    with Server(home, project="tests") as server:
        assert status(server) == "Failed"
        [log] = ask(server, "GET", "/project/1/serving/1/logs").json()
        assert "a_package_that_nobody_has" in log["content"]


def test_program_without_deployments_pays_nothing_for_them(tmp_path, run):
    shown = (
        "import threading; from local_hopsworks import login; login(); "
        "print([thread.name for thread in threading.enumerate() if 'deployment' in thread.name])"
    )
    done = run(sys.executable, "-c", shown, env={"LOCAL_HOPSWORKS_HOME": str(tmp_path)})
    assert done.stdout.splitlines()[-1].endswith("[]"), done.stderr
