"""The package and the programs install without a compiler on every machine and Python that the
READMEs name: each is resolved from the package index, wheels only."""

from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deployment.test_space_environments import uv

REPOSITORY = Path(__file__).resolve().parents[2]
MACHINES = {  # as the README has them -> uv's names
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux arm64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS Intel": "x86_64-apple-darwin",
}
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
WHAT = {
    "package": ["pyproject.toml"],
    "programs": ["requirements.txt"],
    "locked": ["requirements.txt", "--constraints", "requirements.lock"],
}


def problem(machine: str, python: str, what: list[str]) -> str | None:
    """Why it cannot be installed there, if it cannot."""
    done = uv(
        *("pip", "compile", "--quiet", "--no-python-downloads", "--only-binary", ":all:"),
        *("--python-platform", MACHINES[machine], "--python-version", python),
        *(REPOSITORY / each if each.startswith(("p", "r")) else each for each in what),
    )
    return f"{machine}, Python {python}: {done.stderr}" if done.returncode else None


@pytest.mark.reliability
@pytest.mark.parametrize("what", WHAT.values(), ids=WHAT)
def test_wheels_are_there_for_every_machine_and_python(what: list[str]) -> None:
    with ThreadPoolExecutor(4) as workers:
        problems = workers.map(
            lambda where: problem(*where, what), itertools.product(MACHINES, PYTHONS)
        )
        assert [each for each in problems if each] == []


def test_readme_names_the_machines_and_pythons_that_are_tried() -> None:
    text = (REPOSITORY / "local_hopsworks/README.md").read_text()
    named = re.search(
        r"^Linux \((.*)\) and macOS \((.*)\), Python ([\d.]+) to ([\d.]+);", text, re.M
    )
    assert named is not None
    linux, mac, first, last = named.groups()
    machines = [
        *(f"Linux {each}" for each in linux.split(", ")),
        *(f"macOS {each}" for each in mac.split(", ")),
    ]
    assert (machines, first, last) == (list(MACHINES), PYTHONS[0], PYTHONS[-1])
    assert f"You need Python {first} to {last}" in (REPOSITORY / "README.md").read_text()
    beyond = f"3.{int(last.partition('.')[2]) + 1}"
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert f'requires-python = ">={first},<{beyond}"' in project
