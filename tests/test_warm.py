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


@pytest.mark.parametrize(
    "code",
    [
        "print('x')",
        "import atexit; atexit.register(print, 'last'); print('first')",
        "import threading; threading.Timer(0.2, print, ['x']).start()",
        "file = open('left_open', 'w'); file.write('x')",
        "import sys; sys.stdout.close()",
        "import sys; sys.exit(-1)",
        "import sys; sys.exit('a reason')",
        "raise ValueError('x')",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    ],
)
def test_program_ends_as_it_would_otherwise(warm, environment, tmp_path, code):
    def all_of(start):
        folder = tmp_path / start.__qualname__
        folder.mkdir()
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, "-c", code]
        with start(command, cwd=folder, env=environment, **streams) as program:
            out, errors = program.communicate(timeout=60)
        left = {file.name: file.read_text() for file in folder.iterdir()}
        return program.returncode, out, errors.splitlines()[-1:], left

    assert all_of(warm.start) == all_of(subprocess.Popen)


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
