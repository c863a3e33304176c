"""Passengers whose sex was mixed up at the source: what the monitor is there to notice.

make demo    # 60 such passengers, their predictions, and the verdict
"""

import contextlib
import io
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local_hopsworks import login
from titanic_feature_pipeline import FIRST_SYNTHETIC_ID, generate_passenger, insert

PASSENGERS = 60


def main() -> None:
    """Store synthetic passengers with male and female exchanged."""
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        titanic = login().get_feature_store().get_feature_group("titanic", 1)
        if titanic is None:
            raise SystemExit("No historical passenger is stored yet. Run: make run")
        historical = titanic.filter(titanic["passenger_id"] < FIRST_SYNTHETIC_ID).read()
        rng = np.random.default_rng()
        rows = pd.DataFrame([generate_passenger(historical, rng) for _ in range(PASSENGERS)])
        rows["sex"] = 1 - rows["sex"]
        insert(titanic, rows)
    print(f"Stored {PASSENGERS} synthetic passengers whose sex is mixed up. Next: make predict")


if __name__ == "__main__":
    main()
