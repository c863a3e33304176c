"""upload.py FOLDER: its files to where batch inference stores them, monitor.json last as there."""

import sys
from pathlib import Path

import hopsworks

dataset_api = hopsworks.login().get_dataset_api()
if not dataset_api.exists("Resources/images"):
    dataset_api.mkdir("Resources/images")
for path in sorted(Path(sys.argv[1]).iterdir(), key=lambda path: path.suffix == ".json"):
    dataset_api.upload(str(path), "Resources/images", overwrite=True)
