"""A program without online features pays for none: no process, no import, no file."""

import sys
import threading

import pandas as pd

from local_hopsworks import login

started: list[object] = []


def notice(event, arguments):
    if event == "subprocess.Popen":
        started.append(arguments)


sys.addaudithook(notice)
group = login().get_feature_store().get_or_create_feature_group("g", version=1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1]}))
assert len(group.read()) == 1
assert not started, started
assert "local_hopsworks.online.broker" not in sys.modules
assert not [each.name for each in threading.enumerate() if "kafka" in each.name]
