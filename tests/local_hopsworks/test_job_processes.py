"""What a job has started ends with it, and with its server: nobody is left who holds the API
key."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
import requests

from local_hopsworks import Server, keeper, processes

# A daemon as books have it: two forks, a session of its own, all streams away
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        with open({path!r} + ".draft", "w") as file:
            file.write(str(os.getpid()))
        os.rename({path!r} + ".draft", {path!r})
        time.sleep(600)
    os._exit(0)
while not os.path.exists({path!r}):
    time.sleep(0.01)
"""


def alive(process):
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() not in ("", "Z", "Zs")


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@pytest.fixture
def start(tmp_path):
    """Start a Python program under a keeper."""
    started = []

    def program(text):
        command = [sys.executable, "-c", text]
        child = processes.start(
            command, tmp_path, os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
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
    child = start(DAEMON.format(path=str(tmp_path / "daemon")))
    process = daemon(tmp_path)
    assert child.wait(30) == 0
    assert not alive(process)


def test_daemon_ends_when_the_program_is_told_to(start, tmp_path):
    child = start(DAEMON.format(path=str(tmp_path / "daemon")) + "time.sleep(600)")
    process = daemon(tmp_path)
    processes.end(child)
    assert not alive(process) and child.returncode == 128 + signal.SIGTERM


def test_program_that_ignores_being_told_is_killed(start, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    path = tmp_path / "ready"
    child = start(
        "import pathlib, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(path)!r}).touch()\ntime.sleep(600)"
    )
    wait(path.exists)
    processes.end(child)
    assert child.returncode == 128 + signal.SIGKILL


def test_exit_status_is_the_programs(start):
    assert start("raise SystemExit(7)").wait(30) == 7
    assert start("import os; os.kill(os.getpid(), 9)").wait(30) == 128 + signal.SIGKILL


SERVE = """
import sys, time
from local_hopsworks import Server
with Server(sys.argv[1]) as server:
    print(server.port, server.api_key, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("served", [False, True], ids=["in a program", "by serve"])
def test_jobs_end_with_their_server_whatever_ends_it(
    number, served, environment, tmp_path, request_to
):
    home, path = tmp_path / "store", tmp_path / "daemon"
    script = DAEMON.format(path=str(path)) + "time.sleep(600)"
    with Server(home) as server:
        (home / "projects/local/Resources/job.py").write_text(script)
        request_to(server, "PUT", "/jobs/job", json=job_of("job"))
        api_key = server.api_key
    command = ["-m", "local_hopsworks", "serve", "--home"] if served else ["-c", SERVE]
    with subprocess.Popen(
        [sys.executable, *command, str(home)], env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        while served and "Ctrl-C" not in program.stdout.readline():
            pass
        if not served:
            program.stdout.readline()
        port = int((home / "port").read_text())
        request_to(server, "POST", "/jobs/job/executions", port=port)
        process = daemon(tmp_path)
        assert holders(api_key)
        program.send_signal(number)
        program.wait(30)
    wait(lambda: not alive(process))
    wait(lambda: not holders(api_key))


def job_of(name):
    path = f"hdfs:///Projects/local/Resources/{name}.py"
    return {"type": "pythonJobConfiguration", "appPath": path}


def holders(api_key):
    """The processes whose environment has the key."""
    listed = subprocess.run(["ps", "axeww", "-o", "pid=,args="], capture_output=True, text=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if api_key in line]


@pytest.fixture
def request_to():
    def ask(server, method, path, port=None, **options):
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(server.store.security / "ca.pem")
            session.headers["Authorization"] = f"ApiKey {server.api_key}"
            url = f"https://127.0.0.1:{port or server.port}/hopsworks-api/api/project/1{path}"
            answer = session.request(method, url, timeout=30, **options)
            assert answer.ok, answer.text
            return answer

    return ask


def test_where_orphans_are_not_adopted_they_are_found_by_their_mark(tmp_path, monkeypatch):
    """As on macOS."""
    mark = uuid.uuid4().hex
    path = tmp_path / "daemon"
    script = DAEMON.format(path=str(path))
    environment = {**os.environ, keeper.VARIABLE: mark}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    process = daemon(tmp_path)
    assert keeper.marked(mark) == {process}
    monkeypatch.setattr(sys, "platform", "darwin_like")
    threading.Thread(target=keeper.kill_left, args=(0, mark)).start()
    wait(lambda: not alive(process))
    assert keeper.marked(mark) == set()
