"""sleeps.py [twice]: says that it sleeps, and does; twice: first starts another that does."""

import subprocess
import sys
import time

if "twice" in sys.argv:
    subprocess.Popen([sys.executable, __file__])
print("asleep", flush=True)
time.sleep(600)
