"""Whatever is set in the environment, programs reach the embedded Hopsworks on their own machine,
and keep what they are handed where no other user gets at it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local_hopsworks import Server
from local_hopsworks.environment import around_proxies

pytestmark = pytest.mark.long

PROGRAMS = Path(__file__).with_name("programs")
PROGRAM = PROGRAMS / "reads_and_writes.py"
COMMAND = (sys.executable, "-m", "local_hopsworks")
DEAD = "http://127.0.0.1:9"
HOSTILE = {
    "a proxy for HTTPS": {"HTTPS_PROXY": DEAD, "https_proxy": DEAD},
    "proxies for all, of several kinds": {
        "ALL_PROXY": DEAD,
        "all_proxy": DEAD,
        "HTTP_PROXY": DEAD,
        "http_proxy": DEAD,
    },
    "a proxy for gRPC": {"grpc_proxy": DEAD, "GRPC_PROXY": DEAD, "no_grpc_proxy": "example.com"},
    "exceptions of a proxy": {"HTTPS_PROXY": DEAD, "https_proxy": DEAD, "NO_PROXY": ".example.com"},
    "empty exceptions": {"HTTPS_PROXY": DEAD, "https_proxy": DEAD, "no_proxy": "", "NO_PROXY": ""},
    "authorities of a company": {
        "REQUESTS_CA_BUNDLE": "/no/such/file",
        "CURL_CA_BUNDLE": "/no/such/file",
        "SSL_CERT_FILE": "/no/such/file",
    },
    "an account's verification": {
        "HOPSWORKS_HOSTNAME_VERIFICATION": "true",
        "HOPSWORKS_TRUST_STORE_PATH": "/no/such/file",
    },
    "an account's folder, port and engine": {
        "HOPSWORKS_CERT_FOLDER": "/proc/none",
        "HOPSWORKS_HOST": "hopsworks.invalid",
        "HOPSWORKS_PORT": "1",
        "HOPSWORKS_ENGINE": "spark",
    },
    "what jobs, deployments, notebooks and mounts of a cluster have": {
        "HOPSWORKS_PROJECT_ID": "9",
        "HOPSWORKS_PROJECT_NAME": "other",
        "HOPSWORKS_KERNEL_ID": "1",
        "HOPSWORKS_JOB_NAME": "other",
        "HOPSWORKS_JOB_EXECUTION_ID": "9",
        "HOPS_START_TIME": "2020-01-01T00:00:00Z",
        "HOPS_END_TIME": "2020-01-02T00:00:00Z",
        "DEPLOYMENT_NAME": "other",
        "MODEL_FILES_PATH": "/no/such/folder",
        "HOPSFS_MOUNT": "/no/such/folder",
        "SECRETS_DIR": "/no/such/folder",
        "PROJECT_NAME": "other",
        "SPARK_HOME": "/no/such/folder",
        "ENABLE_HOPSWORKS_USAGE": "true",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": DEAD,
    },
}


@pytest.fixture(params=HOSTILE)
def hostile(request, tmp_path):
    return {**HOSTILE[request.param], "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}


def test_login_reaches_the_hopsworks_in_its_own_process(hostile, run):
    done = run(sys.executable, PROGRAM, "local", env=hostile)
    assert done.stdout.endswith("local 2 rows\n"), done.stderr[-2000:]


def test_run_reaches_the_hopsworks_beside_it(hostile, run):
    hostile["REST_ENDPOINT"] = "https://inside.a.cluster"
    done = run(*COMMAND, "run", "--", sys.executable, PROGRAM, env=hostile)
    assert done.stdout.endswith("local 2 rows\n"), done.stderr[-2000:]


def test_printed_variables_reach_the_hopsworks_that_is_served(hostile, run, serve, tmp_path):
    _, variables = serve("--home", tmp_path / "served")
    done = run(sys.executable, PROGRAM, env={**hostile, **variables})
    assert done.stdout.endswith("local 2 rows\n"), done.stderr[-2000:]


def test_hosts_that_were_kept_from_proxies_before_still_are(monkeypatch):
    monkeypatch.setenv("NO_PROXY", ".example.com, 10.0.0.0/8")
    monkeypatch.setenv("no_proxy", "*")
    found = around_proxies("127.0.0.1")
    assert found["NO_PROXY"] == ".example.com,10.0.0.0/8,localhost,127.0.0.1"
    assert found["no_proxy"] == found["no_grpc_proxy"] == "*,localhost,127.0.0.1"


def test_key_is_not_sent_to_another_server_at_the_port(run, server, tmp_path):
    with Server(tmp_path / "impostor") as impostor:
        env = {**server.environment, "HOPSWORKS_PORT": str(impostor.port)}
        done = run(sys.executable, PROGRAM, env=env)
    assert done.returncode == 1 and "HopsworksSSLClientError" in done.stderr


# -------------------------------------------------------------------------------------------------
# where the SDK keeps its certificates


def test_nothing_of_a_client_lies_in_the_folder_for_temporary_files(run, tmp_path):
    project = f"of_its_own_{os.getpid()}"  # others log in beside this one, and leave theirs
    env = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store"), "HOPSWORKS_PROJECT": project}
    done = run(sys.executable, PROGRAM, "local", env=env)
    assert done.stdout.endswith(f"{project} 2 rows\n"), done.stderr[-2000:]
    assert list(Path("/tmp").glob(f"127.*/{project}*")) == []


def test_certificates_of_a_killed_program_go_when_the_next_one_starts(run, environment, tmp_path):
    home = tmp_path / "store"
    variables = {**environment, "LOCAL_HOPSWORKS_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, PROGRAMS / "stays_logged_in.py", "local"],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        while program.stdout.readline() != "in\n":
            assert program.poll() is None
        [folder] = home.glob("servers/*/certificates")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        program.send_signal(signal.SIGKILL)
    assert folder.is_dir()
    done = run(sys.executable, PROGRAM, "local", env=variables)
    assert done.stdout.endswith("local 2 rows\n"), done.stderr
    assert list(home.glob("servers/*")) == [] and list(home.rglob("client_key.pem")) == []


def test_program_that_ends_does_not_take_the_certificates_of_another_under_one_run(run, tmp_path):
    env = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(*COMMAND, "run", "--", sys.executable, PROGRAMS / "outlives_another.py", env=env)
    assert done.stdout.endswith("2 rows\n"), done.stderr[-2000:]


# -------------------------------------------------------------------------------------------------
# threads and forks


def test_threads_that_log_in_at_once_share_one_hopsworks(run, tmp_path):
    env = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(sys.executable, PROGRAMS / "threads_log_in.py", env=env)
    assert done.stdout.endswith("[2, 2, 2, 2] 1\n"), done.stderr[-2000:]


def test_fork_of_a_program_that_has_logged_in_is_told_what_to_do(run, tmp_path):
    env = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(sys.executable, PROGRAMS / "forks_after_login.py", env=env, timeout=280)
    told = [line for line in done.stdout.splitlines() if line.startswith(("told", "did"))]
    assert len(told) == 5, done.stderr[-2000:]
    for line in told:
        assert line.startswith("told This process is a fork of one that has logged in"), line
        assert "multiprocessing.get_context('spawn')" in line
    assert done.stdout.endswith("2 rows in the parent\n"), done.stderr[-2000:]


def test_forks_that_log_in_themselves_work(run, tmp_path):
    env = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    done = run(sys.executable, PROGRAMS / "forks_log_in.py", env=env)
    assert done.returncode == 0 and done.stdout.count("local\n") == 2, done.stderr[-2000:]
