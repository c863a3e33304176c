"""Logs in beside another program, which ends before this one stores rows and reads them."""

import subprocess
import sys
from pathlib import Path

import hopsworks
import pandas as pd

OTHER = Path(__file__).with_name("stays_logged_in.py")

other = subprocess.Popen(
    [sys.executable, OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)
assert any(line == "in\n" for line in other.stdout or ())
project = hopsworks.login()
other.communicate()
group = project.get_feature_store().get_or_create_feature_group("g", 1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1, 2]}))
print(len(group.read()), "rows")
