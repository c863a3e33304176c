"""A project with some of everything, made by the SDK, for tests of pages and of the search."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.processes import wait

SCRIPT = "<script>alert('bikes & rides')</script>"
STATIONS = ["Kungsholmen", "Södermalm", "Vasastan", "Östermalm"]
RIDES = 400
RMSE = (5.25, 4.75, 4.5)  # of the versions of the model
R2 = (0.5, 0.625, 0.5625)


@dataclass(frozen=True)
class Furnished:
    """What was made, and where its pages are."""

    name: str  # of the feature group, the feature view and the model; the stem of all others
    rides: pd.DataFrame
    paths: dict[str, str]  # by what is there

    @property
    def folder(self) -> str:
        """The folder of the files, inside the project."""
        return f"Resources/{self.name}"


def rides(count: int) -> pd.DataFrame:
    """Bike rides: numbers, text, gaps, truth values and times, the same on every run."""
    random = np.random.default_rng(1)
    seconds = np.sort(random.integers(0, 300 * 86_400, count))
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(seconds, unit="s")
    return pd.DataFrame(
        {
            "ride_id": np.arange(1, count + 1),
            "minutes": np.round(random.gamma(2, 8, count), 2),
            "station": random.choice(STATIONS, count),
            "is_member": random.random(count) < 0.7,
            "note": [None if number % 4 else f"note {number}" for number in range(count)],
            "at": times.astype("datetime64[us]"),
        }
    )


def furnish(project: Any, name: str, folder: Path) -> Furnished:
    """Make a little of everything in a project. Everything that people write is a script."""
    store = project.get_feature_store()
    frame = rides(RIDES)
    group = store.create_feature_group(
        name,
        1,
        description=f"Rides of data/{name}.csv, {SCRIPT}",
        primary_key=["ride_id"],
        event_time="at",
    )
    group.insert(frame)
    group.insert(frame.head(1).assign(minutes=99.0))
    group.update_feature_description("minutes", SCRIPT)
    group.add_tag("owner", {"team": SCRIPT})
    group.set_keywords(["mobility"])
    docks = store.create_feature_group(
        f"{name}_docks", 1, description="Where bikes stand", primary_key=["station"]
    )
    docks.insert(pd.DataFrame({"station": STATIONS, "docks": [30, 42, 18, 25]}))
    query = group.select(["minutes", "is_member"]).join(docks.select(["docks"]), on=["station"])
    view = store.create_feature_view(
        name, query, description=f"Rides with docks, {SCRIPT}", version=1, labels=["minutes"]
    )
    view.create_train_test_split(test_size=0.25, data_format="csv", seed=1)
    project.get_dataset_api().mkdir(f"Models/{name}")
    models = [
        _model(project, name, version, view, {"rmse": rmse, "r2": r2})
        for version, (rmse, r2) in enumerate(zip(RMSE, R2, strict=True), 1)
    ]
    files_of_model = _files_of_model(folder / "model")
    with ThreadPoolExecutor(len(models)) as pool:  # each save sleeps for 5 s
        list(pool.map(lambda model: model.save(files_of_model, keep_original_files=True), models))
    job = _run_job(project, name, folder)
    files = _upload(project, name, folder)
    wait(lambda: job.get_executions()[0].success is not None)
    start = f"/p/{project.id}"
    paths = {
        "project": start,
        "feature group": f"{start}/fs/{project.id}/fg/{group.id}",
        "feature view": f"{start}/fs/{project.id}/fv/{name}/version/1",
        "model": f"{start}/models/{name}/2",
        "versions": f"{start}/models/{name}",
        "job": f"{start}/jobs/named/{job.name}",
        "folder": f"{start}/files/Resources/{name}",
        **{kind: f"{start}/files/Resources/{name}/{file}" for kind, file in files.items()},
    }
    return Furnished(name, frame, paths)


def _model(project: Any, name: str, version: int, view: Any, metrics: dict[str, float]) -> Any:
    return project.get_model_registry().python.create_model(
        name,
        version=version,
        metrics=metrics,
        description=f"How long a ride takes, {SCRIPT}",
        feature_view=view,
        training_dataset_version=1,
        input_example=[True, 30],
    )


def _files_of_model(folder: Path) -> str:
    folder.mkdir()
    (folder / "curve.png").write_bytes(picture())
    (folder / "model.bin").write_bytes(bytes(range(256)) * 10)
    return str(folder)


def _run_job(project: Any, name: str, folder: Path) -> Any:
    script = folder / f"{name}.py"
    script.write_text("import sys\nprint('counting', sys.argv[1])\nsys.exit('no rides')\n")
    project.get_dataset_api().upload(str(script), "Resources")
    jobs = project.get_job_api()
    config = jobs.get_configuration("PYTHON")
    job = jobs.create_job(f"{name}_count", {**config, "appPath": f"Resources/{script.name}"})
    job.run(args=SCRIPT.replace("'", ""), await_termination=False)
    return job


def _upload(project: Any, name: str, folder: Path) -> dict[str, str]:
    """Files of each kind that there is a preview of; their names by their kinds."""
    files = {
        "picture": ("wheel.png", picture()),
        "json": ("plan.json", b'{"stations": [{"name": "<b>Vasastan</b>"}]}'),
        "text": ("notes.txt", f"{SCRIPT}\n".encode() * 10),
        "csv": ("rides.csv", rides(120).to_csv(index=False).encode()),
        "parquet": ("rides.parquet", _parquet(rides(2500))),
        "binary": ("wheel.bin", bytes(range(256))),
    }
    datasets = project.get_dataset_api()
    datasets.mkdir(f"Resources/{name}")
    for file, content in files.values():
        (folder / file).write_bytes(content)
        datasets.upload(str(folder / file), f"Resources/{name}")
    return {kind: file for kind, (file, _) in files.items()}


def _parquet(frame: pd.DataFrame) -> bytes:
    """With several row groups."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame), file, row_group_size=1000)
    return file.getvalue()


def picture() -> bytes:
    """A PNG of two by two points."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)
    points = zlib.compress(b"\0\x20\xa0\0\xa0\x20")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", points) + chunk(b"IEND", b"")
    )
