"""A program that reads taxi trips into pandas; test_field.py starts some at once.

    python taxi_client.py GROUP VERSION ROWS

It says "ready" once it has read a part, waits for a line, and prints the seconds of one read.
"""

import sys
import time

import hopsworks

from tests.benchmarks.work import through_the_sdk

name, version, rows = sys.argv[1:]
group = hopsworks.login().get_feature_store().get_feature_group(name, int(version))
query = group.select_all()
with query.read_batches() as batches:  # what the first read imports is no part of it
    next(iter(batches))
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
read = through_the_sdk(query)
assert len(read) == int(rows)
print("MEASURED", time.perf_counter() - start, flush=True)
