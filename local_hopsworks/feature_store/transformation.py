"""Transformation functions of training data in files, in a child process: they are code of a
client, which never runs in the server itself.

The child is a program like a job's, with the key of this Hopsworks in its environment. It has the
SDK fit and apply the functions, just as `training_data()` does in a client's own process; see
transformation_program.py.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

import local_hopsworks
from local_hopsworks import environment, processes
from local_hopsworks.errors import HopsworksError
from local_hopsworks.http.hopsworks import Hopsworks

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger("local_hopsworks")
PROGRAM = "local_hopsworks.feature_store.transformation_program"
LONGEST_SECONDS = 3600  # that the functions of one training dataset may take


class Transformations:
    """The child processes of one Hopsworks; they end with it."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._children: set[processes.Child] = set()

    def run(self, folder: Path, variables: dict[str, str]) -> bool:
        """Run the program in the folder; whether it ended of itself, within LONGEST_SECONDS."""
        command = [sys.executable, "-m", PROGRAM, str(folder)]
        with (folder / "output.txt").open("wb") as output:
            child = processes.start(command, folder, variables, stdout=output, stderr=output)
        self._children.add(child)
        try:
            child.wait(LONGEST_SECONDS)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            processes.end_group(child)
            child.wait()
            self._children.discard(child)

    def stop(self) -> None:
        """End the children; the calls that wait for them fail."""
        for child in list(self._children):
            processes.end_group(child)


def transformed(
    hopsworks: Hopsworks,
    project: sa.Row[Any],
    view: sa.Row[Any],
    dataset: sa.Row[Any],
    tables: dict[str, pa.Table],
) -> dict[str, pa.Table]:
    """The tables (by split, or the only one) after the view's transformation functions, which are
    fitted on the training split. Raises HopsworksError if one of them fails."""
    import pyarrow.parquet as pq

    folder = hopsworks.store.new_draft()
    folder.mkdir(mode=0o700)
    try:
        for number, table in enumerate(tables.values()):
            pq.write_table(table, folder / f"{number}.parquet")
        task = {
            "view": view.name,
            "view_version": view.version,
            "training_version": dataset.version,
            "splits": [split["name"] for split in dataset.document["splits"]],
        }
        (folder / "task.json").write_text(json.dumps(task))
        _run(hopsworks, project.name, f"{view.name} version {view.version}", folder)
        return {
            name: pq.read_table(folder / f"{number}.transformed.parquet")
            for number, name in enumerate(tables)
        }
    finally:
        hopsworks.store.remove(folder)


def _run(hopsworks: Hopsworks, project: str, view: str, folder: Path) -> None:
    package_folder = str(Path(local_hopsworks.__file__).parent.parent)
    paths = [package_folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        **environment.of_child(hopsworks.environment(project)),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    in_time = hopsworks.part(Transformations).run(folder, variables)
    if (folder / "done").exists():
        return
    problem = f"they took longer than {LONGEST_SECONDS} s"
    if in_time:
        written = folder / "problem.txt"
        problem = written.read_text() if written.exists() else "their process was ended"
    output = (folder / "output.txt").read_text(errors="replace")
    _log.warning("The transformation functions of feature view %s failed:\n%s", view, output)
    raise HopsworksError(
        f"The transformation functions of feature view {view} cannot be applied: {problem[:300]}."
    )
