"""`python -m local_hopsworks serve | run -- COMMAND | reset`, each in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from local_hopsworks import Server, __version__
from local_hopsworks.__main__ import run
from local_hopsworks.store import Store

COMMAND = (sys.executable, "-m", "local_hopsworks")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def start(environment, tmp_path):
    """Start the command line over a store of the test's own, in a process group of its own as a
    terminal would."""
    processes = []

    def popen(*arguments, **options):
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env={**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield popen
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def command(run, tmp_path):
    """Run the command line to its end over a store of the test's own."""
    return lambda *arguments, **options: run(
        *COMMAND, *arguments, env={"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}, **options
    )


@pytest.mark.parametrize(
    ("arguments", "content"),
    [
        ((), ["serve", "run", "reset"]),
        (("serve",), ["--home", "--project", "--port", "Ctrl-C", "hopsworks.login()"]),
        (("run",), ["-- COMMAND", "exit status", "-- python my_pipeline.py"]),
        (("reset",), ["--yes", "Delete the store"]),
    ],
)
def test_help_says_what_it_does(command, arguments, content):
    result = command(*arguments, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(words in " ".join(result.stdout.split()) for words in content), result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Commands:"),
        (("run",), "Missing argument 'COMMAND [ARGUMENT ...]'"),
        (("serve", "--port", "https"), "a port is a number from 0 to 65535, not 'https'"),
        (("serve", "--port", "65536"), "a port is a number from 0 to 65535, not '65536'"),
        (("stop",), "No such command 'stop'"),
    ],
)
def test_wrong_arguments_are_refused_with_the_usage(command, arguments, sentence):
    result = command(*arguments)
    assert (
        result.returncode == 2
        and sentence in result.stderr
        and "Usage: python -m local_hopsworks" in result.stderr
    )


def test_version_is_told(command):
    result = command("--version")
    assert (result.returncode, result.stdout) == (0, f"local-hopsworks {__version__}\n")


# --------------------------------------------------------------------------------------------------
# serve


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_serve_serves_until_it_is_stopped(serve, tmp_path, sent):
    process, variables = serve("--home", tmp_path)
    address = f"https://{variables['HOPSWORKS_HOST']}:{variables['HOPSWORKS_PORT']}/hopsworks-api/api/project"
    session = requests.Session()
    session.trust_env = False
    session.verify = str(tmp_path / "security" / "ca.pem")
    headers = {"Authorization": f"ApiKey {variables['HOPSWORKS_API_KEY']}"}
    assert session.get(address, headers=headers, timeout=60).json()[0]["project"]["name"] == "local"
    process.send_signal(sent)  # with the session's connection still open
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    session.close()


