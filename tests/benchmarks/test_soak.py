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
from pathlib import Path

import pytest

SMALL_INSERTS = Path(__file__).parent / "programs" / "small_inserts.py"


@pytest.mark.timeout(3600)
def test_two_thousand_small_inserts(environment, tmp_path, capsys):
    env = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    command = [sys.executable, SMALL_INSERTS, "2000", "200"]
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
