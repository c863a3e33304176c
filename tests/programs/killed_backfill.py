"""The feature pipeline, killed between what codes mean and the rows: when it inserts them."""

import os
import runpy
import signal
from pathlib import Path

from hsfs.feature_group import FeatureGroup

SCRIPT = Path(__file__).resolve().parents[2] / "titanic_feature_pipeline.py"


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


FeatureGroup.insert = die  # type: ignore[method-assign]
runpy.run_path(str(SCRIPT), run_name="__main__")
