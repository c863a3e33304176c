"""ignores_sigterm.py FILE: goes on when it is told to end; makes the file when that is so."""

import signal
import sys
import time
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1]).touch()
time.sleep(600)
