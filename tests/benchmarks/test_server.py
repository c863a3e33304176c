"""What the server itself costs: at the start and in memory."""

import statistics
import subprocess
import sys
import textwrap

START = """
import os, sys, time
start = time.perf_counter()
import hopsworks
imported = time.perf_counter() - start
start = time.perf_counter()
{login}
took = time.perf_counter() - start
project.get_feature_store()
resident = [line for line in open("/proc/self/status") if line.startswith("VmRSS")]
print("MEASURED", took, imported, int(resident[0].split()[1]) / 1024 if resident else 0)
sys.stdout.flush(); os._exit(0)
"""
EMBEDDED = "import local_hopsworks; project = local_hopsworks.login()"
ELSEWHERE = "project = hopsworks.login()"


def test_start_and_memory(server, environment, report, tmp_path):
    """Of `local_hopsworks.login()` over a login at a server of another process, in fresh
    processes."""

    def measure(login, env):
        done = subprocess.run(
            [sys.executable, "-c", START.format(login=textwrap.dedent(login))],
            env={**environment, **env}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return [float(number) for number in done.stdout.split("MEASURED")[1].split()]

    embedded = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    first = measure(EMBEDDED, embedded)
    pairs = [
        (measure(EMBEDDED, embedded), measure(ELSEWHERE, server.environment)) for _ in range(5)
    ]
    ours, theirs = (
        [statistics.median(column) for column in zip(*side, strict=True)]
        for side in zip(*pairs, strict=True)
    )
    report("login()", None, ours[0], "a server elsewhere", theirs[0])
    report("login()", None, ours[0], "import hopsworks", ours[1])
    report("login(), with a new store", None, first[0], "a server elsewhere", theirs[0])
    report("memory after login()", None, ours[2], "a server elsewhere", theirs[2], "MiB")
