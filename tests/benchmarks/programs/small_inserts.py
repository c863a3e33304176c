"""Many small inserts into one feature group, and a read after each; test_soak.py starts it.

    python small_inserts.py INSERTS STEP

Prints as JSON, for every STEP inserts: their number so far; medians in seconds of an insert, its
CPU, the SDK's look at the history in it, and a read; open files; MiB of resident memory.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import pandas as pd
from hsfs.core.delta_engine import DeltaEngine

from local_hopsworks import login

look_at_history = DeltaEngine._get_last_commit_metadata
history_seconds: list[float] = []


def timed_look(*arguments, **options):
    begun = time.process_time()
    try:
        return look_at_history(*arguments, **options)
    finally:
        history_seconds.append(time.process_time() - begun)


def insert(group, number):
    """Insert the ten rows of this number: seconds, and seconds of CPU."""
    rows = pd.DataFrame({"id": range(number * 10, number * 10 + 10), "x": 0.5})
    wall, cpu = time.perf_counter(), time.process_time()
    group.insert(rows)
    return time.perf_counter() - wall, time.process_time() - cpu


def read(group, expected):
    """Read the group's rows: seconds. Its read() would show an animation for half a second."""
    begun = time.perf_counter()
    with group.select_all().read_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == expected
    return time.perf_counter() - begun


def resources():
    """Open files, and MiB of resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return [len(os.listdir("/proc/self/fd")), memory]


def main():
    inserts, step = int(sys.argv[1]), int(sys.argv[2])
    DeltaEngine._get_last_commit_metadata = staticmethod(timed_look)
    group = login().get_feature_store().create_feature_group("soak", 1, primary_key=["id"])
    measured, walls, cpus, reads = [], [], [], []
    for number in range(inserts):
        wall, cpu = insert(group, number)
        walls.append(wall)
        cpus.append(cpu)
        reads.append(read(group, number * 10 + 10))
        if len(walls) == step:
            columns = (walls, cpus, history_seconds[-step:], reads)
            medians = [statistics.median(column) for column in columns]
            measured.append([number + 1, *medians, *resources()])
            walls, cpus, reads = [], [], []
    print("MEASURED" + json.dumps(measured))


if __name__ == "__main__":
    main()
