"""What a job has started ends with it, and with its server: nobody is left who holds the API
key."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from local_hopsworks import Server, keeper, processes
from tests import rest
from tests.processes import alive, wait

PROGRAMS = Path(__file__).with_name("programs")
DAEMON = PROGRAMS / "jobs" / "daemon.py"


@pytest.fixture
def start(tmp_path):
    """Start a Python program under a keeper."""
    started = []

    def program(*command):
        child = processes.start(
            [sys.executable, *map(str, command)],
            tmp_path,
            os.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(child)
        return child

    yield program
    for child in started:
        processes.end_group(child)


def daemon(tmp_path):
    path = tmp_path / "daemon"
    return int(wait(lambda: path.exists() and path.read_text()))


def test_daemon_ends_with_the_program_that_started_it(start, tmp_path):
    child = start(DAEMON, tmp_path / "daemon")
    process = daemon(tmp_path)
    assert child.wait(60) == 0
    assert not alive(process)


def test_daemon_ends_when_the_program_is_told_to(start, tmp_path):
    child = start(DAEMON, tmp_path / "daemon", "stays")
    process = daemon(tmp_path)
    processes.end(child)
    assert not alive(process) and child.returncode == 128 + signal.SIGTERM


def test_program_that_ignores_being_told_is_killed(start, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    path = tmp_path / "ready"
    child = start(PROGRAMS / "jobs" / "ignores_sigterm.py", path)
    wait(path.exists)
    processes.end(child)
    assert child.returncode == 128 + signal.SIGKILL


def test_exit_status_is_the_programs(start):
    assert start("-c", "raise SystemExit(7)").wait(60) == 7
    assert start("-c", "import os; os.kill(os.getpid(), 9)").wait(60) == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("served", [False, True], ids=["in a program", "by serve"])
def test_jobs_end_with_their_server_whatever_ends_it(number, served, environment, tmp_path):
    home, path = tmp_path / "store", tmp_path / "daemon"
    with Server(home) as server:
        shutil.copy(DAEMON, home / "projects/local/Resources/job.py")
        job = {
            "type": "pythonJobConfiguration",
            "appPath": "hdfs:///Projects/local/Resources/job.py",
            "defaultArgs": f"{path} stays",
        }
        rest.succeed(server, "PUT", "/jobs/job", json=job)
        api_key = server.api_key
    command = ["-m", "local_hopsworks", "serve", "--home"] if served else [PROGRAMS / "serves.py"]
    with subprocess.Popen(
        [sys.executable, *command, str(home)], env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        while served and "Ctrl-C" not in program.stdout.readline():
            pass
        if not served:
            program.stdout.readline()
        port = int((home / "port").read_text())
        rest.succeed(server, "POST", "/jobs/job/executions", port)
        process = daemon(tmp_path)
        assert holders(api_key)
        program.send_signal(number)
        program.wait(60)
    wait(lambda: not alive(process))
    wait(lambda: not holders(api_key))


def holders(api_key):
    """The processes whose environment has the key."""
    listed = subprocess.run(["ps", "axeww", "-o", "pid=,args="], capture_output=True, text=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if api_key in line]


def test_where_orphans_are_not_adopted_they_are_found_by_their_mark(tmp_path, monkeypatch):
    """As on macOS."""
    mark = uuid.uuid4().hex
    path = tmp_path / "daemon"
    environment = {**os.environ, keeper.VARIABLE: mark}
    subprocess.run([sys.executable, DAEMON, path], env=environment, check=True)
    process = daemon(tmp_path)
    wait(lambda: keeper.marked(mark) == {process})  # the one between them is about to end
    monkeypatch.setattr(sys, "platform", "darwin_like")
    threading.Thread(target=keeper.kill_left, args=(0, mark)).start()
    wait(lambda: not alive(process))
    assert keeper.marked(mark) == set()
