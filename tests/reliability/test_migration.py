"""A store that an earlier version wrote is opened with all that is in it, and becomes one of this
version.

`stores/` keeps one of each format: what `python furnished.py make FOLDER` made with the version
that wrote that format (and in format 1 a draft and a lock, as a killed server left them).
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local_hopsworks import Server
from local_hopsworks.home import StoreError
from local_hopsworks.store import FORMATS

STORES = Path(__file__).with_name("stores")
HELPER = Path(__file__).with_name("furnished.py")
CONTENT = {
    "group full": [
        '[{"id":1,"fare":1.0},{"id":2,"fare":1.0},{"id":3,"fare":1.0},{"id":6,"fare":1.0}]',
        ["id", "fare"],
        {"owner": "tests"},
    ],
    "group empty": ["[]", ["id", "fare"], {}],
    "view view": [["id", "fare"], [1]],
    "model 1": [{"accuracy": 0.5}, [".download_complete", "file.txt"]],
    "secrets": {"kept": "value"},
    "jobs": {"kept": "None"},
    "faults": [],
}


def unpacked(number: str, home: Path) -> Path:
    with zipfile.ZipFile(STORES / f"format_{number}.zip") as archive:
        archive.extractall(home)
    for path in home.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return home


def test_one_store_of_every_format_is_kept():
    assert sorted(path.stem for path in STORES.iterdir()) == [
        f"format_{number}" for number in FORMATS
    ]


@pytest.mark.parametrize(
    "number",
    [FORMATS[0], *(pytest.param(number, marks=pytest.mark.reliability) for number in FORMATS[1:])],
)
def test_store_of_every_format_has_all_that_was_stored_in_it(number, run, tmp_path):
    home = unpacked(number, tmp_path / "store")
    shown = run(sys.executable, HELPER, "show", home, env={"PYTHONWARNINGS": "ignore"})
    assert shown.returncode == 0, shown.stderr[-2000:]
    found: dict[str, Any] = json.loads(shown.stdout.splitlines()[-1])
    assert {name: content for name, content in found.items() if name != "files"} == CONTENT
    files = {name: content for name, content in found["files"].items() if content}
    assert sorted(files) == [
        "format",
        "projects/tests/Models/model/1/Files/file.txt",
        "projects/tests/Resources/file.txt",
        "projects/tests/Resources/folder/file.txt",
        "projects/tests/Resources/job.py",
        "projects/tests/tests_Training_Datasets/view_1_1/view_1/part-0.parquet",
    ]
    assert (home / "format").read_text() == f"{FORMATS[-1]}\n"


@pytest.mark.parametrize("text", ["0", "3", "", "two"])
def test_store_of_an_unknown_format_is_refused_and_left_alone(text, tmp_path):
    home = unpacked(FORMATS[-1], tmp_path / "store")
    (home / "format").write_text(text)
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    with pytest.raises(
        StoreError, match=f"has format {text!r}; this version of local_hopsworks reads format 2"
    ):
        Server(home)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


@pytest.mark.reliability
@pytest.mark.timeout(700)
@pytest.mark.parametrize("number", FORMATS)
def test_killed_at_any_step_of_opening_a_store_it_is_opened_the_next_time(number, kill, tmp_path):
    unpacked(number, tmp_path / "template")
    kill("both", "SIGKILL", "open_store")
