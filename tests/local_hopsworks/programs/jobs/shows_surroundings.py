"""Prints what reaches it: arguments, environment variables, files."""

import os
import sys

print("arguments", sys.argv[1:])
print("window", os.environ.get("HOPS_START_TIME"), os.environ.get("COLOUR"))
print("beside me", sorted(os.listdir(".")))
print("to stderr", file=sys.stderr)
