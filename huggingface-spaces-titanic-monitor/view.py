"""The stored predictions as HTML, drawn once for all pages that show them."""

import hashlib
from datetime import datetime
from typing import Any, NamedTuple

from accuracy import FIRST, WINDOW, Chart, draw, over_time
from page import render
from stored import PICTURES, Stored, parse, read_pictures, unusable
from watch import CHECK, ENOUGH, SHIFT, Verdict, drift, judge, when, wilson

RECENT = 4  # predictions in the table
STRIP = 60  # predictions shown as right or wrong
FEATURES = {"pclass": "Class", "sex": "Gender", "age_bin": "Age", "fare_bin": "Fare type"}


class View(NamedTuple):
    """What a page shows. The numbers are {what: details}; the age of the latest prediction, which
    changes by itself, belongs to them too."""

    predicted_at: datetime
    numbers: dict[str, str]
    body: str  # HTML
    pictures: dict[str, bytes]


class Drift(NamedTuple):
    """shares: rows of watch.drift."""

    feature: str
    shares: list[dict[str, Any]]
    stability_index: float
    is_shift: bool


def load(project: Any, content: bytes) -> View:
    """The view of a monitor.json and the pictures beside it; Unavailable if they make none."""
    stored, pictures = parse(content), read_pictures(project)
    try:
        verdict = judge(stored.latest, stored.model, stored.shares_in_training)
        return View(
            predicted_at=stored.latest["datetime"].max().to_pydatetime(),
            numbers=numbers(stored, verdict),
            body=body(stored, verdict, pictures),
            pictures=pictures,
        )
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise unusable(error) from error


def numbers(stored: Stored, verdict: Verdict) -> dict[str, str]:
    """The totals and the verdict, {what: details}."""
    low, high = wilson(stored.correct, stored.predictions)
    accuracy = stored.correct / stored.predictions
    expected = stored.model["metrics"]["cv_accuracy"]
    plural = "s" if stored.predictions > 1 else ""
    return {
        f"{stored.predictions:,} prediction{plural}": f"{stored.correct:,} of them right",
        f"{accuracy:.0%} accuracy": f"so far; 95% interval {low:.0%} to {high:.0%}",
        verdict.words: f"{expected:.0%} is expected of model version {stored.model['version']}",
    }


def body(stored: Stored, verdict: Verdict, pictures: dict[str, bytes]) -> str:
    """Everything under the numbers, as HTML."""
    digests = {name: hashlib.sha256(png).hexdigest()[:12] for name, png in pictures.items()}
    newest_first = stored.latest[::-1]
    return render(
        "body",
        stored=stored,
        verdict=verdict,
        must_check=verdict.words == CHECK,
        newest=stored.latest.iloc[-1],
        recent=newest_first.head(RECENT).to_dict("records"),
        strip=stored.latest.tail(STRIP).to_dict("records"),
        chart=chart(stored),
        first=FIRST,
        window=WINDOW,
        drifts=drifts(stored),
        enough=ENOUGH,
        pictures=PICTURES,
        digests=digests,
        outcomes=["died", "survived"],
        when=when,
    )


def chart(stored: Stored) -> Chart | None:
    """Accuracy over time; None while there are too few predictions for a curve."""
    curve = over_time(stored.latest, stored.predictions, stored.correct)
    if curve.empty:
        return None
    return draw(curve, stored.model["metrics"])


def drifts(stored: Stored) -> list[Drift]:
    """How the passengers differ from those in training; none while they are too few to tell."""
    if len(stored.latest) < ENOUGH:
        return []
    found = []
    for feature, groups in stored.shares_in_training.items():
        shares = drift(stored.latest, groups, feature)
        index = shares["index"].sum()
        rows = shares.to_dict("records")
        found.append(Drift(FEATURES.get(feature, feature), rows, index, index >= SHIFT))
    return found
