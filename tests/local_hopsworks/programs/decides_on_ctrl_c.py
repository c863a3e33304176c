"""Says that it was interrupted, and ends with a status of its own."""

import signal
import sys
import time


def interrupted(*_):
    print("interrupted", flush=True)
    sys.exit(5)


signal.signal(signal.SIGINT, interrupted)
print("ready", flush=True)
time.sleep(600)
