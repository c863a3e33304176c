"""trains_at_once.py view|model: when told by a line, gets the feature view or registers a model."""

import sys
import tempfile
from pathlib import Path

from local_hopsworks import login
from tests.pipelines import load

pipeline = load("training")
project = login()
if sys.argv[1] == "model":
    view, passengers = pipeline.read_passengers(project)
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[1] == "view":
    view, passengers = pipeline.read_passengers(project)
    print("read", len(passengers))
else:
    with tempfile.TemporaryDirectory() as folder:
        version = pipeline.register(project, None, {}, view, passengers, Path(folder))
    print("registered", version)