def test_port_in_use_is_one_sentence(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("serve", "--port", str(port))
    assert (result.returncode, result.stdout) == (1, "")
    problem = (
        f"Port {port} of 127.0.0.1 cannot be used (Address already in use); choose another "
        "with --port."
    )
    assert result.stderr == f"local_hopsworks: {problem}\n"


def test_server_listens_on_this_machine_only(serve, tmp_path):
    _, variables = serve("--home", tmp_path)
    # 127.0.0.2 is this machine too, but not 127.0.0.1
    with socket.socket() as everywhere, socket.socket() as here:
        assert everywhere.connect_ex(("127.0.0.2", int(variables["HOPSWORKS_PORT"]))) != 0
        assert here.connect_ex(("127.0.0.1", int(variables["HOPSWORKS_PORT"]))) == 0


def test_new_store_gets_a_port_that_no_outgoing_connection_has(serve, tmp_path):
    _, variables = serve("--home", tmp_path)
    # Linux gives away 32768 to 60999
    assert int(variables["HOPSWORKS_PORT"]) in range(20_000, 32_768, 2)


# --------------------------------------------------------------------------------------------------
# run


def test_run_ends_with_the_exit_status_of_its_command(command):
    assert command("run", "--", sys.executable, "-c", "").returncode == 0
    assert command("run", "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_run_hands_the_command_its_own_arguments_and_a_hopsworks(command):
    program = "import sys, hopsworks; print(sys.argv[1:], hopsworks.login().name)"
    result = command(
        "run", "--project", "titanic", "--", sys.executable, "-c", program, "--help", "a b"
    )
    assert result.stdout.endswith("['--help', 'a b'] titanic\n"), result.stderr


def test_command_that_does_not_exist_is_one_sentence(command):
    result = command("run", "--", "no-such-program")
    assert result.returncode == 127
    assert (
        result.stderr
        == "local_hopsworks: no-such-program cannot be started: No such file or directory.\n"
    )


DECIDES_ON_CTRL_C = Path(__file__).parent / "programs" / "decides_on_ctrl_c.py"


def test_ctrl_c_is_for_the_command_to_decide(start):
    process = start("run", "--", sys.executable, DECIDES_ON_CTRL_C)
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (5, "interrupted\n", "")


def test_ctrl_c_ends_a_command_that_does_not_expect_it(start):
    process = start(
        "run", "--", sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # The command's own, not ours
    assert process.returncode == 130 and errors.endswith("KeyboardInterrupt\n")
    assert errors.count("Traceback") == 1


def test_terminating_run_terminates_its_command(start):
    process = start("run", "--", sys.executable, DECIDES_ON_CTRL_C)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert process.stdout.read() == ""  # ends only when the command has let go of it


def test_run_that_is_terminated_while_it_starts_its_command_terminates_it(tmp_path, monkeypatch):
    def start(*arguments, **options):
        child = Popen(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)  # and only then does `run` know the child
        return child

    Popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        assert run(Server(tmp_path / "store"), command) == 128 + signal.SIGTERM
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --------------------------------------------------------------------------------------------------
# reset


@pytest.fixture
def store(tmp_path):
    (made := Store(tmp_path / "store")).close()
    return made.home


@pytest.mark.parametrize("reply", ["", "\n", "no\n"])
def test_reset_deletes_nothing_unless_told_yes(command, store, reply):
    before = sorted(store.rglob("*"))
    result = command("reset", input=reply)
    assert result.returncode == 1 and "Nothing was deleted." in result.stdout
    assert f"Delete the store {store}" in result.stdout and sorted(store.rglob("*")) == before


def test_reset_deletes_the_store_when_told_yes(command, store):
    assert command("reset", input="y\n").returncode == 0
    assert not store.exists()


def test_reset_with_yes_does_not_ask(command, store):
    result = command("reset", "--yes")
    assert (result.returncode, result.stdout) == (0, f"Deleted {store}.\n")
    assert not store.exists()


def test_reset_of_nothing_says_so(command, tmp_path):
    result = command("reset", "--yes")
    assert (result.returncode, result.stdout) == (
        0,
        f"There is no store at {tmp_path / 'store'}.\n",
    )


def test_reset_refuses_a_folder_that_is_no_store(command, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("the only copy")
    result = command("reset", "--yes")
    assert (
        result.returncode == 1
        and (tmp_path / "store" / "thesis.txt").read_text() == "the only copy"
    )
    assert result.stderr == (
        f"local_hopsworks: {tmp_path / 'store'} is not a store (it has no file named "
        "format), so nothing was deleted.\n"
    )


@pytest.mark.parametrize("arguments", [("check",), ("run", "--", "true"), ("reset", "--yes")])
@pytest.mark.parametrize("what", ["file", "format that is a folder", "format that is no text"])
def test_what_cannot_be_a_store_is_told_in_one_sentence_and_left_alone(
    command, tmp_path, arguments, what
):
    home = tmp_path / "store"
    if what == "file":
        home.write_text("the only copy")
    elif what == "format that is a folder":
        (home / "format").mkdir(parents=True)
    else:
        home.mkdir()
        (home / "format").write_bytes(b"\xff\xfe")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    result = command(*arguments)
    if (arguments[0], what) == ("reset", "format that is no text"):
        assert result.returncode == 0 and not home.exists()  # it has a file named format
        return
    said = result.stderr + result.stdout
    assert result.returncode == 1 and "Traceback" not in said
    assert len([line for line in said.splitlines() if str(home) in line]) == 1
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before
