"""What titanic_batch_inference_pipeline.py has stored for this app in Resources/images.

monitor.json holds the confusion matrix of all predictions, the latest of them (200 at most), the
model in service, and the shares of each group of passengers in its training. The pictures beside it
may be those of the run before, if two runs stored theirs at the same time.
"""

import json
from typing import Any, NamedTuple

import pandas as pd
from hopsworks.client.exceptions import RestAPIError

from connection import Unavailable, advise

FOLDER = "/Resources/images"
PICTURES = {
    "latest_passenger_prediction.png": "Latest passenger, as predicted",
    "actual_passenger_outcome.png": "Latest passenger, what happened",
    "df_recent.png": "Most recent predictions",
    "confusion_matrix.png": "Confusion matrix",
}


class Stored(NamedTuple):
    """latest: a row per prediction, oldest first. Its columns are passenger_id, datetime (of the
    prediction), event_time, the features, prediction and label (1 for survived), right,
    survival_probability, model_version and words."""

    model: dict[str, Any]  # name, version, metrics
    confusion_matrix: list[list[int]]  # rows: what happened; columns: predicted; died is first
    latest: pd.DataFrame
    shares_in_training: dict[str, list[dict]]  # of each feature: code, words and share of a group

    @property
    def predictions(self) -> int:
        """How many passengers were predicted."""
        return sum(map(sum, self.confusion_matrix))

    @property
    def correct(self) -> int:
        """How many predictions were right."""
        return self.confusion_matrix[0][0] + self.confusion_matrix[1][1]


def find(project: Any) -> bytes:
    """The content of monitor.json, in one question to Hopsworks."""
    content = read_file(project, "monitor.json")
    if content is None:
        raise advise(
            "No predictions yet. This page shows them as soon as there are some.",
            in_clone="To make some, run",
            command="make run",
            on_space="Run the pipelines in the project of this Space.",
        )
    return content


def read_file(project: Any, name: str) -> bytes | None:
    """The content of a stored file, None if there is none."""
    try:
        return project.get_dataset_api().read_content(f"{FOLDER}/{name}").content
    except RestAPIError as error:
        if error.response.status_code in (400, 404):  # Hopsworks' answers about a missing file
            return None
        raise


def parse(content: bytes) -> Stored:
    """What monitor.json says; raises Unavailable with the reason if it cannot be used."""
    try:
        told = json.loads(content)
        if told["format"] != 3:
            raise ValueError(f"its format is {told['format']}, this app reads format 3")
        latest = pd.DataFrame(told["latest"][::-1])
        for column in ("datetime", "event_time"):
            latest[column] = pd.to_datetime(latest[column], utc=True, format="ISO8601")
        latest["right"] = latest["prediction"] == latest["label"]
        return Stored(
            model=told["model"],
            confusion_matrix=told["confusion_matrix"],
            latest=latest,
            shares_in_training=read_shares(told["words"], told["shares_in_training"]),
        )
    except (ValueError, TypeError, LookupError) as error:
        raise unusable(error) from error


def read_shares(words: dict, shares: dict) -> dict[str, list[dict]]:
    """The groups of each feature with their shares in training; both are {feature: {code: …}}."""
    found: dict[str, list[dict]] = {}
    for feature, groups in words.items():
        found[feature] = [
            {"code": int(code), "words": name, "share": shares[feature].get(code, 0.0)}
            for code, name in groups.items()
        ]
    return found


def unusable(error: Exception) -> Unavailable:
    """What to tell of a monitor.json that is not as it should be."""
    return advise(
        f"The stored monitor.json cannot be used ({type(error).__name__}: {error}).",
        in_clone="To write it anew, run",
        command="make run",
        on_space="Run batch inference again, with the pipelines of the same version as this app.",
    )


def read_pictures(project: Any) -> dict[str, bytes]:
    """The stored pictures by name; there is no confusion matrix before both outcomes were
    predicted."""
    contents = {name: read_file(project, name) for name in PICTURES}
    return {name: content for name, content in contents.items() if content is not None}
