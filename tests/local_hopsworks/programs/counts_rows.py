"""counts_rows.py NAME: how many feature groups have the name; of the first, its ids and rows."""

import sys

from local_hopsworks import login

groups = login().get_feature_store().get_feature_groups(sys.argv[1])
rows = groups[0].read()
print(len(groups), rows["id"].nunique(), len(rows), "rows")
