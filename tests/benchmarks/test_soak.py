"""What goes on for long: two thousand small inserts into one feature group with a read after each,
and an hour in which a program does a bit of everything.

    make soak
    SOAK_MINUTES=5 make soak

Prints and asserts no time. Of the inserts: wall and CPU time, that of the read, open files, and
resident memory. The SDK itself reads the table's whole log after every insert, which stays short
because its older part is archived. Of the hour: memory and open files of the server alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))


@pytest.mark.timeout(MINUTES * 60 + 600)
def test_mixed_load(environment, tmp_path, capsys):
    env = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    below = [sys.executable, "-m", "local_hopsworks", "run", "--"]
    command = [*below, sys.executable, PROGRAMS / "mixed_load.py", str(MINUTES)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    measured = json.loads(done.stdout.split("MEASURED")[1].splitlines()[0])
    with capsys.disabled():
        print("\nminutes | rounds of mixed load | MiB of the server | its open files")
        for minutes, rounds, memory, files in measured:
            print(f"{minutes:7} | {rounds:20} | {memory:17.0f} | {files:14}")


@pytest.mark.timeout(3600)
def test_two_thousand_small_inserts(environment, tmp_path, capsys):
    env = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    command = [sys.executable, PROGRAMS / "small_inserts.py", "2000", "200"]
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
