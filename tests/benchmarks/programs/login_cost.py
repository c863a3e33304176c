"""What a login costs: seconds of it, seconds of importing the SDK before, MiB of memory after it.

python login_cost.py embedded|elsewhere
"""

import os
import sys
import time
from pathlib import Path

start = time.perf_counter()
import hopsworks  # noqa: E402

imported = time.perf_counter() - start
start = time.perf_counter()
if sys.argv[1] == "embedded":
    import local_hopsworks

    project = local_hopsworks.login()
else:
    project = hopsworks.login()
took = time.perf_counter() - start
project.get_feature_store()
status = Path("/proc/self/status")  # only Linux has it
lines = status.read_text().splitlines() if status.exists() else []
resident = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
print("MEASURED", took, imported, resident[0] / 1024 if resident else 0, flush=True)
os._exit(0)
