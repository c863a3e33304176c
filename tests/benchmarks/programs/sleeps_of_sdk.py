"""The main job over the store; the last line tells how many seconds the SDK slept in it."""

import runpy
import time
import types
from pathlib import Path

from hopsworks_common import util
from hsml.engine import model_engine

MAIN_JOB = Path(__file__).resolve().parents[3] / "tools" / "main_job.py"
slept: list[float] = []


def sleep(seconds: float) -> None:
    """Sleep, and note how long."""
    slept.append(seconds)
    time.sleep(seconds)


# The dots of a read are drawn by util, and the registry is asked for a new model by model_engine
util.time = model_engine.time = types.SimpleNamespace(**{**vars(time), "sleep": sleep})
runpy.run_path(str(MAIN_JOB), run_name="__main__")
print(sum(slept))
