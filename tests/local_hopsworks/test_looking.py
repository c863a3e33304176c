"""How people get to the pages: the browser that `serve --open` opens, the link that `run` prints,
and the last line of a program whose links are dead."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

LOGIN = "import local_hopsworks; local_hopsworks.login(); print('worked')"


@pytest.fixture
def in_terminal(environment, tmp_path) -> Callable[..., str]:
    """Run a command whose output is a terminal, as for a person; returns what it shows."""

    def run(*command: str) -> str:
        terminal, end = pty.openpty()
        with subprocess.Popen(
            command,
            env={**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")},
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
        ) as process:
            os.close(end)
            shown = b""
            while True:
                try:
                    shown += os.read(terminal, 4096)
                except OSError:  # the last process that had the other end is gone
                    break
            assert process.wait(60) == 0, shown
        os.close(terminal)
        return shown.decode().replace("\r", "")

    return run


def last_line() -> str:
    """What is said in a checkout: this one's Makefile has that target."""
    return "Look around: make look"


def test_serve_opens_the_browser_signed_in(environment, tmp_path):
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    command = [
        sys.executable,
        "-m",
        "local_hopsworks",
        "serve",
        "--open",
        "--home",
        tmp_path / "store",
    ]
    with subprocess.Popen(
        command, env={**environment, "BROWSER": str(browser)}, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not opened.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        address = opened.read_text().strip()
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(tmp_path / "store/security/ca.pem")
            page = session.get(address, timeout=60)
        process.terminate()
    assert page.status_code == 200 and "<h1>Projects</h1>" in page.text
    assert "token" not in page.url


def test_run_tells_a_person_where_to_look_while_it_runs_and_after(in_terminal):
    shown = in_terminal(
        sys.executable, "-m", "local_hopsworks", "run", "--", sys.executable, "-c", "print('works')"
    )
    (link,) = re.findall(r"Look around at (https://\S+)", shown)
    assert urllib.parse.urlparse(link).path == "/p/" and "token=" in link
    assert shown.index(link) < shown.index(last_line())


def test_run_says_nothing_of_its_own_to_a_program(environment, tmp_path):
    command = [sys.executable, "-m", "local_hopsworks", "run", "--home", tmp_path, "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", "print('works')"],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("works\n", "")


def test_last_line_of_a_program_says_how_to_look_around(in_terminal):
    shown = in_terminal(sys.executable, "-c", LOGIN).splitlines()
    told = [line for line in shown if " INFO: " not in line]  # the SDK's own log
    assert told[-2:] == ["worked", last_line()]


def test_program_that_writes_into_a_pipe_says_no_more_than_it_means(run, tmp_path):
    done = run(sys.executable, "-c", LOGIN, env={"LOCAL_HOPSWORKS_HOME": str(tmp_path)})
    assert done.stdout.endswith("worked\n")


def test_program_loads_no_page_that_nobody_opens(run, tmp_path):
    loaded = (
        "import sys; print('loaded', *{'jinja2', 'local_hopsworks.pages.pages'} & {*sys.modules})"
    )
    # With an option, so that it does not start warm, with much imported already
    command = [sys.executable, "-s", "-c", f"{LOGIN}; {loaded}"]
    done = run(*command, env={"LOCAL_HOPSWORKS_HOME": str(tmp_path)})
    assert done.stdout.endswith("worked\nloaded\n"), done.stderr


def test_command_that_is_told_is_there():
    makefile = Path(__file__).resolve().parents[2] / "Makefile"
    target = last_line().removeprefix("Look around: make ")
    assert re.search(
        rf"^{target}:.*\n\t.* -m local_hopsworks serve --open$", makefile.read_text(), re.M
    )
