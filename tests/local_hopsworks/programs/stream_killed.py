"""Inserts into a stream group and is killed while the job begins; then another program waits for
the rows: stream_killed.py write|read."""

import os
import signal
import sys
import time

import pandas as pd

from local_hopsworks import login

store = login().get_feature_store()
if sys.argv[1] == "write":
    group = store.get_or_create_feature_group("s", version=1, primary_key=["id"], stream=True)
    group.insert(pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0]}))
    os.kill(os.getpid(), signal.SIGKILL)
group = store.get_feature_group("s", version=1)
for _ in range(400):
    last = group.materialization_job.get_executions()[0]
    if last.final_status == "SUCCEEDED":
        break
    time.sleep(0.3)
assert len(group.read()) == 2
