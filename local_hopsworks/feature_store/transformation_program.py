"""Applies the transformation functions of a feature view to training data; transformation.py starts
it.

    python -m local_hopsworks.feature_store.transformation_program FOLDER

FOLDER has task.json and the rows of each split, 0.parquet and so on. It gets 0.transformed.parquet
and so on, and `done`; or problem.txt. The functions are fitted on the training split, and what they
are fitted with is stored with the training dataset, as the SDK does both for training data in
memory.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any


def _end_with(parent: int) -> None:
    """A server that is killed cannot end this process, so it looks itself."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _transform(folder: Path) -> None:
    import hopsworks
    import pyarrow as pa
    import pyarrow.parquet as pq
    from hsfs.core.transformation_function_engine import TransformationFunctionEngine

    task = json.loads((folder / "task.json").read_text())
    feature_store = hopsworks.login().get_feature_store()
    view = feature_store.get_feature_view(task["view"], task["view_version"])
    dataset = view._feature_view_engine._get_training_dataset_metadata(
        view, task["training_version"]
    )
    names = task["splits"] or [""]
    frames: dict[str, Any] = {
        name: pq.read_table(folder / f"{number}.parquet").to_pandas()
        for number, name in enumerate(names)
    }
    rows = frames if task["splits"] else frames[""]
    result = TransformationFunctionEngine._fit_and_transform(dataset, view, rows)
    for number, name in enumerate(names):
        frame = result[name] if task["splits"] else result
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        pq.write_table(table, folder / f"{number}.transformed.parquet")


def main(folder: Path) -> int:
    """Returns the exit status."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        _transform(folder)
    except Exception as error:  # of a client's code, which may raise anything
        traceback.print_exc()
        (folder / "problem.txt").write_text(f"{type(error).__name__}: {error}".rstrip("."))
        return 1
    (folder / "done").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
