"""A million rows through the SDK and the embedded server, beside the same Delta write or DuckDB read done directly.

    pytest tests/benchmarks --benchmark-only

Prints ratios (ours / bare, the medians of runs that took turns) and asserts none. Every `read()` of the SDK lasts a
multiple of 0.5 s, because it waits for the thread that draws its loading animation; the same stream without that
animation is `read_batches()`, and it is what the ratio of a read is about. Both are printed.
"""

import os
import statistics
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

ROWS = 1_000_000
ROUNDS = 3
COLUMNS = [f"x{i}" for i in range(5)]


def frame(start, seed):
    random = np.random.default_rng(seed)
    data = {"id": np.arange(start, start + ROWS), **{name: random.integers(0, 2**40, ROWS) for name in COLUMNS}}
    return pd.DataFrame(data)


@pytest.fixture
def compare(benchmark, capsys):
    """Time ours and bare in turns and print the ratios of the medians: of wall time, and of CPU time (client and server
    are this one process), which other programs on the machine disturb less."""

    def run(title, ours, bare, rounds=ROUNDS):
        measured = {ours: [], bare: []}

        def measure(function):
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            measured[function].append((time.perf_counter() - wall, time.process_time() - cpu))

        benchmark.pedantic(measure, args=(ours,), setup=lambda: measure(bare), rounds=rounds)
        a, b = ([statistics.median(column) for column in zip(*measured[side], strict=True)] for side in (ours, bare))
        with capsys.disabled():
            print(f"\n{title:45} ours {a[0]:5.2f} s, bare {b[0]:5.2f} s", end="")
            print(f"   ratio {a[0] / b[0]:4.2f} of wall time, {a[1] / b[1]:4.2f} of CPU time")

    return run


@pytest.fixture
def group(feature_store, name):
    return feature_store.get_or_create_feature_group(
        name=name, version=1, primary_key=["id"], statistics_config=False, time_travel_format="DELTA"
    )


@pytest.fixture
def bare(tmp_path):
    """The folder of a Delta table of our own."""
    return str(tmp_path / "bare")


def write(folder, data, **options):
    from deltalake import write_deltalake

    changes = {"delta.enableChangeDataFeed": "true"}  # as the SDK has it, for time travel
    write_deltalake(folder, pa.Table.from_pandas(data, preserve_index=False), configuration=changes, **options)


def merge(folder, data):
    from deltalake import DeltaTable

    source = pa.Table.from_pandas(data, preserve_index=False)
    (
        DeltaTable(folder)
        .merge(source, "new.id = old.id", source_alias="new", target_alias="old")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )


def test_create(feature_store, name, tmp_path, compare):
    data, numbers = frame(0, 0), iter(range(2 * ROUNDS))

    def ours():
        feature_store.get_or_create_feature_group(
            name=f"{name}_{next(numbers)}", version=1, primary_key=["id"], statistics_config=False
        ).insert(data)

    compare("insert 1e6 rows (create)", ours, lambda: write(str(tmp_path / str(next(numbers))), data))


def test_append(group, bare, compare):
    group.insert(frame(0, 0))
    write(bare, frame(0, 0))
    data = frame(ROWS, 1)
    compare(
        "insert 1e6 rows (append)",
        lambda: group.insert(data, operation="insert"),
        lambda: write(bare, data, mode="append"),
    )


def test_upsert(group, bare, compare):
    group.insert(frame(0, 0))
    write(bare, frame(0, 0))
    data = frame(ROWS // 2, 1)
    compare("upsert 1e6 rows (half of them new)", lambda: group.insert(data), lambda: merge(bare, data))


@pytest.fixture
def bare_read(group):
    import duckdb
    from deltalake import DeltaTable

    group.insert(frame(0, 0))

    def read():
        with duckdb.connect() as connection:
            connection.register("rows", DeltaTable(group.location).to_pyarrow_dataset())
            assert len(connection.sql("SELECT * FROM rows").to_arrow_table().to_pandas()) == ROWS

    read()  # the first is slower
    return read


def test_read_without_animation(group, bare_read, compare):
    def ours():
        with group.select_all().read_batches() as batches:
            assert len(pa.Table.from_batches(batches).to_pandas()) == ROWS

    ours()
    compare("read 1e6 rows (without the SDK's animation)", ours, bare_read, rounds=9)


def test_read(group, bare_read, compare):
    compare("read 1e6 rows (as read() lasts)", lambda: group.read(), bare_read)


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
REMOTE = "project = hopsworks.login()"


def test_start_and_memory(server, environment, benchmark, capsys, tmp_path):
    """Of `local_hopsworks.login()` over a login at a server of another process, in fresh processes."""

    def measure(login, env):
        done = subprocess.run(
            [sys.executable, "-c", START.format(login=textwrap.dedent(login))],
            env={**environment, **env}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return [float(number) for number in done.stdout.split("MEASURED")[1].split()]

    embedded = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
    first = measure(EMBEDDED, embedded)  # compiles bytecode, too
    remote = []
    ours = []
    benchmark.pedantic(
        lambda: ours.append(measure(EMBEDDED, embedded)),
        setup=lambda: remote.append(measure(REMOTE, server.environment)),
        rounds=ROUNDS + 2,
    )
    a, b = ([statistics.median(column) for column in zip(*side, strict=True)] for side in (ours, remote))
    with capsys.disabled():
        print(f"\nlogin(): embedded {a[0]:.2f} s (CPU {a[1]:.2f} s; with a new store {first[0]:.2f} s)", end="")
        print(f", at another process {b[0]:.2f} s (CPU {b[1]:.2f} s)")
        print(f"idle memory: embedded {a[2]:.0f} MiB, at another process {b[2]:.0f} MiB: {a[2] - b[2]:+.0f}")
        print(f"({os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f})")
