"""Writes online, says where its Kafka endpoint is, and ends: online_ends.py killed|well."""

import json
import os
import signal
import sys
from pathlib import Path

import pandas as pd

from local_hopsworks import login

store = login().get_feature_store()
group = store.get_or_create_feature_group("g", version=1, primary_key=["id"], online_enabled=True)
group.insert(pd.DataFrame({"id": [1]}), write_options={"wait_for_online_ingestion": True})

from hsfs.core.storage_connector_api import StorageConnectorApi  # noqa: E402

connector = StorageConnectorApi()._get_kafka_connector(store.id)
files = [str(path) for path in Path("/tmp").glob(f"kafka_sc_*_{connector.id}_*.pem")]
print(json.dumps({"address": connector.bootstrap_servers, "files": files}), flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
