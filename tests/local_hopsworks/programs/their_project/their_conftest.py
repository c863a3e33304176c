"""The conftest.py of a project: looks for what is left behind after the fixtures have ended."""

import os
import sys
import threading

import pytest


@pytest.fixture(autouse=True)
def trace(tmp_path):
    before = set(threading.enumerate())
    yield
    late = [thread.name for thread in set(threading.enumerate()) - before]
    late = [name for name in late if name.startswith("hopsworks-")]
    assert late == [], late
    if "hopsworks" in sys.modules:
        assert not sys.modules["hopsworks"]._is_connection_active()
    assert "HOPSWORKS_HOST" not in os.environ
