"""Both folders are deployable as they stand, and agree with the repository on every version."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import MONITOR, PREDICT, REPOSITORY

folders = pytest.mark.parametrize("folder", [PREDICT, MONITOR], ids=lambda folder: folder.name)


def pins(path: Path) -> dict[str, str]:
    """{name: version range} of a requirements.txt; extras are left out."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return dict(re.match(r"([\w-]+)(?:\[[\w,]+\])?(.*)", line).groups() for line in lines if line)


def front_matter(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


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
def test_what_is_imported_is_required_and_nothing_else(folder):
    tree = ast.parse((folder / "app.py").read_text())
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names)
    required = {
        {"scikit-learn": "sklearn"}.get(name, name) for name in pins(folder / "requirements.txt")
    }
    assert packages == required | {"gradio"}


@folders
def test_nothing_outside_the_folder_is_needed(folder):
    assert {path.name for path in folder.iterdir()} - {"__pycache__", ".gradio"} == {
        "app.py", "style.css", "requirements.txt", "README.md"}  # fmt: skip
