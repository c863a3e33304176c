"""stores_pictures_at_once.py TEXT: when told by a line, stores two files of that text, 8 times."""

import sys
import tempfile
from pathlib import Path

from local_hopsworks import login
from tests.pipelines import load

pipeline = load("batch_inference")
dataset_api = login().get_dataset_api()
with tempfile.TemporaryDirectory() as folder:
    for name in ("monitor.json", "df_recent.png"):
        Path(folder, name).write_text(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(8):
        pipeline.upload(dataset_api, Path(folder))
