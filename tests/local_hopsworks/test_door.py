"""Connections that have not shown the API key take nothing from those that have."""

import contextlib
import http.client
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from local_hopsworks.http import door
from tests.processes import wait

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture
def few(request, environment, tmp_path):
    """A server that has 256 descriptors, and may ask for so many; the variables that lead there."""
    program = PROGRAMS / "served_with_few_descriptors.py"
    command = [sys.executable, program, request.param, "--home", tmp_path / "store"]
    with subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        variables = {}
        for line in process.stdout:
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").strip().partition("=")
                variables[name] = value
            if "Ctrl-C" in line:
                break
        yield variables
        process.terminate()
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors, errors


@pytest.fixture
def connected():
    """Open idle connections, which last as long as the test."""
    opened = []

    def connect(port, number, tls):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
            if tls:
                connection = context.wrap_socket(connection)
            opened.append(connection)
        return opened

    yield connect
    for connection in opened:
        connection.close()


@pytest.mark.long
@pytest.mark.parametrize("few", [256], indirect=True)
@pytest.mark.parametrize("tls", [False, True])
def test_idle_connections_without_a_key_do_not_keep_others_out(few, connected, run, tls):
    connected(few["HOPSWORKS_PORT"], 700, tls)
    done = run(sys.executable, PROGRAMS / "reads_and_writes.py", env=few)
    assert done.stdout.endswith("local 2 rows\n"), done.stderr[-2000:]


@pytest.mark.parametrize("few", [4096], indirect=True)  # as macOS has it
def test_idle_connections_to_the_query_service_do_not_keep_others_out(few, connected, run):
    first = run(sys.executable, PROGRAMS / "reads_and_writes.py", env=few)
    assert first.stdout.endswith("local 2 rows\n"), first.stderr[-2000:]
    connected(int(few["HOPSWORKS_PORT"]) + 1, 700, tls=False)
    done = run(sys.executable, PROGRAMS / "reads_and_writes.py", env=few)
    assert done.stdout.endswith("local 2 rows\n"), done.stderr[-2000:]


def is_closed(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def test_connection_that_shows_no_key_is_closed_and_one_that_has_stays(
    server, connected, monkeypatch
):
    monkeypatch.setattr(door, "PROOF_SECONDS", 0.5)
    context = ssl.create_default_context(cafile=server.store.security / "ca.pem")
    proven = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)

    def ask():
        proven.request(
            "GET",
            "/hopsworks-api/api/project",
            headers={"Authorization": f"ApiKey {server.api_key}"},
        )
        answer = proven.getresponse()
        answer.read()
        return answer.status, proven.sock

    def proven_in_time():
        """On a busy machine the request may come too late, and is then made anew."""
        with contextlib.suppress(ConnectionError, http.client.HTTPException, ssl.SSLError):
            return ask()
        proven.close()

    first = wait(proven_in_time)
    [idle] = connected(server.port, 1, tls=True)
    wait(lambda: is_closed(idle))
    assert ask() == first and first[0] == 200
    proven.close()
