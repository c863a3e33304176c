"""daemon.py FILE [stays]: starts a daemon as books have it, and ends or stays.

That is two forks, a session of its own, all streams away. The daemon writes its process id into
the file.
"""

import os
import sys
import time
from pathlib import Path

file = Path(sys.argv[1])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        draft = file.with_name("draft")
        draft.write_text(str(os.getpid()))
        draft.rename(file)
        time.sleep(600)
    os._exit(0)
while not file.exists():
    time.sleep(0.01)
if "stays" in sys.argv:
    time.sleep(600)
