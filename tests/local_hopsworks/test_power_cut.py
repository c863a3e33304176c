"""What is acknowledged survives a power cut: it has been flushed to the disk before the answer.

A power cut cannot be had here. What reaches the disk is what was flushed, so the flushes are
watched.
"""

import os
from contextlib import closing

import pandas as pd
import pytest

from local_hopsworks import disk
from local_hopsworks.metadata import Metadata


class Watched:
    """Notes which files and folders are flushed, and flushes them."""

    def __init__(self):
        self.flushed = set()

    def __call__(self, descriptor):
        found = os.fstat(descriptor)
        self.flushed.add((found.st_dev, found.st_ino))
        os.fsync(descriptor)

    def has(self, path):
        found = path.stat()
        return (found.st_dev, found.st_ino) in self.flushed


@pytest.fixture
def watched(monkeypatch):
    watching = Watched()
    monkeypatch.setattr(disk, "_flush_descriptor", watching)
    return watching


def test_uploaded_file_and_its_name(watched, project, server, tmp_path, name):
    (tmp_path / f"{name}.txt").write_text("content")
    project.get_dataset_api().upload(str(tmp_path / f"{name}.txt"), "Resources")
    target = server.store.dataset("tests", f"Resources/{name}.txt")
    assert watched.has(target) and watched.has(target.parent)


def test_copied_and_moved_files_and_their_names(watched, project, server, tmp_path, name):
    (tmp_path / "file.txt").write_text("content")
    files = project.get_dataset_api()
    files.mkdir(f"Resources/{name}")
    assert watched.has(server.store.dataset("tests", "Resources"))
    files.upload(str(tmp_path / "file.txt"), f"Resources/{name}")
    files.copy(f"Resources/{name}", f"Resources/{name}_copy")
    copy = server.store.dataset("tests", f"Resources/{name}_copy")
    assert watched.has(copy / "file.txt") and watched.has(copy)
    files.mkdir(f"Resources/{name}_target")
    watched.flushed.clear()
    files.move(f"Resources/{name}_copy/file.txt", f"Resources/{name}_target/file.txt")
    assert watched.has(copy) and watched.has(copy.with_name(f"{name}_target"))


def test_inserted_rows_with_the_commit_that_names_them(watched, feature_store, server, name):
    group = feature_store.get_or_create_feature_group(name, 1, primary_key=["id"])
    for ids in ([1], [2], [1, 3]):
        group.insert(pd.DataFrame({"id": ids}))
        table = server.store.feature_group("tests", name, 1, group.id)
        files = [path for path in table.rglob("*") if path.suffix in (".parquet", ".json")]
        assert len(files) > 1
        assert [path for path in files if not watched.has(path)] == []
        assert watched.has(table) and watched.has(table / "_delta_log")


def test_training_data(watched, feature_store, server, name):
    group = feature_store.get_or_create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    view = feature_store.create_feature_view(name, group.select_all(), version=1)
    view.create_training_data(data_format="csv")
    folder = server.store.dataset("tests", f"tests_Training_Datasets/{name}_1_1")
    files = [folder, *folder.rglob("*")]
    assert len(files) > 2 and [path for path in files if not watched.has(path)] == []


def test_metadata(tmp_path):
    metadata = Metadata(tmp_path / "metadata.db")
    with closing(metadata), metadata.transaction(write=True) as db:
        found = db.exec_driver_sql("PRAGMA synchronous").scalar()
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert found == 2  # FULL: the journal is flushed before a transaction is through
