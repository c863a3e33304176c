"""How an app follows Hopsworks, and what it says if that fails; the same file is in both apps."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import requests

from .modules import PREDICT, load


@pytest.fixture
def connection(monkeypatch):
    module = load(PREDICT, "connection")
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.05)
    return module


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_hopsworks_is_asked_once_per_refresh_however_many_pages_look(connection):
    asked = []
    latest = connection.Latest(asked.append, lambda *_: None, connect=lambda: "project")
    latest.start()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            latest.ask()
            time.sleep(0.001)

    began = time.monotonic()
    pages = [threading.Thread(target=look) for _ in range(20)]
    for page in pages:
        page.start()
    wait_until(lambda: len(asked) >= 6)
    stop.set()
    took = time.monotonic() - began
    for page in pages:
        page.join()
    assert len(asked) <= 2 + took / connection.REFRESH_SECONDS
    time.sleep(2 * connection.REFRESH_SECONDS)  # the last question is answered
    before = len(asked)
    time.sleep(5 * connection.REFRESH_SECONDS)
    assert len(asked) == before  # nobody looks, nobody is asked


def test_what_was_found_is_loaded_once_even_if_it_cannot_be_used(connection):
    looks, loads = [], []

    def look(project):
        looks.append(project)
        return "version 1" if len(looks) < 5 else "version 2"

    def load_state(project, found):
        loads.append(found)
        if found == "version 1":
            raise connection.Unavailable("No good.")
        return SimpleNamespace(name=found)

    latest = connection.Latest(look, load_state, connect=lambda: "project")
    latest.start()
    wait_until(lambda: latest.ask().problem)
    assert latest.ask().problem.sentence == "No good."
    wait_until(lambda: latest.ask().state)
    assert latest.ask().problem is None
    assert loads == ["version 1", "version 2"]


def test_it_logs_in_again_when_hopsworks_has_been_away_and_keeps_the_last_state(connection):
    logins, is_away = [], threading.Event()

    def look(project):
        if is_away.is_set():
            raise requests.ConnectionError
        return "found"

    latest = connection.Latest(look, lambda *_: "state", connect=lambda: logins.append(1) or "p")
    latest.start()
    wait_until(lambda: latest.ask().state)
    is_away.set()
    wait_until(lambda: latest.ask().problem)
    assert "cannot be reached (ConnectionError)" in latest.ask().problem.sentence
    assert latest.ask().state == "state"
    is_away.clear()
    wait_until(lambda: latest.ask().problem is None)
    assert len(logins) >= 2


def test_hints_are_make_targets_in_a_clone_and_settings_on_a_space(connection, monkeypatch):
    problem = connection.explain(requests.ConnectionError())
    assert problem.command == "make apps"
    monkeypatch.setenv("SPACE_ID", "olga/titanic")
    problem = connection.explain(requests.ConnectionError())
    assert problem.sentence.endswith("Restart the Space, or check its secrets.")
    assert problem.command == ""
