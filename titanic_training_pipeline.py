"""Training pipeline: train a survival classifier on the historical passengers and register it.

python titanic_training_pipeline.py    # registers a new version, if it is fit to serve

The newest version in the model registry is in service. To go back to an older one, delete it.
"""

import os
import signal

if __name__ == "__main__":  # Ctrl-C ends the program from here on, also during the imports below

    def stop(*_) -> None:
        """End at once and without a traceback: an import under way may swallow an exception."""
        os.write(1, b"Stopped.\n")
        os._exit(130)

    signal.signal(signal.SIGINT, stop)

import contextlib
import io
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import joblib
import numpy as np
import pandas as pd
import requests
import seaborn
from hopsworks.client.exceptions import RestAPIError
from hsml.model_schema import ModelSchema
from hsml.schema import Schema
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import binomtest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from typer import Option, run

try:
    from local_hopsworks import login  # without an account: an embedded Hopsworks
except ModuleNotFoundError:  # a job of Hopsworks has this file alone
    from hopsworks import login  # type: ignore[no-redef]

HERE = Path(__file__).resolve().parent
# Toggles; each is also an option and an environment variable of the same name ---------------------
LOCAL = True  # False: hand this file to Hopsworks as a job, which runs at SCHEDULE
SCHEDULE = "0 20 5 ? * MON"  # a Quartz cron expression, in UTC
ASSETS_URL = str(HERE / "assets")  # folder or http(s) address of 0.png (died) and 1.png (survived)
VERBOSE = False  # True: show what the Hopsworks SDK prints
# --------------------------------------------------------------------------------------------------
FIRST_SYNTHETIC_ID = 10**9  # from here on the outcome is made up: there is nothing to learn from
FEATURES = ["pclass", "sex", "age_bin", "fare_bin"]
LABEL = "survived"
ENCODING = "Resources/titanic_encoding.json"  # what the codes mean
OUTCOMES = ["died", "survived"]  # codes 0 and 1
FEWEST = 20  # passengers of either outcome
SETTINGS = {
    "n_estimators": 1000,
    "learning_rate": 0.01,  # at 0.1, a thousand trees are as often right, but far too sure
    "subsample": 0.5,
    "min_samples_leaf": 10,
    "random_state": 1912,
}
FOLDS = StratifiedKFold(n_splits=5, shuffle=True, random_state=1912)
# Of two passengers, who had the better chance that night: class, sex, age bin and fare bin
LIKELIER = {
    "a girl in 1st class than to a man in 3rd": ([1, 1, 0, 3], [3, 0, 2, 0]),
    "a woman in 2nd class than to a man beside her": ([2, 1, 2, 1], [2, 0, 2, 1]),
    "a boy in 2nd class than to a man beside him": ([2, 0, 0, 2], [2, 0, 2, 2]),
    "a woman in 1st class than to one in 3rd": ([1, 1, 2, 3], [3, 1, 2, 0]),
    "a man in 1st class than to one in 3rd": ([1, 0, 2, 3], [3, 0, 2, 0]),
}
CARD = """# Titanic survival: gradient boosting on class, sex, age bin and fare bin

`accuracy` and the confusion matrix are of the {test} historical passengers whose id is a multiple
of five; the model learnt from the {train} others. All other figures, the calibration slope (1 is
perfect) included, are cross-validated over all of them. `sex_alone` is the rule that women survive
and men die; `_low` and `_high` are the ends of 95 % intervals. Not for judging people.

{metrics}
"""
SUMMARY = """Registered titanic version {version}.
  unseen passengers: {cv_accuracy:.1%} right ({cv_accuracy_low:.1%} to {cv_accuracy_high:.1%})
  by sex alone: {sex_alone_accuracy:.1%} right
  test passengers: {accuracy:.1%} right ({accuracy_low:.1%} to {accuracy_high:.1%})
  calibration slope {calibration_slope:.2f} (1 is perfect), log loss {log_loss:.3f}
Next: make passengers"""


again_after_conflict = retry(  # with another program that writes at the same moment
    retry=retry_if_exception_type(RestAPIError),
    wait=wait_random_exponential(max=5),  # seconds
    stop=stop_after_attempt(8),
    reraise=True,
)


def copy_pictures(assets_url: str, in_service: Path, folder: Path) -> None:
    """Put the pictures of both outcomes into `folder`; exits with one sentence if it cannot."""
    for name in ("0.png", "1.png"):
        try:
            if "://" in assets_url:
                content = requests.get(f"{assets_url}/{name}", timeout=30).content
            elif Path(assets_url).is_dir():
                content = Path(assets_url, name).read_bytes()
            else:  # a job of Hopsworks has no such folder
                content = (in_service / name).read_bytes()
            Image.open(io.BytesIO(content)).verify()
        except OSError as error:  # the errors of requests and Pillow are OSErrors too
            raise SystemExit(f"ASSETS_URL: {assets_url} has no picture {name}: {error}.") from None
        (folder / name).write_bytes(content)


