"""Programs that the tests start warm begin and end as `python` would have it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.pipelines import PROGRAMS

TELL = PROGRAMS / "tell_how_started.py"


@pytest.mark.parametrize(
    "words",
    [
        [TELL, "--flag", "a b"],
        ["-m", "tests.programs.tell_how_started", "x"],
        ["-c", TELL.read_text(), "y"],
    ],
    ids=["file", "module", "text"],
)
def test_program_sees_what_it_would_see_otherwise(warm, environment, tmp_path, words):
    command = [sys.executable, *map(str, words)]
    options = {"cwd": tmp_path, "env": {**environment, "SEEN": "yes"}}
    otherwise = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    done = warm.run(command, 60, **options)
    assert json.loads(done.stdout) == json.loads(otherwise.stdout)
    assert (done.returncode, done.stderr) == (3, "said on the other stream\n")


def test_signal_that_ends_a_program_is_told(warm, environment):
    program = warm.start([sys.executable, "-c", "import time; time.sleep(60)"], env=environment)
    assert program.poll() is None
    program.kill()
    assert program.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        (["true"], {}),
        ([sys.executable, "-I", "-c", "pass"], {}),
        ([sys.executable, "-c", "pass"], {"PYTHONPATH": ""}),
    ],
)
def test_what_is_no_plain_python_is_started_as_ever(warm, environment, command, variables):
    with warm.start(command, env={**environment, **variables}) as program:
        assert type(program) is subprocess.Popen
    assert program.returncode == 0
