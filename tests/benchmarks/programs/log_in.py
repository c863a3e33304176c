"""Starts the embedded Hopsworks over the store, and logs in."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).with_name("import_packages.py")))
from local_hopsworks import login

login().get_feature_store()
