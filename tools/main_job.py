"""The main job: backfill, train, 200 passengers, predict. `make run` starts it.

The pipelines run one after the other as they would by hand, but in one process, so their packages
are imported once. It trains only if no model is registered; `make train` always does.
"""

import contextlib
import io
import os
import runpy
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSENGERS = 200


def start(pipeline: str, *options: str) -> None:
    """Run a pipeline to its end; if it fails, its message and exit status become ours."""
    program = str(ROOT / f"titanic_{pipeline}_pipeline.py")
    sys.argv = [program, *options]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise


def has_model() -> bool:
    """Whether a version of the model is registered; what the SDK prints is hidden."""
    from local_hopsworks import login  # the pipeline before has imported it

    with contextlib.redirect_stdout(io.StringIO()):
        return bool(login().get_model_registry().get_models("titanic"))


def main() -> None:
    """Run the pipelines."""
    start("feature", "--backfill")
    if not has_model():
        start("training")
        start("feature", "--no-backfill", "--passengers", str(PASSENGERS))
    start("batch_inference")


def stop(*_: object) -> None:
    """End on Ctrl-C, also while packages are imported."""
    print("Stopped.", flush=True)
    os._exit(130)  # at once: an import under way may swallow SystemExit


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    sys.path.insert(0, str(ROOT))  # as if each pipeline had been started in its own folder
    main()
