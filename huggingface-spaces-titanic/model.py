"""The model that serves: the newest version in the Hopsworks model registry.

Codes, labels and the edges of age and fare groups come from the encoding.json beside the model,
which are the ones it was trained with.
"""

import itertools
import json
import tempfile
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning

from connection import advise, silence

NAME = "titanic"
PICTURES = ["0.png", "1.png"]  # died, survived


class Model(NamedTuple):
    """A registered model and its answers.

    table: one row per possible passenger, its index their codes; columns prediction (0 or 1),
    survival_probability, and of the historical passengers like this one, passengers and survived.
    """

    version: int
    created: datetime
    metrics: dict[str, float]
    encoding: dict[str, Any]
    table: pd.DataFrame
    pictures: dict[str, bytes]


def find_newest(project: Any) -> tuple[int, Any]:
    """Version and creation time of the newest model, in one question to Hopsworks."""
    versions = project.get_model_registry().get_models(NAME)
    if not versions:
        raise advise(
            "No model is registered yet. This page shows it as soon as there is one.",
            in_clone="To train one, run",
            command="make run",
            on_space="Run the training pipeline in the project of this Space.",
        )
    newest = max(versions, key=lambda model: model.version)
    return newest.version, newest.created


def download(project: Any, found: tuple[int, Any]) -> Model:
    """Download and load the version that find_newest found."""
    version, _ = found
    registered = project.get_model_registry().get_model(NAME, version)
    # Not into the SDK's cache, a folder in /tmp that other users of the machine could have filled:
    # loading a joblib file runs what is in it
    with tempfile.TemporaryDirectory() as folder:
        with silence():
            registered.download(folder)
        try:
            return load(Path(folder), registered)
        except InconsistentVersionWarning as warning:
            made, here = warning.original_sklearn_version, warning.current_sklearn_version
            reason = f"was made with scikit-learn {made}, but this app has {here}"
        except Exception as error:  # a wrong file raises anything, says the manual of pickle
            reason = f"cannot be used ({type(error).__name__}: {error})"
    raise advise(
        f"Version {version} of the model {reason}.",
        in_clone="To train a new one, run",
        command="make train",
        on_space="Train a new one, or delete this version from the registry.",
    )


def load(folder: Path, registered: Any) -> Model:
    """The model in a folder; raises whatever a missing or wrong file raises."""
    encoding = json.loads((folder / "encoding.json").read_text())
    if encoding["format"] != 3:
        raise ValueError(f"encoding.json has format {encoding['format']}, this app reads format 3")
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        classifier = joblib.load(folder / "model.joblib")
    historical = pd.DataFrame(json.loads((folder / "passengers.json").read_text()))
    return Model(
        version=registered.version,
        created=as_time(registered.created),
        metrics={name: float(value) for name, value in registered.training_metrics.items()},
        encoding=encoding,
        table=answer_all(classifier, historical, encoding),
        pictures={name: (folder / name).read_bytes() for name in PICTURES},
    )


def answer_all(classifier: Any, historical: pd.DataFrame, encoding: dict) -> pd.DataFrame:
    """The model's answer for each of the 96 possible passengers: no visitor waits for it."""
    features = list(encoding["words"])
    codes = [[int(code) for code in encoding["words"][name]] for name in features]
    possible = pd.DataFrame(itertools.product(*codes), columns=features)
    survived = list(classifier.classes_).index(1)
    table = possible.assign(
        prediction=classifier.predict(possible),
        survival_probability=classifier.predict_proba(possible)[:, survived],
    )
    table = table.merge(historical, on=features, how="left").fillna(0)
    return table.set_index(features).astype({"passengers": int, "survived": int})


def as_time(created: Any) -> datetime:
    """The SDK tells the creation time in milliseconds, or as text."""
    unit = "ms" if isinstance(created, int) else None
    return pd.to_datetime(created, unit=unit).to_pydatetime()
