"""saves_at_once.py NUMBER: when told by a line, saves a model with a file that holds the number.

It prints "saved VERSION", and tries again where another program was faster.
"""

import sys
import tempfile
from pathlib import Path

from local_hopsworks import login

number = sys.argv[1]
registry = login().get_model_registry()
folder = Path(tempfile.mkdtemp())
print("ready", flush=True)
sys.stdin.readline()
for _ in range(4):
    (folder / "who.txt").write_text(number)
    try:
        model = registry.python.create_model("racer", metrics={"accuracy": 0.5})
        model.save(str(folder), keep_original_files=True)
        break
    except Exception as error:
        print("lost", error)
else:
    sys.exit("lost four times")
print("saved", model.version)
