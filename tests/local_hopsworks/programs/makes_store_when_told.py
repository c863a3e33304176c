"""makes_store_when_told.py HOME PROJECT: waits for a line, serves the store, prints its key."""

import sys

from local_hopsworks import Server

home, project = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with Server(home, project=project) as server:
    print(server.api_key)