@again_after_conflict
def read_passengers(project) -> tuple:
    """The feature view, made if it is missing, and the historical passengers that it gives.

    The passengers are a frame of passenger_id, the features and the label, sorted by id.
    """
    feature_store = project.get_feature_store()
    titanic = feature_store.get_feature_group("titanic", 1)
    if titanic is None or not project.get_dataset_api().exists(ENCODING):
        raise SystemExit("No historical passenger is stored yet. Run: make backfill")
    query = titanic.select([*FEATURES, LABEL])
    view = feature_store.get_or_create_feature_view("titanic", query, 1, labels=[LABEL])
    historical = titanic["passenger_id"] < FIRST_SYNTHETIC_ID
    columns, labels = view.training_data(
        start_time="1912-01-01",  # the SDK's own default is 1970
        extra_filter=historical,
        primary_key=True,
    )
    if labels[LABEL].value_counts().reindex([0, 1], fill_value=0).min() < FEWEST:
        raise SystemExit(f"Training needs {FEWEST} passengers who died and {FEWEST} who survived.")
    passengers = pd.concat([columns, labels], axis=1)
    # The view has no such feature, so its column is named {project}_titanic_1_passenger_id
    passengers = passengers.rename(columns=lambda name: name.split("_titanic_1_")[-1])
    return view, passengers.sort_values("passenger_id", ignore_index=True)


