"""Hopsworks as an app sees it: log in, look for news in the background, say what is wrong.

This file is the same in the folders of both apps, because each folder is a Space of its own.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

import hopsworks
from hopsworks.client.exceptions import ProjectException, RestAPIError

# An open page asks the app this often for news, and the app asks Hopsworks at most this often
REFRESH_SECONDS = float(os.environ.get("REFRESH_SECONDS", 5))
SLOW_SECONDS = 2  # a page waits this long for Hopsworks before it shows the last state


class Unavailable(Exception):
    """Something that the page needs is missing, or does not answer.

    sentence: what is wrong, for a person. command: what to run in a clone, if that helps.
    """

    def __init__(self, sentence: str, command: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.command = command


class Snapshot(NamedTuple):
    """state: the last good one, if there was any. problem: why there is no newer one, if so."""

    state: Any
    problem: Unavailable | None
    read_at: datetime


def advise(sentence: str, in_clone: str, command: str, on_space: str) -> Unavailable:
    """Complete a sentence with what the person who runs this app can do about it.

    In a clone of the repository that is a make target; the owner of a Space has its settings.
    """
    if "SPACE_ID" in os.environ:
        return Unavailable(f"{sentence} {on_space}")
    return Unavailable(f"{sentence} {in_clone}", command)


def connect() -> Any:
    """Log in to the project that the environment names; returns the SDK's Project."""
    if not os.environ.get("HOPSWORKS_API_KEY"):
        raise advise(
            "HOPSWORKS_API_KEY is not set, so there is no Hopsworks to ask.",
            in_clone="Start the apps with",
            command="make apps",
            on_space="Add it to the secrets of this Space.",
        )
    with silence():
        return hopsworks.login()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep the SDK's links and progress bars off the terminal."""
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        yield


def explain(error: Exception) -> Unavailable:
    """What an exception of the SDK means to the person who runs this app."""
    host = os.environ.get("HOPSWORKS_HOST") or "eu-west.cloud.hopsworks.ai"
    port = os.environ.get("HOPSWORKS_PORT") or "443"
    is_refused = isinstance(error, RestAPIError) and error.response.status_code in (401, 403)
    # EOFError: the key opens several projects, and the SDK asked on the terminal which one to use
    if is_refused or isinstance(error, (ProjectException, EOFError)):
        return Unavailable(
            f"Hopsworks at {host}:{port} does not let this app in: "
            "check HOPSWORKS_API_KEY and HOPSWORKS_PROJECT."
        )
    # requests' exceptions are OSErrors
    what = "cannot be reached" if isinstance(error, OSError) else "gives no proper answer"
    return advise(
        f"Hopsworks at {host}:{port} {what} ({type(error).__name__}). This page keeps trying.",
        in_clone="Or start the apps again:",
        command="make apps",
        on_space="Restart the Space, or check its secrets.",
    )


class Latest:
    """The latest good state of something in Hopsworks, read by a thread of its own.

    look(project) tells what is there, in one question; load(project, found) makes the state of it,
    and is called only if something else was found than before. Both raise Unavailable. Hopsworks is
    asked only while pages ask, once per REFRESH_SECONDS however many they are, and no page waits
    for a slow Hopsworks.
    """

    def __init__(
        self, look: Callable[[Any], Any], load: Callable[[Any, Any], Any], connect: Any = connect
    ) -> None:
        self._look, self._load, self._connect = look, load, connect
        self._found: Any = None
        self._outcome: Any = None
        self._snapshot = Snapshot(None, None, datetime.now(timezone.utc))
        self._wanted, self._fresh = threading.Event(), threading.Event()

    def start(self) -> None:
        """Begin to read, before the first page asks."""
        self._wanted.set()
        threading.Thread(target=self._keep_reading, daemon=True).start()

    def ask(self) -> Snapshot:
        """What is known now; a call of this is what keeps the reading going."""
        self._wanted.set()
        self._fresh.wait(SLOW_SECONDS)
        return self._snapshot

    def _keep_reading(self) -> None:
        project = None
        while self._wanted.wait():
            self._wanted.clear()
            try:
                project = project or self._connect()
                state = self._read(project)
                self._snapshot = Snapshot(state, None, datetime.now(timezone.utc))
            except Unavailable as problem:
                self._snapshot = self._snapshot._replace(problem=problem)
            except Exception as error:  # the SDK's have no other base; and this thread must not end
                project = None  # log in again: Hopsworks may come back with other certificates
                self._snapshot = self._snapshot._replace(problem=explain(error))
            self._fresh.set()
            time.sleep(REFRESH_SECONDS)
            self._fresh.clear()

    def _read(self, project: Any) -> Any:
        """The state of what is there. One that cannot be used is not loaded a second time."""
        found = self._look(project)
        if found != self._found:
            try:
                self._outcome = self._load(project, found)
            except Unavailable as problem:
                self._outcome = problem
            self._found = found
        if isinstance(self._outcome, Unavailable):
            raise self._outcome
        return self._outcome


def keep_sdk_off_the_terminal() -> None:
    """The SDK asks there which of several projects to use, and logs what it does."""
    sys.stdin = open(os.devnull)  # noqa: SIM115  it stays open as long as the program runs
    logging.disable(logging.INFO)
