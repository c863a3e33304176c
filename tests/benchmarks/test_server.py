"""What the server itself costs: at the start, in memory, and per REST call as its store grows."""

import http.client
import ssl
import statistics
import subprocess
import sys
import textwrap
import time
from contextlib import closing

import pandas as pd
import pytest
from deltalake import write_deltalake

GROUPS, COMMITS, CALLS = 1000, 10_000, 300
START = """
import os, sys, time
import hopsworks
start, cpu = time.perf_counter(), time.process_time()
{login}
took, cpu = time.perf_counter() - start, time.process_time() - cpu
project.get_feature_store()
resident = [line for line in open("/proc/self/status") if line.startswith("VmRSS")]
print("MEASURED", took, cpu, int(resident[0].split()[1]) / 1024 if resident else 0)
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
    report("login(), with a new store", None, first[0], "a server elsewhere", theirs[0])
    report("memory after login()", None, ours[2], "a server elsewhere", theirs[2], "MiB")


@pytest.mark.timeout(1800)
def test_rest_calls_as_the_store_grows(server, feature_store, api, report):
    """The calls themselves go through the standard library's client, which takes the least of their
    time."""
    group = feature_store.get_or_create_feature_group("bench_calls", 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [0]}))
    store = "/project/1/featurestores/1"
    one = f"{store}/featuregroups/{group.id}"
    paths = {
        "one feature group": one,
        "statistics of its last commit": f"{one}/statistics?fields=content",
        "a file's metadata": "/project/1/dataset/Resources?action=stat",
    }

    trusted = ssl.create_default_context(cafile=str(server.store.security / "ca.pem"))
    key = {"Authorization": f"ApiKey {server.api_key}"}

    def medians():
        found = {}
        with closing(
            http.client.HTTPSConnection(server.host, server.port, context=trusted)
        ) as connection:
            for what, path in paths.items():
                seconds = []
                for _ in range(CALLS):
                    start = time.perf_counter()
                    connection.request("GET", f"/hopsworks-api/api{path}", headers=key)
                    answer = connection.getresponse()
                    assert answer.read() and answer.status == 200
                    seconds.append(time.perf_counter() - start)
                found[what] = statistics.median(seconds) * 1000
        return found

    before = medians()
    like = api("GET", paths["one feature group"]).json()
    for number in range(GROUPS):
        body = {**like, "name": f"bench_many_{number}", "id": None, "location": None}
        assert api("POST", "/project/1/featurestores/1/featuregroups", json=body).ok
    for number in range(COMMITS):
        rows = pd.DataFrame({"id": [number]})
        if number % 32:  # the SDK's own inserts, of which the server learns, would take an hour
            write_deltalake(group.location, rows, mode="append")
        else:
            group.insert(rows, operation="insert")
    after = medians()
    for what in paths:
        report(
            f"REST, {GROUPS:,} feature groups: {what}",
            COMMITS,
            after[what],
            "a new store",
            before[what],
            "ms",
        )
