"""Programs at the same moment over one store: `many_programs.py TASK COUNT` runs a task in COUNT
processes.

Each has an embedded Hopsworks of its own. They are forked once everything is imported, before any
thread is started: eight imports would keep two processors busy for half a minute. Prints what each
reports, as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import hsfs.engine.python
import hsml.model
import pandas as pd
from hsfs.core import delta_engine

from local_hopsworks import login, server

# What the SDK would import in each process
PRELOADED = (hsfs.engine.python, hsml.model, delta_engine, server)
KEYS, ROUNDS = 500, 4


def create(project: Any, number: int, ready: Barrier) -> dict[str, Any]:
    """The same feature group, by whoever comes first, and a view and a version of a model that only
    one can make."""
    store, registry = project.get_feature_store(), project.get_model_registry()
    model = registry.python.create_model("raced", version=1, metrics={"maker": number})
    folder = Path(tempfile.mkdtemp())
    (folder / "maker.txt").write_text(str(number))
    ready.wait()
    group = store.get_or_create_feature_group("created", 1, primary_key=["id"])
    errors = []
    for make in (
        lambda: group.save([hsfs.feature.Feature("id", "bigint")]),
        lambda: store.create_feature_view("created", group.select_all(), version=1),
        lambda: model.save(str(folder), keep_original_files=True),
    ):
        try:
            make()
            errors.append(None)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    return {
        "group": group.id,
        "table": errors[0],
        "view": errors[1],
        "model": errors[2],
        "number": number,
    }


def append(project: Any, number: int, ready: Barrier) -> dict[str, Any]:
    """1,250 rows in five inserts, none of them tried twice."""
    group = project.get_feature_store().get_feature_group("appended", 1)
    ready.wait()
    for start in range(number * 1250, number * 1250 + 1250, 250):
        group.insert(pd.DataFrame({"id": range(start, start + 250)}), operation="insert")
    return {}


def upsert(project: Any, number: int, ready: Barrier) -> dict[str, Any]:
    """The same keys with the writer's number in every row: of two at once, one may be told of a
    conflict."""
    group = project.get_feature_store().get_feature_group("upserted", 1)
    ready.wait()
    done, errors = 0, []
    for round_ in range(ROUNDS):
        try:
            group.insert(pd.DataFrame({"id": range(KEYS), "writer": number * 100 + round_}))
            done += 1
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    return {"done": done, "errors": errors}


def upload(project: Any, number: int, ready: Barrier) -> dict[str, Any]:
    """A file of three chunks, all of one letter, to the same place."""
    path = Path(tempfile.mkdtemp(), "raced.txt")
    path.write_text(chr(ord("a") + number) * (25 * 2**20))
    ready.wait()
    try:
        project.get_dataset_api().upload(str(path), "Resources", overwrite=True)
        return {"error": None}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def read_and_write(project: Any, number: int, ready: Barrier) -> dict[str, Any]:
    """Every second program writes, the others look whether all rows are of one write."""
    if number % 2 == 0:
        return upsert(project, number, ready)
    group = project.get_feature_store().get_feature_group("upserted", 1)
    ready.wait()
    seen = []
    for _ in range(ROUNDS):
        rows = group.read()
        seen.append([len(rows), int(rows["id"].nunique()), int(rows["writer"].nunique())])
    return {"seen": seen}


TASKS: dict[str, Callable[[Any, int, Barrier], dict[str, Any]]] = {
    "create": create,
    "append": append,
    "upsert": upsert,
    "upload": upload,
    "read_and_write": read_and_write,
}


def work(task: str, number: int, ready: Barrier, results: Any) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            results.put(TASKS[task](login(), number, ready))
    except BaseException as error:  # whatever it is, the others must not wait for this one
        ready.abort()
        results.put({"failed": f"{type(error).__name__}: {error}"})


def prepare(task: str) -> None:
    """The tables that programs find; in a process of its own, as it starts threads."""
    store = login().get_feature_store()
    if task == "append":
        store.create_feature_group("appended", 1, primary_key=["id"]).save(
            [hsfs.feature.Feature("id", "bigint")]
        )
    if task in ("upsert", "read_and_write"):
        group = store.create_feature_group("upserted", 1, primary_key=["id"])
        group.insert(pd.DataFrame({"id": range(KEYS), "writer": -1}))


def main() -> None:
    task, count = sys.argv[1], int(sys.argv[2])
    context = multiprocessing.get_context("fork")
    first = context.Process(target=prepare, args=(task,))
    first.start()
    first.join()
    ready, results = context.Barrier(count), context.SimpleQueue()
    programs = [
        context.Process(target=work, args=(task, number, ready, results)) for number in range(count)
    ]
    started = time.monotonic()
    for program in programs:
        program.start()
    reports = [results.get() for _ in programs]
    for program in programs:
        program.join()
    print(f"{task} by {count}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    print("REPORTS", json.dumps(reports))


if __name__ == "__main__":
    main()
