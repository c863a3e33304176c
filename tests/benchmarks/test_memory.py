"""Peak memory of reading the largest size, over what the program had before, as a multiple of the
frame's own: embedded (server and client in one program), and bare. Each in a fresh program; Linux
only.

A pandas frame is a copy of Arrow's columns, which the SDK's read() holds until it is made: about 2
is the least. Frames that use Arrow's columns as they are need no copy: pandas' own over Arrow, and
those of polars.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import SIZES
from tests.benchmarks.work import frame, write

MEASURE = """
import os, sys
import local_hopsworks
import pandas as pd
import pyarrow as pa
from tests.benchmarks.work import directly

how, folder = sys.argv[1:]
store = local_hopsworks.login().get_feature_store() if how != "bare" else None

def kibibytes(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))

def read(name):
    if how == "bare":
        return directly(folder + name)
    group = store.get_feature_group(name, 1)
    if how == "to polars":
        return group.read(dataframe_type="polars")
    if how == "to pandas":
        return group.read()
    with group.select_all().read_batches() as batches:
        return pa.Table.from_batches(batches).to_pandas(types_mapper=pd.ArrowDtype)

read("small")  # what the first read imports is no part of it
open("/proc/self/clear_refs", "w").write("5")  # the peak counts from here
before = kibibytes("VmRSS")
rows = read("large")
size = rows.estimated_size() if how == "to polars" else rows.memory_usage(deep=True).sum()
print("MEASURED", (kibibytes("VmHWM") - before) * 1024 / size)
sys.stdout.flush(); os._exit(0)
"""
STORE = """
import sys, local_hopsworks
from tests.benchmarks.work import frame
store = local_hopsworks.login().get_feature_store()
for name, rows in (("small", 10), ("large", int(sys.argv[1]))):
    options = {"primary_key": ["id"], "event_time": "event_time", "statistics_config": False}
    store.create_feature_group(name, 1, **options).insert(frame(0, rows))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
@pytest.mark.timeout(1200)
def test_peak_of_a_read(environment, reach, tmp_path, report):
    size = max(SIZES)

    def run(program, *arguments):
        env = {**environment, **reach("polars"), "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run(STORE, str(size))
    for name, rows in (("small", 10), ("large", size)):
        write(tmp_path / name, frame(0, rows))
    peaks = {
        how: float(run(MEASURE, how, f"{tmp_path}/").split("MEASURED")[1])
        for how in ("bare", "to pandas", "to pandas over Arrow", "to polars")
    }
    for how, peak in list(peaks.items())[1:]:
        report(
            f"peak memory of a read {how}, in frames",
            size,
            peak,
            "bare, to pandas",
            peaks["bare"],
            "×",
        )
