"""Accuracy over time, as numbers and as the points of a chart."""

import math
from typing import NamedTuple

import pandas as pd

from watch import wilson

WINDOW = 50  # predictions in the running window
FIRST = 20  # the curve begins with this prediction: a few are right or wrong by chance


class Chart(NamedTuple):
    """Places in the chart in percent of its width, and of its height from above."""

    ticks: dict[str, float]  # {label: place} of the accuracies at its side
    first: int  # number of the prediction at its left end, counted from 1
    last: int
    so_far: str  # points of a line: "0,12.5 1.3,13 …"
    running: str
    band: str  # points of an area, around the running window
    promised: float
    sex_alone: float
    versions: list[tuple[str, float]]  # model version and where it begins


def over_time(latest: pd.DataFrame, predictions: int, correct: int) -> pd.DataFrame:
    """Accuracy after each of the latest predictions; empty before there are FIRST predictions.

    predictions, correct: the totals, of which `latest` is the end. Columns: number (of the
    prediction), so_far, running (of the latest WINDOW, missing while they are fewer), low and high
    (its 95% interval), model_version.
    """
    right = latest["right"].astype(int)
    curve = pd.DataFrame({"model_version": latest["model_version"]})
    curve["number"] = range(predictions - len(latest) + 1, predictions + 1)
    curve["so_far"] = (correct - right.sum() + right.cumsum()) / curve["number"]
    in_window = right.rolling(WINDOW).sum()
    curve["running"] = in_window / WINDOW
    intervals = [wilson(count, WINDOW) for count in in_window]
    curve["low"] = [low for low, _ in intervals]
    curve["high"] = [high for _, high in intervals]
    return curve[curve["number"] >= FIRST].reset_index(drop=True)


def draw(curve: pd.DataFrame, metrics: dict[str, float]) -> Chart:
    """The chart of a curve with one row or more, as high as its values need it."""
    references = pd.Series([metrics["cv_accuracy"], metrics["sex_alone_accuracy"]])
    shown = pd.concat([curve["so_far"], curve["low"], curve["high"], references])
    bottom = min(0.9, math.floor(shown.min() * 10) / 10)
    top = min(1.0, math.ceil(shown.max() * 10) / 10)

    def height(accuracy: float) -> float:
        return round(100 * (top - accuracy) / (top - bottom), 2)

    first, last = int(curve["number"].iloc[0]), int(curve["number"].iloc[-1])
    x = (100 * (curve["number"] - first) / max(last - first, 1)).round(2)
    places = curve.assign(x=x)
    running = places.dropna(subset="running")
    steps = range(round(10 * bottom), round(10 * top) + 1)
    begins = places[places["model_version"] != places["model_version"].shift()]
    return Chart(
        ticks={f"{10 * step}%": height(step / 10) for step in steps},
        first=first,
        last=last,
        so_far=points(places["x"], places["so_far"].map(height)),
        running=points(running["x"], running["running"].map(height)),
        band=" ".join(
            [
                points(running["x"], running["high"].map(height)),
                points(running["x"][::-1], running["low"][::-1].map(height)),
            ]
        ),
        promised=height(metrics["cv_accuracy"]),
        sex_alone=height(metrics["sex_alone_accuracy"]),
        versions=[(str(row.model_version), row.x) for row in begins.itertuples()],
    )


def points(x: pd.Series, y: pd.Series) -> str:
    """A line as SVG writes it."""
    return " ".join(f"{left},{down}" for left, down in zip(x, y, strict=True))
