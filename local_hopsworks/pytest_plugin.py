"""Fixtures for the tests of any project: an embedded Hopsworks of one's own, gone without a trace
afterwards.

def test_my_pipeline(hopsworks_project):    # that is all: the plugin comes with the package
    my_pipeline.main()                      # a plain hopsworks.login() in it goes to the test's
    Hopsworks assert len(hopsworks_project.get_feature_store().get_feature_group("prices",
    1).read()) == 24
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from local_hopsworks.server import Server

LEAVE_SECONDS = 10


@pytest.fixture
def local_hopsworks_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server over an empty store, on free ports; the environment sends
    `hopsworks.login()` there."""
    from local_hopsworks.server import Server  # every test run loads this module, few need a server

    before = set(threading.enumerate())
    with tempfile.TemporaryDirectory(
        prefix="local_hopsworks-", ignore_cleanup_errors=True
    ) as folder:
        with Server(Path(folder) / "store") as server:
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("LOCAL_HOPSWORKS_HOME", str(server.store.home))
            # A job of Hopsworks logs in by this, and not by what is set here
            monkeypatch.delenv("REST_ENDPOINT", raising=False)
            yield server
            _log_out()
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith("hopsworks-"):
                thread.join(LEAVE_SECONDS)


def _log_out() -> None:
    import hopsworks

    with contextlib.suppress(Exception):  # the test may not have logged in, or out already
        hopsworks.logout()


@pytest.fixture
def hopsworks_project(local_hopsworks_server: Server) -> Any:
    """The `hopsworks.project.Project` of an embedded Hopsworks that only this test has."""
    import hopsworks

    return hopsworks.login()
