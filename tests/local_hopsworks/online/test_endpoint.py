"""The process of the Kafka endpoint: it belongs to its server, and ends with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from local_hopsworks import Server
from local_hopsworks.online.kafka import KafkaEndpoint
from tests.local_hopsworks.online.conftest import WAIT

ENDS = Path(__file__).parents[1] / "programs" / "online_ends.py"


def listens(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def soon(condition):
    """Whether a condition holds within ten seconds."""
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", ["well", "killed"])
def test_endpoint_ends_with_its_program(run, tmp_path, how):
    done = run(sys.executable, ENDS, how, env={"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")})
    assert done.returncode == (0 if how == "well" else -9), done.stderr[-2000:]
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert soon(lambda: not listens(told["address"]))
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


def test_nothing_listens_beyond_this_machine(server, online_group):
    online_group().insert(pd.DataFrame({"id": [1]}), write_options=WAIT)
    process = process_of(server._hopsworks.part(KafkaEndpoint))
    listening = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=True).stdout
    own = [line.split()[3] for line in listening.splitlines() if f"pid={process}," in line]
    assert own and all(address.startswith("127.") for address in own)
