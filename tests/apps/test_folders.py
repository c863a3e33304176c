"""Both folders are deployable as they stand, and agree with the repository on every version."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml

from .modules import MONITOR, PREDICT, REPOSITORY

folders = pytest.mark.parametrize("folder", [PREDICT, MONITOR], ids=lambda folder: folder.name)
SHARED = [
    "connection.py",
    "page.py",
    "look.css",
    "templates/header.html",
    "templates/notice.html",
    "templates/preview.html",
]
OF_GRADIO = {"gradio", "starlette", "jinja2"}  # installed with it


def pins(path: Path) -> dict[str, str]:
    """{name: version range} of a requirements.txt; extras are left out."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return dict(re.match(r"([\w-]+)(?:\[[\w,]+\])?(.*)", line).groups() for line in lines if line)


def front_matter(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def imported(path: Path) -> set[str]:
    """The modules that a file imports, by their first names."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    return {module.split(".")[0] for module in modules}


@folders
def test_front_matter_is_what_a_space_needs(folder):
    said = front_matter(folder)
    assert {"title", "emoji", "colorFrom", "colorTo", "pinned", "license"} <= set(said)
    assert (said["sdk"], said["python_version"]) == ("gradio", "3.12")
    assert (folder / said["app_file"]).is_file()
    assert len(said["short_description"]) <= 60  # the Hub refuses more
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {said["colorFrom"], said["colorTo"]} <= colors


@folders
def test_versions_are_those_of_the_repository(folder):
    ours, theirs = pins(REPOSITORY / "requirements.txt"), pins(folder / "requirements.txt")
    assert f"=={front_matter(folder)['sdk_version']}" == ours["gradio"]
    assert "gradio" not in theirs  # the Space installs it by sdk_version
    assert theirs == {name: ours[name] for name in theirs}


@folders
def test_what_is_imported_is_required_or_in_the_folder_and_nothing_else(folder):
    files = list(folder.glob("*.py"))
    packages = set().union(*map(imported, files)) - set(sys.stdlib_module_names)
    packages -= {path.stem for path in files} | OF_GRADIO
    names = {"scikit-learn": "sklearn"}
    assert packages == {names.get(name, name) for name in pins(folder / "requirements.txt")}


@folders
def test_every_module_is_used(folder):
    files = list(folder.glob("*.py"))
    used = set().union(*map(imported, files))
    assert {path.stem for path in files} - used == {"app"}


@pytest.mark.parametrize("name", SHARED)
def test_what_both_apps_share_is_the_same_in_both_folders(name):
    assert (PREDICT / name).read_bytes() == (MONITOR / name).read_bytes()


@pytest.fixture
def apps(environment):
    """Both apps as `make apps` starts them."""
    return subprocess.Popen(
        [sys.executable, REPOSITORY / "tools" / "apps.py"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_both_apps_run_side_by_side_link_to_each_other_and_end_with_ctrl_c(apps):
    """Ctrl-C at a terminal reaches all programs of a group."""
    said = sorted(apps.stdout.readline() for _ in range(2))
    monitor, predict = (
        re.fullmatch(r"\w+ app: (http://127.0.0.1:\d+/)\n", line)[1] for line in said
    )
    assert f'href=\\"{monitor}\\"' in requests.get(predict, timeout=60).text
    assert f'href=\\"{predict}\\"' in requests.get(monitor, timeout=60).text
    os.killpg(apps.pid, signal.SIGINT)
    rest, _ = apps.communicate(timeout=60)
    assert (rest, apps.returncode) == ("Stopped.\nStopped.\n", 130)


def test_both_apps_end_however_often_they_are_terminated(apps):
    for _ in range(2):
        apps.stdout.readline()
    while apps.poll() is None:
        apps.terminate()
        time.sleep(0.001)
    # The end of what both print: an app that is left behind keeps the pipe open
    rest, _ = apps.communicate(timeout=60)
    assert (rest, apps.returncode) == ("Stopped.\nStopped.\n", 143)
