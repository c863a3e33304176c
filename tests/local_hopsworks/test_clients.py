"""Which programs a server takes for alive, and which processes it finds behind their
connections."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hopsworks_common import client
from hsfs.core.delta_engine import DeltaEngine
from starlette.requests import Request

from local_hopsworks.http import clients as clients_module
from local_hopsworks.http import peers
from local_hopsworks.http.clients import Clients
from tests import rest
from tests.processes import wait

HOLDS_CONNECTION = Path(__file__).with_name("programs") / "holds_connection.py"


@pytest.fixture
def log_in(server):
    """Log in as another program does."""

    def ask():
        assert rest.call(server, "GET", "/project").ok

    return ask


def lose_connections(server):
    """Cut those of the SDK, as a router or a firewall does with idle ones. Its session can close
    only some: an answer that somebody keeps, such as that of a refused download, holds its own."""
    program = client._get_instance()._session.cookies["local_hopsworks_client"]
    clients = server._hopsworks.clients
    lost = clients._open(program)
    loop = next(iter(server._http.server_state.connections)).loop
    loop.call_soon_threadsafe(server._http._cut, lambda each: each.client in lost)
    wait(lambda: not clients.is_connected(program))


@pytest.fixture
def group(feature_store, name):
    made = feature_store.create_feature_group(name, 1, primary_key=["id"])
    made.insert(pd.DataFrame({"id": [1, 2]}))
    return made


def test_overwrite_goes_on_though_its_connection_was_lost_and_another_program_logs_in(
    group, server, log_in, monkeypatch
):
    write = DeltaEngine._write_delta_rs_dataset

    def write_later(*arguments, **options):
        lose_connections(server)
        log_in()
        return write(*arguments, **options)

    monkeypatch.setattr(DeltaEngine, "_write_delta_rs_dataset", write_later)
    group.insert(pd.DataFrame({"id": [3]}), overwrite=True)
    assert group.read()["id"].tolist() == [3]


def ask(clients, is_open, program, port):
    """A request of a program, from a port that is open from now on; "" has no cookie yet."""
    is_open["127.0.0.1", port] = False
    headers = [(b"cookie", f"local_hopsworks_client={program}".encode())] if program else []
    address = {"client": ("127.0.0.1", port), "server": ("127.0.0.1", 1)}
    clients.of(Request({"type": "http", "headers": headers, **address}))


def test_port_that_another_program_has_now_is_no_connection_of_the_one_before():
    """Systems give the port of a connection that has ended to another one before long."""
    is_open = {}
    clients = Clients(is_open.copy, print)
    ask(clients, is_open, "first", 50_000)
    ask(clients, is_open, "first", 50_001)
    is_open.clear()
    ask(clients, is_open, "second", 50_000)
    ask(clients, is_open, "", 50_001)
    assert not clients.is_connected("first")
    assert clients.is_connected("second")


def test_ended_connections_are_forgotten(monkeypatch):
    monkeypatch.setattr(clients_module, "MOST_ENDED", 2)
    is_open = {}
    clients = Clients(is_open.copy, print)
    for port in range(50_000, 50_010):
        is_open.clear()
        ask(clients, is_open, "one", port)
        assert clients.is_connected("one")
    assert len(clients._at) <= 3


def test_process_of_a_connection_is_found():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [sys.executable, HOLDS_CONNECTION, str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            theirs = int(other.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as connection:
                ours = connection.getsockname()[1]
                assert peers.process_at("127.0.0.1", theirs) == other.pid
                assert peers.process_at("127.0.0.1", ours) == os.getpid()
            other.stdin.close()
            other.wait()
    assert peers.process_at("127.0.0.1", theirs) is None
