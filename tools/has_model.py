"""Exit with status 0 if a model titanic is registered, else 1: `make run` trains only then."""

import contextlib
import io
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local_hopsworks import login


def main() -> bool:
    """Whether a version of the model is registered; the SDK's own output is hidden."""
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):
        return bool(login().get_model_registry().get_models("titanic"))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
