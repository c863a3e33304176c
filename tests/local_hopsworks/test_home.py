"""Where a store may lie: everything works there and lies there, or one sentence comes before
anything is written."""

import os
import sys
from pathlib import Path

import pytest

from local_hopsworks import Server
from local_hopsworks.home import LONGEST_HOME, StoreError, default_home

PROGRAM = Path(__file__).with_name("programs") / "stored_below.py"
UNUSUAL = "a b & c; d: e' f\" g* {h} `i` <j> $k ~l =m !n (o) +p @q ,r ünïçødé 日本 😀 "


def entries(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_below_unusual_names_everything_works_and_lies_there(run, tmp_path):
    (tmp_path / "work").mkdir()
    home = tmp_path / UNUSUAL / "store"
    env = {"LOCAL_HOPSWORKS_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    done = run(sys.executable, PROGRAM, tmp_path / "work", env=env)
    assert done.stdout.endswith("[2, 1] 2 2 2 1 Resources/file.txt\n"), done.stderr[-2000:]
    assert sorted(os.listdir(tmp_path)) == sorted([UNUSUAL, "work"])
    assert os.listdir(tmp_path / UNUSUAL) == ["store"]
    checked = run(sys.executable, "-m", "local_hopsworks", "check", env=env)
    assert checked.stdout == f"The store {home} is in order.\n"


@pytest.mark.parametrize("character", "#?%[]\\|^\n\t\x7f")
def test_name_that_delta_cannot_read_is_refused_before_anything_is_written(character, tmp_path):
    with pytest.raises(StoreError, match=r"^The store cannot lie in '.*': Delta tables cannot be"):
        Server(tmp_path / f"a{character}b" / "store")
    assert entries(tmp_path) == []


def test_path_that_is_no_text_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(StoreError, match="its name is no UTF-8"):
        Server(os.fsdecode(bytes(tmp_path) + b"/\xff/store"))
    assert entries(tmp_path) == []


def test_longest_path_works_and_a_longer_one_is_refused(run, tmp_path):
    home = tmp_path
    while len(bytes(home)) < LONGEST_HOME - 80:
        home = home / ("x" * 60)
    home = home / ("y" * (LONGEST_HOME - len(bytes(home)) - 1))
    with pytest.raises(StoreError, match=f"has {LONGEST_HOME + 1} bytes, and SQLite leaves room"):
        Server(home.with_name(home.name + "z"))
    assert entries(tmp_path) == []
    (tmp_path / "work").mkdir()
    env = {"LOCAL_HOPSWORKS_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    done = run(sys.executable, PROGRAM, tmp_path / "work", env=env)
    assert done.stdout.endswith("[2, 1] 2 2 2 1 Resources/file.txt\n"), done.stderr[-2000:]


def test_link_to_a_name_that_delta_cannot_read_is_refused_too(tmp_path):
    (tmp_path / "C#").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "C#")
    with pytest.raises(StoreError, match="Delta tables cannot be read"):
        Server(tmp_path / "link" / "store")
    assert entries(tmp_path) == ["C#", "link"]


def test_store_is_found_by_a_relative_path_by_a_tilde_and_by_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to("store")
    for named in ("store", "~/store", "link", "./other/../store", str(tmp_path / "store")):
        with Server(named) as server:
            assert server.store.home == tmp_path / "store"
        monkeypatch.setenv("LOCAL_HOPSWORKS_HOME", named)
        assert default_home() == tmp_path / "store"
    assert sorted(os.listdir(tmp_path)) == ["link", "store"]


def test_folder_with_other_things_in_it_becomes_no_store(tmp_path):
    (tmp_path / "thesis.txt").write_text("the only copy")
    with pytest.raises(StoreError, match=r"has other things in it, such as 'thesis\.txt'"):
        Server(tmp_path)
    assert entries(tmp_path) == ["thesis.txt"]


def test_folder_with_hidden_files_only_becomes_a_store(tmp_path):
    (tmp_path / ".gitignore").write_text("*")
    with Server(tmp_path):
        assert (tmp_path / "format").is_file()
