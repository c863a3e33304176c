"""Break something, say what a program that uses the SDK is told, and whether all else goes on and
is as before.

    python faults.py WORK_FOLDER FAULT ...     one line of JSON for each

Every fault happens to a copy of the store of furnished.py, in a fork of this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import furnished
import hopsworks
import numpy as np
import pandas as pd
from deltalake import write_deltalake
from furnished import forked, here, logged_in, rows, state

from local_hopsworks import Server

LARGE = pd.DataFrame(
    {"id": np.arange(10, 200_010), "fare": np.random.default_rng(1).random(200_000)}
)


@contextlib.contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file can become larger than so many bytes: what a writer sees of a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told(action: Callable[[], Any]) -> str:
    """What the user reads; the SDK's errors have the server's sentence in them."""
    try:
        action()
    except Exception as error:
        text = str(error)
        return text.partition("user msg: ")[2] or text
    return "no error"


@contextlib.contextmanager
def running(home: Path) -> Iterator[Any]:
    with Server(home, project="tests") as server:
        yield logged_in(server.port, server.api_key)
        hopsworks.logout()


def full(project: Any) -> Any:
    return project.get_feature_store().get_feature_group("full", 1)


def all_else_works(project: Any) -> None:
    """With everything but the feature group `full`; leaves no trace."""
    store = project.get_feature_store()
    group = store.create_feature_group("other", version=1, primary_key=["id"])
    group.insert(rows(1, 2))
    assert len(group.read()) == 2
    group.delete()
    assert project.get_model_registry().get_model("model", 1).training_metrics == {"accuracy": 0.5}
    assert hopsworks.get_secrets_api().get("kept") == "value"
    with here("content", "other.txt"):
        project.get_dataset_api().upload("other.txt", "Resources")
    project.get_dataset_api().remove("Resources/other.txt")


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root, whom no permission stops, becomes nobody for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


# ---------------------------------------------------------------------------- while the server
# runs: all is as before


def upload_to_a_full_disk(project: Any, home: Path) -> str:
    with here(b"x" * 3_000_000, "large.bin"), full_disk(1_000_000):
        return told(lambda: project.get_dataset_api().upload("large.bin", "Resources"))


def insert_to_a_full_disk(project: Any, home: Path) -> str:
    group = full(project)
    with full_disk(100_000):
        return told(lambda: group.insert(LARGE, operation="insert"))


def overwrite_on_a_full_disk(project: Any, home: Path) -> str:
    group = full(project)
    with full_disk(100_000):
        said = told(lambda: group.insert(LARGE, overwrite=True))
    group.insert(rows(9))  # the next one adds to the earlier rows, which are back
    assert sorted(group.read()["id"]) == [1, 2, 3, 6, 9], group.read()
    group.remove_rows(rows(9))
    return said


def metadata_on_a_full_disk(project: Any, home: Path) -> str:
    with full_disk(1):
        return told(lambda: hopsworks.get_secrets_api().create_secret("new", "hidden"))


def training_data_on_a_full_disk(project: Any, home: Path) -> str:
    view = project.get_feature_store().get_feature_view("view", 1)
    full(project).insert(LARGE)
    with full_disk(100_000):
        said = told(lambda: view.create_training_data(data_format="csv"))
    assert [dataset.version for dataset in view.get_training_datasets()] in ([1], [1, 2])
    full(project).remove_rows(LARGE)
    return said


def model_on_a_full_disk(project: Any, home: Path) -> str:
    with here(b"x" * 3_000_000), full_disk(1_000_000):
        return told(lambda: furnished.save_model(project))


def files_that_cannot_be_written(project: Any, home: Path) -> str:
    folder = home / "projects/tests/Resources/folder"
    subprocess.run(["chmod", "-R", "a+rwX", home], check=True)
    folder.chmod(0o555)
    # Everything is imported: nobody may not be able to read Python's own files
    all_else_works(project)
    with here("second", "new.txt") as working:
        working.chmod(0o755)
        with as_nobody():
            said = told(lambda: project.get_dataset_api().upload("new.txt", "Resources/folder"))
    folder.chmod(0o755)
    subprocess.run(["chmod", "-R", "go-rwx", home / "security"], check=True)
    return said


# --------------------------------------------------------------------- damage that lies there:
# nothing is made worse


def log_without_a_commit(home: Path) -> None:
    log(home, 0).unlink()


def log_with_a_damaged_commit(home: Path) -> None:
    log(home, 1).write_text('{"add": ')


def log_with_a_foreign_commit(home: Path) -> None:
    write_deltalake(home.parent / "other", rows(7))
    shutil.copy(home.parent / "other/_delta_log/00000000000000000000.json", log(home, 2))


def table_without_a_file(home: Path) -> None:
    next(iter(table(home).glob("*.parquet"))).unlink()


def table(home: Path) -> Path:
    return next(home.glob("featurestore/tests/full_1_*"))


def log(home: Path, version: int) -> Path:
    return table(home) / "_delta_log" / f"{version:020}.json"


def half_a_model(home: Path) -> None:
    (home / "projects/tests/Models/model/2/Files").mkdir(parents=True)
    (home / "projects/tests/Models/model/2/Files/file.txt").write_text("hal")


# --------------------------------------------------------------------------------- stores that
# cannot be used at all


def metadata_without_an_end(home: Path) -> None:
    content = (home / "metadata.db").read_bytes()
    (home / "metadata.db").write_bytes(content[: len(content) // 2])


def metadata_that_is_none(home: Path) -> None:
    with (home / "metadata.db").open("r+b") as file:
        file.write(b"garbage in the place of the header")


def store_of_a_newer_format(home: Path) -> None:
    (home / "format").write_text("3\n")


def store_that_cannot_be_written(home: Path) -> None:
    subprocess.run(["chmod", "-R", "a-w", home], check=True)


# --------------------------------------------------------------------------------------------------
# the runs

RUNNING = (
    upload_to_a_full_disk, insert_to_a_full_disk, overwrite_on_a_full_disk, metadata_on_a_full_disk,
    training_data_on_a_full_disk, model_on_a_full_disk, files_that_cannot_be_written,
)  # fmt: skip
DAMAGED = (
    log_without_a_commit,
    log_with_a_damaged_commit,
    log_with_a_foreign_commit,
    table_without_a_file,
    half_a_model,
)
UNUSABLE = (
    metadata_without_an_end,
    metadata_that_is_none,
    store_of_a_newer_format,
    store_that_cannot_be_written,
)


def while_running(home: Path, fault: Any) -> dict[str, Any]:
    with running(home) as project:
        said = fault(project, home)
        all_else_works(project)
    return {"said": [said]}


def damaged(home: Path, fault: Any) -> dict[str, Any]:
    fault(home)
    before = contents(home)
    with running(home) as project:
        if fault is half_a_model:
            save = project.get_model_registry().python.create_model("model", version=2).save
            with here("second"):
                said = [told(lambda: save("file.txt"))]
            assert project.get_model_registry().get_model("model", 2) is None
        else:
            said = [told(lambda: full(project).read()), told(lambda: full(project).insert(rows(9)))]
        all_else_works(project)
    lost = {
        name for name, content in contents(home).items() if before.get(name, content) != content
    }
    return {"said": said, "lost": sorted(lost | set(before) - set(contents(home)))}


def unusable(home: Path, fault: Any) -> dict[str, Any]:
    fault(home)
    before = contents(home)

    def use() -> str:
        with (
            as_nobody() if fault is store_that_cannot_be_written else contextlib.nullcontext(),
            running(home) as project,
        ):
            return told(lambda: full(project).read())

    said = told(use)
    return {
        "said": [said],
        "lost": sorted(
            name for name, content in contents(home).items() if before.get(name) != content
        ),
    }


def contents(home: Path) -> dict[str, str]:
    """Every file but SQLite's helpers; what the log of a table gains is no loss."""
    return {
        str(path.relative_to(home)): path.read_bytes().hex()[:10_000]
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith(("metadata.db", "port", "lock"))
    }


def main(work: Path, names: list[str]) -> None:
    template, report = work / "template", work / "report.json"
    furnished.log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def make() -> None:
        with running(template) as project:
            furnished.furnish(project)

    def seen(home: Path) -> dict[str, Any]:
        assert forked(lambda: state(home, None), report=report) == 0, (
            f"the state of {home} cannot be read"
        )
        return json.loads(report.read_text())

    assert forked(make) == 0, "the store could not be furnished"
    before = seen(template)
    for name in names:
        fault = globals()[name]
        home = work / name
        shutil.copytree(template, home)
        report.write_text("{}")
        try_it = while_running if fault in RUNNING else damaged if fault in DAMAGED else unusable

        def strike(home: Path = home, fault: Any = fault, try_it: Any = try_it) -> dict[str, Any]:
            return try_it(home, fault)

        ended = forked(strike, report=report)
        result = {"fault": name, "ended": ended, **json.loads(report.read_text())}
        subprocess.run(["chmod", "-R", "u+w", home], check=True)
        if fault in RUNNING and ended == 0:
            now = seen(home)
            result["lost"] = [] if now == before else [furnished.difference(now, before)]
        print(json.dumps(result), flush=True)
        shutil.rmtree(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
