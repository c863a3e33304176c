"""Writes rows of its own into an online feature group: online_writer.py GROUP FIRST COUNT."""

import sys

import hopsworks
import pandas as pd

name, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
group = hopsworks.login().get_feature_store().get_feature_group(name, 1)
rows = pd.DataFrame({"id": range(first, first + count), "price": 1.0})
group.insert(rows, write_options={"wait_for_online_ingestion": True}, storage="online")
