"""stores_under_umask.py UMASK: stores rows and a file of this folder, with that umask (octal)."""

import os
import sys
from pathlib import Path

import pandas as pd

from local_hopsworks import login

os.umask(int(sys.argv[1], 8))
project = login()
group = project.get_feature_store().get_or_create_feature_group("g", 1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1]}))
Path("file.txt").touch()
project.get_dataset_api().upload("file.txt", "Resources")
