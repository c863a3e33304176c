"""Programs of the kinds that courses and tutorials teach, each unchanged in a fresh process and a fresh store."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).resolve().parent / "programs"
ASIDE = {"great_expectations": "expectations", "polars": "polars"}  # where `make test` puts them; see pyproject.toml


@pytest.mark.parametrize("program", sorted(path.stem for path in PROGRAMS.glob("*.py")))
def test_program_runs_to_its_end(program, run, environment, tmp_path):
    source = PROGRAMS / f"{program}.py"
    paths = environment["PYTHONPATH"]
    for package, folder in ASIDE.items():
        if f"import {package}" in source.read_text():
            aside = Path(sys.prefix) / folder
            if not aside.is_dir() and importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed; `make test` does that")
            paths = os.pathsep.join([paths, str(aside)])
    command = [
        sys.executable,
        "-m",
        "local_hopsworks",
        "run",
        "--home",
        tmp_path / "store",
        "--",
        sys.executable,
        source,
    ]
    (tmp_path / "work").mkdir()
    done = run(*command, env={"PYTHONPATH": paths, "GX_ANALYTICS_ENABLED": "False"}, cwd=tmp_path / "work")
    assert done.returncode == 0 and "done" in done.stdout, done.stderr[-3000:]
