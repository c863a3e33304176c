"""What the server itself costs: at the start and in memory."""

import statistics
import subprocess
import sys
from pathlib import Path

LOGIN_COST = Path(__file__).parent / "programs" / "login_cost.py"


def test_start_and_memory(server, environment, report, tmp_path):
    """Of `local_hopsworks.login()` over a login at a server of another process, in fresh
    processes."""

    def measure(where, env):
        done = subprocess.run(
            [sys.executable, LOGIN_COST, where],
            env={**environment, **env}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return [float(number) for number in done.stdout.split("MEASURED")[1].split()]

    embedded = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    first = measure("embedded", embedded)
    pairs = [
        (measure("embedded", embedded), measure("elsewhere", server.environment)) for _ in range(5)
    ]
    ours, theirs = (
        [statistics.median(column) for column in zip(*side, strict=True)]
        for side in zip(*pairs, strict=True)
    )
    report("login()", None, ours[0], "a server elsewhere", theirs[0])
    report("login()", None, ours[0], "import hopsworks", ours[1])
    report("login(), with a new store", None, first[0], "a server elsewhere", theirs[0])
    report("memory after login()", None, ours[2], "a server elsewhere", theirs[2], "MiB")
