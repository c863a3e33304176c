"""Runs the lines it reads, each by itself, and prints ### after each."""

import sys

import hopsworks  # noqa: F401  # for the lines
import pandas as pd  # noqa: F401

for line in sys.stdin:
    try:
        exec(line)
    except Exception as error:
        print("raised", type(error).__name__, error)
    print("###", flush=True)
