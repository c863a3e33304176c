"""Prints what a program is told that reads a vector, over SQL and over REST, from an online store
that has broken since the server started. The store is that of online_killed.py."""

import contextlib
import os
import sqlite3
from pathlib import Path

from local_hopsworks import login

feature_store = login().get_feature_store()
group = feature_store.get_feature_group("prices", 1)
view = feature_store.create_feature_view("prices", group.select_all(), 1)
view.init_serving(init_sql_client=True, init_rest_client=True, default_client="sql")
file = Path(os.environ["LOCAL_HOPSWORKS_HOME"], "online", "local.db")
with contextlib.closing(sqlite3.connect(file)) as db:
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # everything is in the file itself
file.write_bytes(b"garbage" * 1000)
for client in ("force_sql_client", "force_rest_client"):
    try:
        view.get_feature_vector({"id": 1}, **{client: True})
    except Exception as error:
        print("TOLD", str(error).replace("\n", " "))
