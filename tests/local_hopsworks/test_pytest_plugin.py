"""The fixtures that other projects use: one line, a Hopsworks of one's own, and nothing left
behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # the SDK brings it

# As somebody's project has it. What is left behind is looked for after the fixtures have ended.
CONFTEST = """
import os, sys, threading
import pytest

@pytest.fixture(autouse=True)
def trace(tmp_path):
    before = set(threading.enumerate())
    yield
    late = [thread.name for thread in set(threading.enumerate()) - before]
    late = [name for name in late if name.startswith("hopsworks-")]
    assert late == [], late
    if "hopsworks" in sys.modules:
        assert not sys.modules["hopsworks"]._is_connection_active()
    assert "HOPSWORKS_HOST" not in os.environ
"""
TESTS = """
import os, pathlib
import hopsworks
import pandas as pd

homes, ports = [], []

def pipeline():
    store = hopsworks.login().get_feature_store()
    group = store.get_or_create_feature_group("prices", version=1, primary_key=["hour"])
    group.insert(pd.DataFrame({"hour": range(3)}))

def test_pipeline_fills_the_tests_own_store(hopsworks_project, local_hopsworks_server):
    pipeline()
    assert len(hopsworks_project.get_feature_store().get_feature_group("prices", 1).read()) == 3
    homes.append(local_hopsworks_server.store.home)
    ports.append(local_hopsworks_server.port)

def test_next_test_starts_from_nothing(hopsworks_project, local_hopsworks_server):
    assert hopsworks_project.get_feature_store().get_feature_groups("prices") == []
    assert local_hopsworks_server.store.home not in homes and not homes[0].exists()

def test_the_port_is_free_again(local_hopsworks_server):
    import socket
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", ports[0]))

def test_who_asks_for_nothing_gets_nothing():
    assert "HOPSWORKS_API_KEY" not in os.environ
"""

PIPELINE = """
import hopsworks
import pandas as pd
store = hopsworks.login().get_feature_store()
group = store.get_or_create_feature_group("g", version=1, primary_key=["id"])
group.insert(pd.DataFrame({"id": range(3)}))
print("rows", len(group.read()))
"""


def test_one_line_gives_a_test_its_own_hopsworks_and_leaves_nothing(run, tmp_path):
    project, scratch = tmp_path / "project", tmp_path / "scratch"
    project.mkdir()
    scratch.mkdir()
    (project / "conftest.py").write_text(CONFTEST)
    (project / "test_pipeline.py").write_text(TESTS)
    command = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:benchmark",
        "-x",
        "-rA",
    ]
    done = run(
        sys.executable,
        *command,
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
    assert run(sys.executable, "-c", loaded).stdout.strip() == "[]"


def test_package_asks_for_the_same_versions_as_requirements():
    root = Path(__file__).resolve().parent.parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = (root / "requirements.txt").read_text().splitlines()
    pinned = {Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()}
    asked = {Requirement(each) for each in project["dependencies"]}
    assert len(asked) > 10 and asked <= pinned, asked - pinned


@pytest.mark.long
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
    (tmp_path / "their_pipeline.py").write_text(PIPELINE)
    assert "rows 3" in do(python, "-m", "local_hopsworks", "run", "--", python, "their_pipeline.py")
    assert (
        tmp_path / ".hopsworks" / "format"
    ).is_file()  # beside them, not inside the installed package
    (tmp_path / "test_theirs.py").write_text(TESTS)
    assert "4 passed" in do(python, "-m", "pytest", "-q", "test_theirs.py")
