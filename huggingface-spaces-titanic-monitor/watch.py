"""Is the model as good as training promised, and are the passengers those it has learnt from?

    python watch.py    # prints the verdict; the exit status is 1 for "Check the model"

Two questions are asked of the latest predictions, a frame with one row per prediction, oldest
first, and the columns event_time, right (True or False), model_version and the features:

- Has accuracy fallen? A CUSUM adds up the evidence for a drop of DROP, after each prediction.
- Are they other people? The population stability index compares their shares with training's.
"""

import math
import sys
from typing import NamedTuple

import pandas as pd

from connection import Unavailable, connect, explain, keep_sdk_off_the_terminal
from stored import find, parse

FINE, TOO_FEW, CHECK = "Fine", "Too few to tell", "Check the model"
DROP = 0.15  # the fall in accuracy to be noticed, as a share of all predictions
FALSE_ALARM = 1 / 2000  # at most this often per prediction, as long as nothing has fallen
FEW = 60  # with fewer predictions of a model nothing is said of its accuracy
ENOUGH = 100  # with fewer passengers their shares vary too much by chance
SHIFT = 0.2  # a population stability index from which on one speaks of other people
Z = 1.959964  # of the normal distribution, for an interval of 95%


class Verdict(NamedTuple):
    """words: FINE, TOO_FEW or CHECK. reasons: sentences that say what, and since when."""

    words: str
    reasons: list[str]


def judge(latest: pd.DataFrame, model: dict, shares_in_training: dict) -> Verdict:
    """The verdict on the model in service.

    model: its version and metrics. shares_in_training: {feature: [{code, words, share}, …]}.
    """
    own = latest[latest["model_version"] == model["version"]]
    reasons = drop_in_accuracy(own, expected_accuracy(model["metrics"]))
    reasons += other_passengers(latest, shares_in_training)
    if reasons:
        return Verdict(CHECK, reasons)
    if len(own) < FEW:
        made = f"Model version {model['version']} has made {len(own)} of the latest predictions"
        return Verdict(TOO_FEW, [f"{made}; a verdict needs {FEW}."])
    reason = f"No drop in accuracy in the latest {len(own)} predictions"
    if len(latest) < ENOUGH:
        return Verdict(FINE, [f"{reason}. They are too few to compare the passengers."])
    return Verdict(FINE, [f"{reason}, and the passengers are like those in training."])


def expected_accuracy(metrics: dict[str, float]) -> float:
    """What training promised, less a standard error: it was measured on 891 passengers only."""
    standard_error = (metrics["cv_accuracy_high"] - metrics["cv_accuracy_low"]) / (2 * Z)
    expected = metrics["cv_accuracy"] - standard_error
    return min(max(expected, DROP + 0.05), 0.99)  # so that the logarithms below exist


def drop_in_accuracy(own: pd.DataFrame, expected: float) -> list[str]:
    """A sentence if accuracy has fallen by about DROP; else nothing.

    This is Page's CUSUM, a sum of log likelihood ratios: before an alarm it waits for evidence
    that without a drop is seen once in 1 / FALSE_ALARM predictions at most.
    """
    if_right = math.log((expected - DROP) / expected)
    if_wrong = math.log((1 - expected + DROP) / (1 - expected))
    evidence = own["right"].map({True: if_right, False: if_wrong})
    # For each prediction: the evidence that accuracy fell just before it, and stayed so
    since_then = evidence[::-1].cumsum()[::-1]
    if since_then.empty or since_then.max() < math.log(1 / FALSE_ALARM):
        return []
    lower = own.loc[since_then.idxmax() :]
    return [
        f"Since {when(lower['event_time'].iloc[0])} the model was right for "
        f"{lower['right'].sum()} of {len(lower)} passengers ({lower['right'].mean():.0%}); "
        f"at least {expected:.0%} were to be expected."
    ]


def drift(latest: pd.DataFrame, groups: list[dict], feature: str) -> pd.DataFrame:
    """The shares of a feature's groups: a row per group, with words, now, training and index.

    The sum of index is the population stability index, of (now - training) * log(now / training).
    For it half a passenger is added to each group, or an empty one would make it infinite.
    """
    shares = pd.DataFrame(groups).rename(columns={"share": "training"})
    counts = latest[feature].value_counts().reindex(shares["code"], fill_value=0).to_numpy()
    total = len(latest)
    now = (counts + 0.5) / (total + 0.5 * len(shares))
    training = (shares["training"] * total + 0.5) / (total + 0.5 * len(shares))
    ratio = (now / training).map(math.log)
    return shares.assign(now=counts / max(total, 1), index=(now - training) * ratio)


def other_passengers(latest: pd.DataFrame, shares_in_training: dict) -> list[str]:
    """A sentence for each feature whose shares are not those of training any more."""
    reasons: list[str] = []
    if len(latest) < ENOUGH:
        return reasons
    since = when(latest["event_time"].iloc[0])
    for feature, groups in shares_in_training.items():
        shares = drift(latest, groups, feature)
        index = shares["index"].sum()
        if index >= SHIFT:
            most = shares.loc[(shares["now"] - shares["training"]).idxmax()]
            reasons.append(
                f"Of the {len(latest)} passengers since {since}, {most['now']:.0%} are "
                f"{most['words']}, in training {most['training']:.0%} "
                f"({feature}: population stability index {index:.2f})."
            )
    return reasons


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share: good for few predictions too, and never beyond 0 and 1."""
    middle = (right + Z**2 / 2) / (total + Z**2)
    half = Z / (total + Z**2) * math.sqrt(right * (total - right) / total + Z**2 / 4)
    return middle - half, middle + half


def when(moment: pd.Timestamp) -> str:
    """A moment for people, "28 November 2026, 17:45 UTC"."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def main() -> int:
    """Print the verdict on the stored predictions; returns the exit status."""
    keep_sdk_off_the_terminal()
    try:
        stored = parse(find(connect()))
    except Unavailable as problem:
        print(problem.sentence, problem.command, file=sys.stderr)
        return 2
    except Exception as error:  # the SDK's have no other base
        print(explain(error).sentence, file=sys.stderr)
        return 2
    verdict = judge(stored.latest, stored.model, stored.shares_in_training)
    print(f"{verdict.words}: {' '.join(verdict.reasons)}")
    return 1 if verdict.words == CHECK else 0


if __name__ == "__main__":
    sys.exit(main())
