"""The fixtures that other projects use: one line, a Hopsworks of one's own, and nothing left
behind."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # the SDK brings it

PROGRAMS = Path(__file__).with_name("programs")
THEIRS = PROGRAMS / "their_project"  # the names there are ones that our own pytest does not collect


@pytest.mark.long
def test_one_line_gives_a_test_its_own_hopsworks_and_leaves_nothing(run, tmp_path):
    project, scratch = tmp_path / "project", tmp_path / "scratch"
    project.mkdir()
    scratch.mkdir()
    shutil.copy(THEIRS / "their_conftest.py", project / "conftest.py")
    shutil.copy(THEIRS / "their_tests.py", project / "test_pipeline.py")
    options = ["-q", "-x", "-rA", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    done = run(
        *(sys.executable, "-m", "pytest", *options),
        cwd=project,
        env={"TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "4 passed" in done.stdout, done.stdout[-3000:]
    left = [path for path in scratch.rglob("*") if path.is_file()]
    assert left == [], left
    assert sorted(path.name for path in project.iterdir()) == ["conftest.py", "test_pipeline.py"]


def test_plugin_costs_nothing_where_it_is_not_used(run):
    heavy = "{'hopsworks', 'uvicorn', 'pandas'} & set(sys.modules)"
    loaded = f"import local_hopsworks.pytest_plugin, sys; print(sorted({heavy}))"
    # With an option, so that it does not start warm, with much imported already
    assert run(sys.executable, "-s", "-c", loaded).stdout.strip() == "[]"


def test_package_asks_for_the_same_versions_as_requirements():
    root = Path(__file__).resolve().parent.parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = (root / "requirements.txt").read_text().splitlines()
    pinned = {Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()}
    asked = {Requirement(each) for each in project["dependencies"]}
    assert len(asked) > 10 and asked <= pinned, asked - pinned


@pytest.mark.long
@pytest.mark.timeout(600)
def test_wheel_works_in_an_empty_environment(run, tmp_path):
    """Needs the package index, like the environment of the tests itself."""
    root = Path(__file__).resolve().parent.parent.parent
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "empty" / "bin" / "python"
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "local_hopsworks"):
        run("cp", "-r", root / name, source)
    plain = {"PYTHONPATH": "", "HOME": str(Path.home()), "LOCAL_HOPSWORKS_HOME": ""}

    def do(*command):
        done = run(*command, env=plain, timeout=280, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    do(uv, "build", "--wheel", "--out-dir", tmp_path, source)
    do(uv, "venv", "--python", sys.executable, tmp_path / "empty")
    do(uv, "pip", "install", "--python", python, *tmp_path.glob("*.whl"), "pytest")
    shutil.copy(PROGRAMS / "reads_and_writes.py", tmp_path)
    assert "2 rows" in do(
        python, "-m", "local_hopsworks", "run", "--", python, "reads_and_writes.py"
    )
    # Beside them, not inside the installed package
    assert (tmp_path / ".hopsworks" / "format").is_file()
    shutil.copy(THEIRS / "their_tests.py", tmp_path / "test_theirs.py")
    assert "4 passed" in do(python, "-m", "pytest", "-q", "test_theirs.py")
