"""Prints what a program can see of how it was started, and ends with status 3."""

import json
import os
import sys
import threading

seen = {
    "name": __name__,
    "arguments": sys.argv,
    "path": sys.path,
    "directory": os.getcwd(),
    "environment": dict(os.environ),
    "threads": threading.active_count(),
    "ours": [name for name in sys.modules if name.startswith(("local_hopsworks", "titanic_"))],
}
print(json.dumps(seen))
print("said on the other stream", file=sys.stderr)
raise SystemExit(3)
