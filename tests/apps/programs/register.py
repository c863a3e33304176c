"""register.py FOLDER METRICS: the files of a folder as the next version of the model."""

import json
import sys

import hopsworks

folder, metrics = sys.argv[1:]
registry = hopsworks.login().get_model_registry()
registry.sklearn.create_model("titanic", metrics=json.loads(metrics)).save(folder)
