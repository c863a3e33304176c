"""The backfill of a large synthetic CSV, in a fresh process and store, beside `pandas.read_csv` and
a bare Delta write.

    BENCH_SIZES="1e5 1e6 1e7" pytest tests/benchmarks/test_feature_pipeline.py -o
    addopts=--import-mode=importlib -s

Ours is the whole process, with imports and login; the other is only reading and writing, in
processes of their own. On a busy machine the seconds of CPU tell more than those of the clock.
Memory is the peak beyond that of a backfill of the 891, as a ratio to the frame that `read_csv`
makes. Two backfills may run at once, so the script must upsert: the same merge done bare shows how
much of all this is delta-rs.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
CSV = ROOT / "data" / "titanic.csv"
BARE = """
import json, sys, time
import pandas as pd
from tests.benchmarks.work import directly, merge, write

source, stored, folder, what = sys.argv[1:]
rows = directly(stored) if what != "read" else None
if what == "merge":
    write(folder, rows.head(0))
start, cpu = time.perf_counter(), time.process_time()
if what == "read":
    frame = pd.read_csv(source, engine="pyarrow")
elif what == "write":
    write(folder, rows)
else:
    merge(folder, rows, "new.passenger_id = old.passenger_id AND new.event_time = old.event_time")
seconds = [time.perf_counter() - start, time.process_time() - cpu]
print(json.dumps([*seconds, int((frame if rows is None else rows).memory_usage(deep=True).sum())]))
"""


def write_csv(path, size):
    """Passengers drawn from the real ones, with all their columns."""
    header, *lines = CSV.read_text().splitlines()
    people = [line.split(",", 1)[1] for line in lines]
    with path.open("w") as file:
        file.write(header + "\n")
        random = np.random.default_rng(size)
        file.writelines(
            f"{number},{people[random.integers(len(people))]}\n" for number in range(1, size + 1)
        )


# The peak that the system tells of a child is at least what its parent had, so the child tells its
# own
TOLD = """
import runpy, sys

del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
print("PEAK", next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def process(environment, *command):
    """What it printed, its seconds, and those of CPU."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as running:
        said = running.stdout.read().decode()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, said
    return said, time.perf_counter() - start, usage.ru_utime + usage.ru_stime


@pytest.fixture(scope="module")
def backfill(environment, tmp_path_factory):
    """Of a CSV into a fresh store: what it printed, where its table is, its seconds, those of CPU,
    its peak memory."""

    def run(source):
        home = tmp_path_factory.mktemp("store")
        toggles = {
            "BACKFILL": "True",
            "TITANIC_CSV": str(source),
            "LOCAL_HOPSWORKS_HOME": str(home),
        }
        said, *seconds = process(
            environment | toggles, "-c", TOLD, ROOT / "titanic_feature_pipeline.py"
        )
        (log,) = home.rglob("_delta_log")
        return said, log.parent, *seconds, int(said.split("PEAK")[1]) * 1024

    return run


@pytest.mark.timeout(3600)
def test_backfill(environment, backfill, size, tmp_path, report):
    write_csv(source := tmp_path / "passengers.csv", size)
    *_, smallest = backfill(CSV)
    ours, bare = [], {"read": [], "write": [], "merge": []}
    for number in range(1 if size > 1e6 else 3):
        said, stored, *figures = backfill(source)
        assert f"{size} passengers in, {size} stored." in said
        ours.append(figures)
        for what, those in bare.items():
            said, *_ = process(
                environment, "-c", BARE, source, stored, tmp_path / f"{what}{number}", what
            )
            those.append(json.loads(said))
    seconds, cpu, peak = np.median(ours, axis=0)
    (read, read_cpu, frame), (write, write_cpu, _), (merge, merge_cpu, _) = (
        np.median(those, axis=0) for those in bare.values()
    )
    report("backfill", size, seconds, "read_csv and bare write", read + write)
    report("backfill, CPU", size, cpu, "read_csv and bare write", read_cpu + write_cpu)
    report("backfill", size, seconds, "read_csv and bare merge", read + merge)
    report("backfill, CPU", size, cpu, "read_csv and bare merge", read_cpu + merge_cpu)
    report(
        "backfill, peak memory over that of 891 rows",
        size,
        (peak - smallest) / 2**20,
        "read_csv's frame",
        frame / 2**20,
        "MiB",
    )
