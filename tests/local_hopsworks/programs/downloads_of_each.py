"""downloads_of_each.py LOGINS: prints what the model titanic of each server says.

The logins are JSON: a list of arguments for hopsworks.login().
"""

import json
import sys
from pathlib import Path

import hopsworks

for server in json.loads(sys.argv[1]):
    model = hopsworks.login(**server).get_model_registry().get_model("titanic", 1)
    print(Path(model.download(), "model.txt").read_text())
    hopsworks.logout()
