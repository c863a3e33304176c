"""A program that does a bit of everything, round after round; test_soak.py starts it below
`local_hopsworks run`, so its parent is the server.

    python mixed_load.py MINUTES

Prints as JSON, for every twelfth of the time: minutes so far; rounds so far; MiB of resident memory
of the server with its other children; open files of the server.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hopsworks
import pandas as pd

ROWS = 1000  # of the feature group, over and over, so that only its history grows
PAUSE = 1  # seconds between two rounds
MEASUREMENTS = 12
ONLINE = {"wait_for_online_ingestion": True}


class Load:
    """What is used, and the work of a round."""

    def __init__(self) -> None:
        self.project = hopsworks.login()
        store = self.project.get_feature_store()
        self.group = store.create_feature_group("mixed", 1, primary_key=["id"], online_enabled=True)
        self.group.insert(self.rows(0, ROWS), write_options=ONLINE)
        self.view = store.create_feature_view("mixed", self.group.select(["id", "x"]), 1)
        self.view.init_serving(1, init_sql_client=True, init_rest_client=True, default_client="sql")

    def rows(self, start: int, count: int) -> pd.DataFrame:
        ids = [number % ROWS for number in range(start, start + count)]
        return pd.DataFrame({"id": ids, "x": 0.5})

    def round(self, number: int) -> None:
        """Write, read, look up, train, and move a file."""
        self.group.insert(self.rows(number * 10, 10), write_options=ONLINE)
        with self.group.select_all().read_batches() as batches:
            assert sum(batch.num_rows for batch in batches) == ROWS
        for key in range(20):
            one = self.view.get_feature_vector({"id": key}, force_rest_client=key % 2 == 0)
            assert one == [key, 0.5]
        hundred = self.view.get_feature_vectors([{"id": key} for key in range(100)])
        assert len(hundred) == 100
        features, _ = self.view.training_data()
        assert len(features) == ROWS
        self.group.compute_statistics()
        self.move_a_file(number)
        assert self.project.get_feature_store().get_feature_groups("mixed")

    def move_a_file(self, number: int) -> None:
        datasets = self.project.get_dataset_api()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "file.bin")
            file.write_bytes(os.urandom(2**20))
            remote = datasets.upload(str(file), "Resources", overwrite=True)
            datasets.download(remote, folder, overwrite=True)
        if number % 5 == 0:
            datasets.remove(remote)


def memory(server: int) -> float:
    """MiB of the server and of its children; not of this program, nor of the one that looks."""
    command = ["ps", "-o", "pid=,ppid=,rss=", "-p", str(server), "--ppid", str(server)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [[int(word) for word in line.split()] for line in found.splitlines()]
    return sum(rss for pid, _, rss in lines if pid != os.getpid()) / 1024


def main() -> None:
    seconds, server, load = float(sys.argv[1]) * 60, os.getppid(), Load()
    start, number = time.monotonic(), 0
    measured: list[list[float]] = []
    while len(measured) <= MEASUREMENTS:
        load.round(number)
        number += 1
        passed = time.monotonic() - start
        if passed >= len(measured) * seconds / MEASUREMENTS:
            files = len(os.listdir(f"/proc/{server}/fd"))
            measured.append([round(passed / 60, 1), number, memory(server), files])
        time.sleep(PAUSE)
    print("MEASURED" + json.dumps(measured))


if __name__ == "__main__":
    main()
