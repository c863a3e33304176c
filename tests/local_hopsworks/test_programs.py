"""Programs of the kinds that courses and tutorials teach, each unchanged in a fresh process and a
fresh store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local_hopsworks import Server

pytestmark = pytest.mark.long

PROGRAMS = Path(__file__).resolve().parent / "programs"


# The others there are started by tests of their own
WHOLE = sorted(
    path.stem
    for path in PROGRAMS.glob("*.py")
    if 'print("done' in path.read_text() and "Server(" not in path.read_text()
)


def test_whole_programs_are_found():
    assert len(WHOLE) >= 8


@pytest.mark.parametrize("program", WHOLE)
def test_program_runs_to_its_end(program, run, reach, tmp_path):
    source = PROGRAMS / f"{program}.py"
    needed = [
        name for name in ("great_expectations", "polars") if f"import {name}" in source.read_text()
    ]
    (tmp_path / "work").mkdir()
    with Server(tmp_path / "store") as server:
        environment = {**server.environment, **reach(*needed)}
        done = run(sys.executable, source, env=environment, cwd=tmp_path / "work")
    assert done.returncode == 0 and "done" in done.stdout, done.stderr[-3000:]


@pytest.mark.parametrize("program", ["two_projects", "version_without_files"])
def test_program_with_a_server_of_its_own_runs_to_its_end(program, run, tmp_path):
    done = run(sys.executable, PROGRAMS / f"{program}.py", cwd=tmp_path)
    assert done.returncode == 0 and "done" in done.stdout, done.stderr[-3000:]
