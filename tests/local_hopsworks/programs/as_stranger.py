"""as_stranger.py open|reset STORE: does so as a user whom the permissions of its files stop.

Root, whom no permission stops, becomes nobody, once everything is imported.
"""

import os
import sys
import tempfile

from local_hopsworks import Server
from local_hopsworks.__main__ import main

task, store = sys.argv[1:]
with tempfile.TemporaryDirectory() as other, Server(other):
    pass
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
if task == "open":
    Server(store)
else:
    sys.exit(main(["reset", "--yes", "--home", store]))
