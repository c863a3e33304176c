"""Stores ten rows as `small`, and NUMBER rows as `large`: python store_small_and_large.py NUMBER"""

import sys

import local_hopsworks
from tests.benchmarks.work import frame

store = local_hopsworks.login().get_feature_store()
options = {"primary_key": ["id"], "event_time": "event_time", "statistics_config": False}
for name, rows in (("small", 10), ("large", int(sys.argv[1]))):
    store.create_feature_group(name, 1, **options).insert(frame(0, rows))