def split(passengers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The passengers to train with, and the 20 % to test with.

    The id decides for good who is who, so no version ever learns from another's test passengers.
    """
    is_test = passengers["passenger_id"] % 5 == 0
    return passengers[~is_test], passengers[is_test]


def cross_validate(passengers: pd.DataFrame) -> pd.DataFrame:
    """Chances of survival, each by a model that has not seen the passenger.

    The column `sex_alone` is by a model that looks at the sex alone.
    """
    label = passengers[LABEL]
    how = {"cv": FOLDS, "method": "predict_proba"}
    model = cross_val_predict(
        GradientBoostingClassifier(**SETTINGS), passengers[FEATURES], label, **how
    )
    sex_alone = cross_val_predict(LogisticRegression(), passengers[["sex"]], label, **how)
    return pd.DataFrame({"model": model[:, 1], "sex_alone": sex_alone[:, 1]}).clip(1e-9, 1 - 1e-9)


def share(name: str, right: pd.Series) -> dict[str, float]:
    """The share of right predictions with its Wilson 95 % interval."""
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return {name: right.mean(), f"{name}_low": interval.low, f"{name}_high": interval.high}


def measure(model, passengers: pd.DataFrame, test: pd.DataFrame, chances: pd.DataFrame) -> dict:
    """Accuracy on the test passengers; everything else cross-validated over all passengers."""
    survived, chance = passengers[LABEL], chances["model"]
    log_odds = np.log(chance / (1 - chance)).to_frame()
    calibration = LogisticRegression(C=1e12).fit(log_odds, survived)  # so large a C: no penalty
    metrics = {
        **share("accuracy", model.predict(test[FEATURES]) == test[LABEL]),
        **share("cv_accuracy", (chance >= 0.5) == survived),
        "sex_alone_accuracy": (passengers["sex"] == survived).mean(),
        "roc_auc": roc_auc_score(survived, chance),
        "log_loss": log_loss(survived, chance),
        "sex_alone_log_loss": log_loss(survived, chances["sex_alone"]),
        "brier": brier_score_loss(survived, chance),
        "calibration_slope": calibration.coef_[0, 0],
    }
    return {name: round(float(value), 4) for name, value in metrics.items()}


def is_better(survived: pd.Series, chance: np.ndarray, than: np.ndarray) -> bool:
    """Whether the log loss is lower by more than a standard error, passenger by passenger."""
    gain = np.log(np.where(survived == 1, chance / than, (1 - chance) / (1 - than)))
    return gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain))


def predict_chances(model, passengers: pd.DataFrame) -> np.ndarray:
    """The chance of survival of each passenger, never quite 0 or 1."""
    return model.predict_proba(passengers[FEATURES])[:, 1].clip(1e-9, 1 - 1e-9)


def find_faults(model, chances: pd.DataFrame, passengers: pd.DataFrame, test, rival) -> list[str]:
    """Why the model should not serve. `rival` is the one in service, or None."""
    faults = []
    for who, pair in LIKELIER.items():
        better, worse = predict_chances(model, pd.DataFrame(pair, columns=FEATURES))
        if better <= worse:
            faults.append(f"it gives no better chance to {who}")
    if not is_better(passengers[LABEL], chances["model"], than=chances["sex_alone"]):
        faults.append("it is not better than a guess from the sex alone")
    if rival is not None:
        rivals_chances = predict_chances(rival, test)
        if is_better(test[LABEL], rivals_chances, than=predict_chances(model, test)):
            faults.append("it is worse on the test passengers than the version in service")
    return faults


def load_rival(registry, folder: Path):
    """The classifier in service, its files in `folder`; None if there is none to compare with."""
    versions = registry.get_models("titanic")
    if not versions:
        return None
    newest = max(versions, key=lambda model: model.version)
    newest.download(str(folder))
    try:
        return joblib.load(folder / "model.joblib")
    except Exception as error:  # a wrong file can raise anything, says the manual of pickle
        say(f"Version {newest.version} cannot be loaded, so it is not compared: {error}")
        return None


def draw_confusion_matrix(survived: pd.Series, predicted: np.ndarray, path: Path) -> None:
    """Rows are what happened, columns what was predicted."""
    matrix = confusion_matrix(survived, predicted, labels=[0, 1])
    counts = pd.DataFrame(matrix, index=OUTCOMES, columns=OUTCOMES)
    figure = Figure(figsize=(4.8, 4.8))
    axes = figure.add_subplot()
    look = {"cmap": "Blues", "cbar": False, "annot_kws": {"size": 16}}
    seaborn.heatmap(counts, annot=True, fmt="d", ax=axes, **look)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.set_title(f"{matrix.trace()} of {matrix.sum()} test passengers predicted right", pad=16)
    figure.savefig(path, dpi=200, bbox_inches="tight")


def write_card(metrics: dict, train: int, test: int, folder: Path) -> None:
    """The model card: what the metrics are of."""
    table = "\n".join(f"* {name}: {value}" for name, value in metrics.items())
    (folder / "README.md").write_text(CARD.format(train=train, test=test, metrics=table))


@again_after_conflict
def register(project, model, metrics: dict, view, train: pd.DataFrame, folder: Path) -> int:
    """Register the files in `folder` as a new version of the model; returns its number."""
    encoding = project.get_dataset_api().read_content(f"/{ENCODING}").content
    (folder / "encoding.json").write_bytes(encoding)
    joblib.dump(model, folder / "model.joblib")
    alike = train.groupby(FEATURES)[LABEL].agg(passengers="size", survived="sum")
    alike.reset_index().to_json(folder / "passengers.json", orient="records")
    entry = project.get_model_registry().sklearn.create_model(
        name="titanic",
        description="Whether a passenger of the Titanic survived, from class, sex, age and fare",
        metrics=metrics,
        model_schema=ModelSchema(Schema(train[FEATURES]), Schema(train[[LABEL]])),
        input_example=train[FEATURES].head(1),
        feature_view=view,
    )
    return entry.save(str(folder)).version


def train_and_register(assets_url: str, directory: Path) -> str:
    """Train a model and register it if it is fit to serve; returns what was done."""
    project = login()
    in_service, folder = directory / "in_service", directory / "new"
    folder.mkdir()
    rival = load_rival(project.get_model_registry(), in_service)
    copy_pictures(assets_url, in_service, folder)
    view, passengers = read_passengers(project)
    train, test = split(passengers)

    say(f"Training on {len(train)} passengers, testing on {len(test)} …")
    model = GradientBoostingClassifier(**SETTINGS).fit(train[FEATURES], train[LABEL])
    predicted = model.predict(test[FEATURES])
    draw_confusion_matrix(test[LABEL], predicted, folder / "confusion_matrix.png")
    say(f"Cross-validating over {len(passengers)} passengers …")
    chances = cross_validate(passengers)
    metrics = measure(model, passengers, test, chances)
    faults = find_faults(model, chances, passengers, test, rival)
    if faults:
        raise SystemExit(f"Not registered: {'; '.join(faults)}. {metrics}")

    say("Registering the model …")
    write_card(metrics, len(train), len(test), folder)
    version = register(project, model, metrics, view, train, folder)
    return SUMMARY.format(version=version, **metrics)


def main(
    local: Annotated[bool, Option(envvar="LOCAL")] = LOCAL,
    schedule: Annotated[str, Option(envvar="SCHEDULE")] = SCHEDULE,
    assets_url: Annotated[str, Option(envvar="ASSETS_URL")] = ASSETS_URL,
    verbose: Annotated[bool, Option(envvar="VERBOSE")] = VERBOSE,
) -> None:
    """Train a survival classifier on the historical passengers and register it."""
    if not local:
        job = [sys.executable, str(HERE / "tools" / "deploy_job.py"), __file__, schedule]
        sys.exit(subprocess.call([*job, "--assets-url", assets_url]))
    logging.disable(logging.NOTSET if verbose else logging.WARNING)
    shown = sys.stdout if verbose else io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        with tempfile.TemporaryDirectory() as directory:
            message = train_and_register(assets_url, Path(directory))
    print(message)


def say(text: str) -> None:
    """Show progress; what the SDK prints is hidden."""
    print(text, file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    run(main)
