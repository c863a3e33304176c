"""Whatever the server takes from any client, programs of the SDK can read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("readable.py")
CHANGES = 40  # of the body of each request


@pytest.mark.reliability
@pytest.mark.timeout(900)
def test_what_the_server_takes_the_sdk_can_read(run, record, store_in_use):
    sent = store_in_use.home.with_name("sent.json")
    done = run(sys.executable, PROGRAM, store_in_use.home, sent, CHANGES, timeout=850)
    assert done.returncode == 0, done.stdout[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    record(inputs_tried=report["tried"])
    assert report["unreadable"] == []
    assert report["taken"] > report["tried"] / 4  # what is refused tests nothing
