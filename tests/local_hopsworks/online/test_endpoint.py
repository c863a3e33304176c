"""The process of the Kafka endpoint: it belongs to its server, and ends with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from local_hopsworks import Server
from local_hopsworks.errors import HopsworksError
from local_hopsworks.online.kafka import KafkaEndpoint
from tests.local_hopsworks.online.conftest import WAIT
from tests.processes import wait

ENDS = Path(__file__).parents[1] / "programs" / "online_ends.py"


def listens(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 60).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("how", ["well", "killed"])
def test_endpoint_ends_with_its_program(run, tmp_path, how):
    done = run(sys.executable, ENDS, how, env={"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")})
    assert done.returncode == (0 if how == "well" else -9), done.stderr[-2000:]
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    wait(lambda: not listens(told["address"]))
    files = [Path(file) for file in told["files"]]
    assert len(files) == 3
    if how == "killed":  # what it has left goes when the next server starts
        assert all(file.exists() for file in files)
        with Server(tmp_path / "store"):
            pass
    assert [file for file in files if file.exists()] == []


def process_of(endpoint: KafkaEndpoint) -> int:
    """The endpoint itself, which is the child of its keeper."""
    keeper = str(endpoint._child.pid)
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", keeper], capture_output=True, text=True)
    return int(found.stdout)


def test_endpoint_that_is_killed_comes_back_on_its_port(server, online_group, online_rows, caplog):
    group = online_group()
    group.insert(pd.DataFrame({"id": [1], "price": [1.0]}), write_options=WAIT)
    endpoint = server._hopsworks.part(KafkaEndpoint)
    address = endpoint.address()
    os.kill(process_of(endpoint), signal.SIGKILL)
    group.insert(pd.DataFrame({"id": [2], "price": [2.0]}), write_options=WAIT)
    assert [row["id"] for row in online_rows()] == [1, 2]
    assert endpoint.address() == address
    assert "The Kafka endpoint has ended and is started again." in caplog.messages


def test_endpoint_that_does_not_start_again_at_once_is_tried_until_it_runs(tmp_path, monkeypatch):
    """Its port may have been given to another program for a while."""
    with Server(tmp_path / "store") as server:
        endpoint = server._hopsworks.part(KafkaEndpoint)
        address, start, failed = endpoint.address(), endpoint._start, []

        def start_the_third_time():
            if len(failed) < 2:
                failed.append("the port is taken")
                raise HopsworksError(failed[-1])
            start()

        monkeypatch.setattr(endpoint, "_start", start_the_third_time)
        os.kill(process_of(endpoint), signal.SIGKILL)
        wait(lambda: len(failed) == 2 and listens(address))


def test_nothing_listens_beyond_this_machine(server, online_group):
    online_group().insert(pd.DataFrame({"id": [1]}), write_options=WAIT)
    process = process_of(server._hopsworks.part(KafkaEndpoint))
    listening = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=True).stdout
    own = [line.split()[3] for line in listening.splitlines() if f"pid={process}," in line]
    assert own and all(address.startswith("127.") for address in own)
