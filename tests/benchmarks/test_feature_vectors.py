"""Feature vectors by key: ours over SQL and over REST beside Feast's SQLite online store, one
program and ten at once, each a process of its own. And what the SDK itself computes for a vector,
which a server that answers at once would leave."""

import json
import statistics
import sys
from pathlib import Path

import pytest

from tests.benchmarks.programs.vector_client import ROWS
from tests.benchmarks.work import COLUMNS, frame
from tests.processes import at_once

CLIENT = Path(__file__).parent / "programs" / "vector_client.py"
CALLS = {1: 300, 100: 50}  # by the number of vectors that each asks for


def measured(python, how, vectors, clients, env):
    """Sorted ms of all calls of so many programs at once, and the ms of CPU of a program's call."""
    command = [python, CLIENT, how, vectors, CALLS[vectors]]
    done = at_once([command] * clients, env, timeout=300)
    found = [json.loads(one.stdout.split("MEASURED")[1]) for one in done]
    cpu = statistics.mean(one["cpu"] for one in found)
    return sorted(call for one in found for call in one["calls"]), cpu


@pytest.mark.timeout(1800)
def test_feature_vectors(feature_store, server, peer, report, environment, tmp_path):
    data = frame(0, ROWS)
    data.to_parquet(tmp_path / "data.parquet")
    peer("feast_online", tmp_path, ROWS)
    group = feature_store.create_feature_group(
        "bench_vectors", 1, primary_key=["id"], online_enabled=True, statistics_config=False
    )
    group.insert(data, storage="online", write_options={"wait_for_online_ingestion": True})
    feature_store.create_feature_view("bench_vectors", group.select(COLUMNS), 1)

    ours_env = {**environment, **server.environment}
    for clients in (1, 10):
        for vectors in CALLS:
            theirs, _ = measured(peer.python, tmp_path, vectors, clients, peer.environment)
            for how in ("sql", "rest"):
                ours, cpu = measured(sys.executable, how, vectors, clients, ours_env)
                if clients == 1:
                    work = f"{vectors} vector(s) over {how.upper()}, the SDK's own CPU"
                    report(work, None, cpu, "all of Feast, p50", statistics.median(theirs), "ms")
                for name, of in (("p50", statistics.median), ("p99", percentile_99)):
                    work = f"{vectors} vector(s) over {how.upper()}, {clients} program(s), {name}"
                    report(work, None, of(ours), "Feast", of(theirs), "ms")


def percentile_99(values):
    """Of sorted values."""
    return values[int(len(values) * 0.99)]
