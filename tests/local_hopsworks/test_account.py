"""`local_hopsworks.login()` with HOPSWORKS_API_KEY set: what goes wrong at the account is one
sentence."""

import http.server
import json
import ssl
import sys
import threading

import pytest

from tests import ports

PROGRAM = "from local_hopsworks import login; print('project', login().name)"


@pytest.fixture
def log_in(run, tmp_path):
    """Log in to an address with a key, and return the exit status and what was said."""

    def start(host, port, **variables):
        env = {
            "HOPSWORKS_HOST": host,
            "HOPSWORKS_PORT": str(port),
            "HOPSWORKS_API_KEY": "x" * 16 + "." + "y" * 64,
            "HOPSWORKS_CERT_FOLDER": str(tmp_path / "certificates"),
            "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store"),
        }
        done = run(sys.executable, "-c", PROGRAM, env={**env, **variables})
        assert "Traceback" not in done.stderr, done.stderr
        assert not (tmp_path / "store").exists()
        # The SDK's own log says more, before and after it
        [said] = [line for line in done.stderr.splitlines() if line.startswith("local_hopsworks:")]
        return done.returncode, said

    return start


@pytest.fixture
def answering(server):
    """Start a server, with TLS or without, that gives one answer to everything; returns its
    port."""
    started = []

    def start(status, body, tls=True):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            folder = server.store.security
            context.load_cert_chain(folder / "server.pem", folder / "server.key")
            listening.socket = context.wrap_socket(
                listening.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        started.append(listening)
        return listening.server_address[1]

    yield start
    for listening in started:
        listening.shutdown()
        listening.server_close()


ADDRESS = (
    "Check HOPSWORKS_HOST and HOPSWORKS_PORT, or unset HOPSWORKS_API_KEY to work with the embedded "
    "Hopsworks on this machine."
)


def test_dead_port(log_in):
    with ports.refusing() as port:
        found = log_in("127.0.0.1", port)
    problem = (
        f"Cannot log in to https://127.0.0.1:{port}: it cannot be reached (Connection refused)."
    )
    assert found == (1, f"local_hopsworks: {problem} {ADDRESS}")


def test_name_that_does_not_resolve(log_in):
    status, said = log_in("hopsworks.invalid", 443)
    assert status == 1 and said.endswith(ADDRESS)
    assert said.startswith(
        "local_hopsworks: Cannot log in to https://hopsworks.invalid:443: it cannot be reached ("
    )


def test_server_that_speaks_no_tls(log_in, answering):
    port = answering(200, b"{}", tls=False)
    status, said = log_in("127.0.0.1", port)
    assert status == 1 and said.endswith(ADDRESS)
    assert f"Cannot log in to https://127.0.0.1:{port}: no TLS connection came about (" in said


def test_certificate_that_is_not_trusted(log_in, answering):
    port = answering(200, b"{}")
    status, said = log_in("127.0.0.1", port, HOPSWORKS_HOSTNAME_VERIFICATION="true")
    assert status == 1 and "no TLS connection came about (" in said and "certificate" in said


@pytest.mark.parametrize("body", [json.dumps({"errorCode": 320003}).encode(), b"<html>no</html>"])
def test_key_that_is_refused(log_in, answering, body):
    port = answering(401, body)
    status, said = log_in("127.0.0.1", port)
    assert status == 1 and said.startswith(
        f"local_hopsworks: Cannot log in to https://127.0.0.1:{port}: the API key was refused "
        "(HTTP 401). Make a new API key"
    )


def test_wrong_key_of_a_hopsworks(log_in, server):
    status, said = log_in("127.0.0.1", server.port)
    assert status == 1 and "the API key was refused (HTTP 401)" in said


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (404, b"not here", "it answered with HTTP 404"),
        (503, b"", "it answered with HTTP 503"),
        (200, b"<html>a portal</html>", "what answers there is no Hopsworks ("),
        (200, b"[]", "what answers there is no Hopsworks ("),
    ],
)
def test_server_that_is_no_hopsworks(log_in, answering, status, body, problem):
    ended, said = log_in("127.0.0.1", answering(status, body))
    assert ended == 1 and problem in said and said.endswith(ADDRESS)


def test_project_that_does_not_exist(log_in, server):
    found = log_in(
        "127.0.0.1", server.port, HOPSWORKS_API_KEY=server.api_key, HOPSWORKS_PROJECT="elsewhere"
    )
    assert found[0] == 1
    assert "there is no project 'elsewhere' for this API key. Check HOPSWORKS_PROJECT" in found[1]


def test_port_that_is_no_number(log_in):
    status, said = log_in("127.0.0.1", "https")
    assert status == 1 and "Cannot log in to https://127.0.0.1:https: " in said


def test_account_that_is_reached_is_used(run, server, tmp_path):
    env = {**server.environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    assert "project tests" in run(sys.executable, "-c", PROGRAM, env=env).stdout
