"""Predictions as batch inference stores them for the monitor, made without a Hopsworks.

test_monitor.py compares the form with what the real pipeline stores.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS = {
    "pclass": {1: "1st class", 2: "2nd class", 3: "3rd class"},
    "sex": {0: "male", 1: "female"},
    "age_bin": {0: "child", 1: "teenager", 2: "adult", 3: "elder"},
    "fare_bin": {0: "low fare", 1: "low-medium fare", 2: "high-medium fare", 3: "high fare"},
}
FEATURES = list(WORDS)
METRICS = {
    "accuracy": 0.8547, "accuracy_low": 0.796, "accuracy_high": 0.899,
    "cv_accuracy": 0.8159, "cv_accuracy_low": 0.7891, "cv_accuracy_high": 0.84,
    "sex_alone_accuracy": 0.7867, "roc_auc": 0.8583, "log_loss": 0.4242,
    "sex_alone_log_loss": 0.5173, "brier": 0.1307, "calibration_slope": 0.9371,
}  # fmt: skip


@cache
def historical_passengers() -> pd.DataFrame:
    """The codes of the features and `survived`, a row per passenger of data/titanic.csv."""
    csv = pd.read_csv(REPOSITORY / "data" / "titanic.csv").fillna({"Age": 28.0})
    fares = [-np.inf, 7.9104, 14.4542, 31.0, np.inf]
    return pd.DataFrame(
        {
            "pclass": csv["Pclass"],
            "sex": (csv["Sex"] == "female").astype(int),
            "age_bin": pd.cut(csv["Age"], [0, 12, 18, 55, 100], labels=False),
            "fare_bin": pd.cut(csv["Fare"], fares, labels=False),
            "survived": csv["Survived"],
        }
    )


@cache
def shares_in_training() -> dict[str, list[dict[str, Any]]]:
    """As the monitor reads them from monitor.json."""
    historical = historical_passengers()
    shares = {}
    for feature, names in WORDS.items():
        of_each = historical[feature].value_counts(normalize=True)
        shares[feature] = [
            {"code": code, "words": words, "share": round(of_each[code], 4)}
            for code, words in names.items()
        ]
    return shares


def predictions(size: int, seed: int = 0, flipped_from: int | None = None) -> pd.DataFrame:
    """A row per prediction, oldest first, a passenger per hour up to now.

    Passengers are drawn from the historical ones, and predicted by what most passengers like them
    did, with some mistakes as on passengers a model has not seen. From `flipped_from` on, sex is
    mistaken before the model sees it.
    """
    rng = np.random.default_rng(seed)
    historical = historical_passengers()
    chances = historical.groupby(FEATURES)["survived"].mean()
    rows = historical.iloc[rng.integers(0, len(historical), size)].reset_index(drop=True)
    unlike = rng.random(size) < 0.035
    rows["label"] = rows["survived"].where(~unlike, 1 - rows["survived"])
    if flipped_from is not None:
        rows.loc[flipped_from:, "sex"] = 1 - rows.loc[flipped_from:, "sex"]
    of_cell = chances.reindex(pd.MultiIndex.from_frame(rows[FEATURES])).to_numpy()
    rows["survival_probability"] = np.where(np.isnan(of_cell), 0.8 * rows["sex"] + 0.1, of_cell)
    rows["prediction"] = (rows["survival_probability"] > 0.5).astype(int)
    rows["right"] = rows["prediction"] == rows["label"]
    rows["datetime"] = pd.Timestamp.now("UTC") - pd.to_timedelta(range(size, 0, -1), unit="h")
    rows["event_time"] = rows["datetime"] - pd.Timedelta("1min")
    rows["passenger_id"] = 10**9 + rows.index
    rows["model_version"] = 3
    return rows.drop(columns="survived")


def monitor_json(rows: pd.DataFrame, **told: Any) -> dict[str, Any]:
    """What batch inference would store about these predictions; `told` replaces some of it."""
    counted = rows.groupby(["label", "prediction"]).size()
    matrix = [[int(counted.get((label, said), 0)) for said in (0, 1)] for label in (0, 1)]
    latest = []
    for row in rows.tail(200).iloc[::-1].to_dict("records"):
        row.pop("right")
        for column in ("datetime", "event_time"):
            row[column] = row[column].isoformat()
        words = ", ".join(WORDS[feature][row[feature]] for feature in FEATURES)
        latest.append({"words": words, **row})
    made = {
        "format": 3,
        "model": {"name": "titanic", "version": 3, "metrics": METRICS},
        "confusion_matrix": matrix,
        "latest": latest,
        "words": WORDS,
        "shares_in_training": {
            feature: {group["code"]: group["share"] for group in groups}
            for feature, groups in shares_in_training().items()
        },
    }
    return {**made, **told}
