"""Logs in, stores rows and reads them back, over REST and over Arrow Flight."""

import sys

import pandas as pd

if "local" in sys.argv:
    from local_hopsworks import login
else:
    from hopsworks import login

project = login()
group = project.get_feature_store().get_or_create_feature_group("g", 1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1, 2]}))
print(project.name, len(group.read()), "rows")
