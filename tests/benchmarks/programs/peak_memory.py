"""How much memory reading the feature group `large` needs at most; test_memory.py starts it.

    python peak_memory.py bare|"to pandas"|"to pandas over Arrow"|"to polars" FOLDER

It prints the peak over what there was before, in frames: as a multiple of what is read. A bare
read is of the Delta tables `small` and `large` in the folder. Linux only.
"""

import os
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa

import local_hopsworks
from tests.benchmarks.work import directly

how, folder = sys.argv[1], Path(sys.argv[2])
store = None if how == "bare" else local_hopsworks.login().get_feature_store()


def kibibytes(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def read(name):
    if store is None:
        return directly(folder / name)
    group = store.get_feature_group(name, 1)
    if how == "to polars":
        return group.read(dataframe_type="polars")
    if how == "to pandas":
        return group.read()
    with group.select_all().read_batches() as batches:
        return pa.Table.from_batches(batches).to_pandas(types_mapper=pd.ArrowDtype)


read("small")  # what the first read imports is no part of it
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = kibibytes("VmRSS")
rows = read("large")
size = rows.estimated_size() if how == "to polars" else rows.memory_usage(deep=True).sum()
print("MEASURED", (kibibytes("VmHWM") - before) * 1024 / size, flush=True)
os._exit(0)
