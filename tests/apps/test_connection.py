"""How an app follows Hopsworks, and what it says if that fails; the same file is in both apps."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import requests

from tests.processes import wait

from .modules import PREDICT, load


@pytest.fixture
def connection(monkeypatch):
    module = load(PREDICT, "connection")
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.05)
    return module


def test_hopsworks_is_asked_once_per_refresh_however_many_pages_look(connection, monkeypatch):
    """The test says when the seconds of a refresh are over."""
    asked, refreshes = [], threading.Semaphore(0)
    clock = SimpleNamespace(sleep=lambda seconds: refreshes.acquire())
    monkeypatch.setattr(connection, "time", clock)
    latest = connection.Latest(asked.append, lambda *_: None, connect=lambda: "project")
    latest.start()
    wait(lambda: len(asked) == 1)

    def look():
        for _ in range(10):
            latest.ask()

    for number in range(2, 7):
        pages = [threading.Thread(target=look) for _ in range(20)]
        for page in pages:
            page.start()
        for page in pages:
            page.join()
        assert len(asked) == number - 1
        refreshes.release()
        wait(lambda number=number: len(asked) == number)
    refreshes.release(3)  # nobody looks, nobody is asked
    time.sleep(0.1)
    assert len(asked) == 6


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
    wait(lambda: latest.ask().problem)
    assert latest.ask().problem.sentence == "No good."
    wait(lambda: latest.ask().state)
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
    wait(lambda: latest.ask().state)
    is_away.set()
    wait(lambda: latest.ask().problem)
    assert "cannot be reached (ConnectionError)" in latest.ask().problem.sentence
    assert latest.ask().state == "state"
    is_away.clear()
    wait(lambda: latest.ask().problem is None)
    assert len(logins) >= 2


def test_hints_are_make_targets_in_a_clone_and_settings_on_a_space(connection, monkeypatch):
    problem = connection.explain(requests.ConnectionError())
    assert problem.command == "make apps"
    monkeypatch.setenv("SPACE_ID", "olga/titanic")
    problem = connection.explain(requests.ConnectionError())
    assert problem.sentence.endswith("Restart the Space, or check its secrets.")
    assert problem.command == ""
