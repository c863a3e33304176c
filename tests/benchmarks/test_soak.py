"""Two thousand small inserts into one feature group, and a read after each: what they cost as there
are more.

    make soak

Prints and asserts no time. Beside wall and CPU time of an insert: that of the read, open files, and
resident memory. The SDK itself reads the table's whole log after every insert, which stays short
because its older part is archived.
"""

import json
import subprocess
import sys

import pytest

SOAK = """
import json, os, statistics, sys, time
import pandas as pd
from local_hopsworks import login

inserts, step = int(sys.argv[1]), int(sys.argv[2])
group = login().get_feature_store().create_feature_group("soak", 1, primary_key=["id"])
measured, inserted, history, reads = [], [], [], []

from hsfs.core.delta_engine import DeltaEngine
ask = DeltaEngine._get_last_commit_metadata
def timed(*arguments, **options):
    begun = time.process_time()
    try:
        return ask(*arguments, **options)
    finally:
        history.append(time.process_time() - begun)
DeltaEngine._get_last_commit_metadata = staticmethod(timed)

for number in range(inserts):
    rows = pd.DataFrame({"id": range(number * 10, number * 10 + 10), "x": 0.5})
    wall, cpu = time.perf_counter(), time.process_time()
    group.insert(rows)
    inserted.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall = time.perf_counter()
    # read() would show its animation for half a second
    with group.select_all().read_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == number * 10 + 10
    reads.append(time.perf_counter() - wall)
    if number % step == step - 1:
        wall, cpu = (statistics.median(column) for column in zip(*inserted))
        pages = int(open("/proc/self/statm").read().split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        files = len(os.listdir("/proc/self/fd"))
        told = statistics.median(history[-step:])
        measured.append([number + 1, wall, cpu, told, statistics.median(reads), files, memory])
        inserted, reads = [], []
print("MEASURED" + json.dumps(measured))
"""


@pytest.mark.timeout(3600)
def test_two_thousand_small_inserts(environment, tmp_path, capsys):
    env = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    command = [sys.executable, "-c", SOAK, "2000", "200"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=3500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    measured = json.loads(done.stdout.split("MEASURED")[1])
    with capsys.disabled():
        print(
            "\ninserts | an insert, s | its CPU, s | of that the SDK's look at the history "
            "| a read, s | files | MiB"
        )
        for number, wall, cpu, told, read, files, memory in measured:
            print(
                f"{number:7} | {wall:12.3f} | {cpu:10.3f} | {told:37.3f} "
                f"| {read:9.3f} | {files:5} | {memory:.0f}"
            )
        wall, cpu = (measured[-1][column] / measured[0][column] for column in (1, 2))
        rest = (measured[-1][2] - measured[-1][3]) / (measured[0][2] - measured[0][3])
        print(
            f"last to first: {wall:.2f} times the time, {cpu:.2f} times the CPU, "
            f"{rest:.2f} without the SDK's look"
        )
