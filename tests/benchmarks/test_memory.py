"""Peak memory of reading the largest size into pandas, over what the program had before, as a multiple of the frame's
own: embedded (server and client in one program), and bare. Each in a fresh program; Linux only.

Arrow's columns and pandas' copy of them are both there at the end, so about 2 is the least with the SDK; what the
server adds is the difference to bare.
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
from tests.benchmarks.work import directly, through_the_sdk

how, folder = sys.argv[1:]
store = local_hopsworks.login().get_feature_store() if how != "bare" else None

def kibibytes(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))

def read(name):
    if how == "bare":
        return directly(folder + name)
    group = store.get_feature_group(name, 1)
    return group.read() if how == "read()" else through_the_sdk(group.select_all())

read("small")  # what the first read imports is no part of it
open("/proc/self/clear_refs", "w").write("5")  # the peak counts from here
before = kibibytes("VmRSS")
rows = read("large")
print("MEASURED", (kibibytes("VmHWM") - before) * 1024 / rows.memory_usage(deep=True).sum())
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
def test_peak_of_a_read(environment, tmp_path, report):
    size = max(SIZES)

    def run(program, *arguments):
        env = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run(STORE, str(size))
    for name, rows in (("small", 10), ("large", size)):
        write(tmp_path / name, frame(0, rows))
    peaks = {
        how: float(run(MEASURE, how, f"{tmp_path}/").split("MEASURED")[1])
        for how in ("bare", "read()", "read_batches()")
    }
    for how in ("read()", "read_batches()"):
        report(f"peak memory of {how}, in frames", size, peaks[how], "bare", peaks["bare"], "×")
