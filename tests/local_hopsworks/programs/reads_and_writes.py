"""reads_and_writes.py [local]: logs in, stores rows and reads them, over REST and Arrow Flight."""

import importlib
import sys

import pandas as pd

package = "local_hopsworks" if "local" in sys.argv else "hopsworks"
project = importlib.import_module(package).login()
group = project.get_feature_store().get_or_create_feature_group("g", 1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1, 2]}))
print(project.name, len(group.read()), "rows")
