"""What the benchmarks do with rows: make them, and write and read them without Hopsworks or through
its SDK."""

import statistics
import time

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

START = pd.Timestamp("2024-01-01")  # one row a second from here
COLUMNS = [f"x{i}" for i in range(4)]
DUCKDB = duckdb.connect()  # one for all, as our server has it


def frame(start, rows):
    random = np.random.default_rng(start)
    times = (START + pd.to_timedelta(np.arange(start, start + rows), "s")).astype("datetime64[us]")
    values = {name: random.integers(0, 2**40, rows) for name in COLUMNS}
    return pd.DataFrame({"id": np.arange(start, start + rows), "event_time": times, **values})


def arrow(data):
    return pa.Table.from_pandas(data, preserve_index=False)


def write(folder, data, **options):
    changes = {"delta.enableChangeDataFeed": "true"}  # as the SDK has it, for time travel
    write_deltalake(str(folder), arrow(data), configuration=changes, **options)


def merge(folder, data, on="new.id = old.id"):
    table = DeltaTable(str(folder))
    merger = table.merge(arrow(data), on, source_alias="new", target_alias="old")
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def directly(folder, sql="SELECT * FROM rows", **more):
    """Rows of a Delta table through DuckDB, as pandas has them."""
    with DUCKDB.cursor() as connection:
        connection.execute("SET asof_loop_join_threshold = 0")  # see local_hopsworks/offline/run.py
        for name, location in {"rows": folder, **more}.items():
            connection.register(name, DeltaTable(str(location)).to_pyarrow_dataset())
        return connection.sql(sql).to_arrow_table().to_pandas()


def through_the_sdk(query):
    with query.read_batches() as batches:
        return pa.Table.from_batches(batches).to_pandas()


def median_of(function, rounds=3):
    """Seconds."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
