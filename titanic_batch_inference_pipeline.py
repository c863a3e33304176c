"""Batch inference pipeline: predict the synthetic passengers that have no prediction yet.

python titanic_feature_pipeline.py            # makes up a passenger
python titanic_batch_inference_pipeline.py    # predicts it, and draws how the predictions went

Where every passenger is predicted already, it stores no new row and draws the same pictures again.
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
import json
import logging
import shutil
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
from deltalake.exceptions import DeltaError
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image
from sklearn.metrics import confusion_matrix
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from typer import Option, run

try:
    from local_hopsworks import login  # without an account: an embedded Hopsworks
except ModuleNotFoundError:  # a job of Hopsworks has this file alone
    from hopsworks import login  # type: ignore[no-redef]

HERE = Path(__file__).resolve().parent
# Toggles; each is also an option and an environment variable of the same name ---------------------
LOCAL = True  # False: hand this file to Hopsworks as a job, which runs at SCHEDULE
SCHEDULE = "0 40 5 * * ?"  # a Quartz cron expression, in UTC
ASSETS_URL = str(HERE / "assets")  # folder or http(s) address of 0.png (died) and 1.png (survived)
VERBOSE = False  # True: show what the Hopsworks SDK prints
# --------------------------------------------------------------------------------------------------
FEATURES = ["pclass", "sex", "age_bin", "fare_bin"]
OUTCOMES = ["died", "survived"]  # codes 0 and 1
FIRST_SYNTHETIC_ID = 10**9
SYNTHETIC_SINCE = "2000-01-01"  # the event time of the historical passengers is in 1912
IMAGES = "Resources/images"
PREDICTED_PICTURE = "latest_passenger_prediction.png"
ACTUAL_PICTURE = "actual_passenger_outcome.png"
LATEST = 200  # predictions that the monitor shows and judges
RECENT = 4  # predictions in df_recent.png


again_after_conflict = retry(  # with another program that writes at the same moment
    retry=retry_if_exception_type((DeltaError, RestAPIError)),
    wait=wait_random_exponential(max=5),  # seconds
    stop=stop_after_attempt(8),
    reraise=True,
)


def load_model(registry, folder: Path) -> tuple:
    """The newest registered model, its classifier, and what the codes mean in words.

    All its files are in `folder` then.
    """
    versions = registry.get_models("titanic")
    if not versions:
        raise SystemExit("No model is registered yet. Run: make train")
    newest = max(versions, key=lambda model: model.version)
    newest.download(str(folder))
    try:
        words = json.loads((folder / "encoding.json").read_text())["words"]
        return newest, joblib.load(folder / "model.joblib"), words
    except Exception as error:  # a wrong file can raise anything, says the manual of pickle
        raise SystemExit(
            f"Model titanic version {newest.version} cannot be loaded ({error!r}): "
            "delete that version in the model registry, or train again with make train."
        ) from None


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


def read_passengers(model, feature_store) -> pd.DataFrame:
    """The synthetic passengers: id, event time, features, and the actual outcome as `label`."""
    view = model.get_feature_view(init=False)  # init=True would keep the filter of training
    batch = view.get_batch_data(start_time=SYNTHETIC_SINCE, primary_key=True, event_time=True)
    # What is no feature of the view is named {project}_titanic_1_{column}
    batch = batch.rename(columns=lambda name: name.split("_titanic_1_")[-1])
    titanic = feature_store.get_feature_group("titanic", 1)
    query = titanic.select(["passenger_id", "survived"])
    actual = query.filter(titanic["passenger_id"] >= FIRST_SYNTHETIC_ID).read()
    # Joined by passenger, never by the order of rows
    return batch.merge(actual.rename(columns={"survived": "label"}), on="passenger_id")


def read_predictions(feature_store) -> pd.DataFrame:
    """All predictions that are stored."""
    group = feature_store.get_feature_group("passenger_outcome_predictions", 1)
    nothing = pd.DataFrame(columns=["passenger_id"])
    if group is None:
        return nothing
    try:
        return group.read()
    except FeatureStoreException:  # a program that was killed has stored no row yet
        return nothing


def predict(classifier, passengers: pd.DataFrame, version: int) -> pd.DataFrame:
    """One row per passenger, as passenger_outcome_predictions stores them."""
    return pd.DataFrame(
        {
            "passenger_id": passengers["passenger_id"],
            "prediction": classifier.predict(passengers[FEATURES]),
            "label": passengers["label"],
            "datetime": pd.Timestamp.now("UTC").as_unit("us"),
            "survival_probability": classifier.predict_proba(passengers[FEATURES])[:, 1],
            "model_version": version,
        }
    )


@again_after_conflict
def insert(feature_store, rows: pd.DataFrame) -> None:
    """Store predictions; the key is the passenger, so there is never more than one of each."""
    group = feature_store.get_or_create_feature_group(
        name="passenger_outcome_predictions",
        version=1,
        description="What was predicted for each synthetic passenger, and what happened",
        primary_key=["passenger_id"],
    )
    # Two programs that both create the table would both append to it, so it is created empty.
    group.insert(rows.head(0), operation="insert", wait=True)
    group.insert(rows, wait=True)


def join(predictions: pd.DataFrame, passengers: pd.DataFrame) -> pd.DataFrame:
    """One row per predicted passenger with everything about it, newest first."""
    history = predictions.merge(passengers.drop(columns="label"), on="passenger_id")
    return history.sort_values(["event_time", "passenger_id"], ascending=False)


def describe(latest: pd.DataFrame, words: dict) -> pd.DataFrame:
    """The same rows with a column of words, such as "3rd class, male, adult, low fare"."""
    codes = latest[FEATURES].astype(str)
    times = latest[["event_time", "datetime"]].apply(pd.to_datetime, utc=True)
    return latest.assign(words=codes.replace(words).agg(", ".join, axis=1), **times)


def tabulate(recent: pd.DataFrame) -> pd.DataFrame:
    """Predictions as people read them."""
    return pd.DataFrame(
        {
            "passenger": recent["words"],
            "predicted": np.take(OUTCOMES, recent["prediction"]),
            "actual": np.take(OUTCOMES, recent["label"]),
            "chance of survival": recent["survival_probability"].map("{:.0%}".format),
        }
    )


def draw_table(table: pd.DataFrame, path: Path) -> None:
    """The rows of a table as a picture."""
    figure = Figure(figsize=(10, 0.4 * (len(table) + 1)))
    axes = figure.add_subplot()
    axes.axis("off")
    drawn = axes.table(
        table.to_numpy(),
        colLabels=list(table),
        colWidths=[0.52, 0.14, 0.14, 0.2],
        cellLoc="left",
        colLoc="left",
        edges="horizontal",
        bbox=Bbox.unit(),
    )
    drawn.auto_set_font_size(False)
    figure.savefig(path, dpi=200, bbox_inches="tight", pad_inches=0.2)


def draw_confusion_matrix(matrix: np.ndarray, path: Path) -> None:
    """Rows are what happened, columns what was predicted."""
    counts = pd.DataFrame(matrix, index=OUTCOMES, columns=OUTCOMES)
    figure = Figure(figsize=(4.8, 4.8))
    axes = figure.add_subplot()
    look = {"cmap": "Blues", "cbar": False, "annot_kws": {"size": 16}}
    seaborn.heatmap(counts, annot=True, fmt="d", ax=axes, **look)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.set_title(f"{matrix.trace()} of {matrix.sum()} predicted right", pad=16)
    figure.savefig(path, dpi=200, bbox_inches="tight")


def count_shares(files: Path) -> dict[str, dict]:
    """Of each feature, the share of every code among the passengers that the model learnt from."""
    counts = pd.read_json(files / "passengers.json")
    shares = {}
    for name in FEATURES:
        by_code = counts.groupby(name)["passengers"].sum()
        shares[name] = (by_code / by_code.sum()).to_dict()
    return shares


def draw(latest: pd.DataFrame, matrix: np.ndarray, files: Path, folder: Path) -> None:
    """All pictures: of the latest passenger, of the recent predictions, and of all of them."""
    newest = latest.iloc[0]
    for column, name in (("prediction", PREDICTED_PICTURE), ("label", ACTUAL_PICTURE)):
        shutil.copy(files / f"{newest[column]}.png", folder / name)
    draw_table(tabulate(latest.head(RECENT)), folder / "df_recent.png")
    if are_both_predicted(matrix):
        draw_confusion_matrix(matrix, folder / "confusion_matrix.png")


def are_both_predicted(matrix: np.ndarray) -> bool:
    """Whether somebody was predicted to die, and somebody to survive."""
    return bool(matrix.any(axis=0).all())


def write_monitor(latest, matrix: np.ndarray, model, words: dict, files: Path, folder: Path):
    """What the monitor shows and judges, as monitor.json."""
    monitor = {
        "format": 3,
        "model": {"name": "titanic", "version": model.version, "metrics": model.training_metrics},
        "confusion_matrix": matrix.tolist(),
        "latest": json.loads(latest.to_json(orient="records", date_format="iso")),
        "words": words,
        "shares_in_training": count_shares(files),
    }
    (folder / "monitor.json").write_text(json.dumps(monitor))


@again_after_conflict
def upload(dataset_api, folder: Path) -> None:
    """Store every file of `folder` beside the earlier ones."""
    if not dataset_api.exists(IMAGES):
        dataset_api.mkdir(IMAGES)
    for path in sorted(folder.iterdir()):
        dataset_api.upload(str(path), IMAGES, overwrite=True)


def predict_and_draw(assets_url: str, directory: Path) -> str:
    """Predict the new passengers, store the predictions and their pictures; returns a report."""
    project = login()
    feature_store = project.get_feature_store()
    files, images = directory / "model", directory / "images"
    images.mkdir()
    model, classifier, words = load_model(project.get_model_registry(), files)
    copy_pictures(assets_url, files, files)
    # Predictions are read first, so every passenger who has one is among those that are read next
    predictions = read_predictions(feature_store)
    passengers = read_passengers(model, feature_store)
    waiting = passengers[~passengers["passenger_id"].isin(predictions["passenger_id"])]
    if len(waiting):
        new = predict(classifier, waiting, model.version)
        insert(feature_store, new)
        predictions = pd.concat([predictions, new]) if len(predictions) else new
    if predictions.empty:
        raise SystemExit("No synthetic passenger is stored yet. Run: make passengers")

    history = join(predictions, passengers)
    matrix = confusion_matrix(history["label"], history["prediction"], labels=[0, 1])
    latest = describe(history.head(LATEST), words)
    draw(latest, matrix, files, images)
    write_monitor(latest, matrix, model, words, files, images)
    upload(project.get_dataset_api(), images)
    return report(len(waiting), latest, matrix)


def report(predicted: int, latest: pd.DataFrame, matrix: np.ndarray) -> str:
    """What was done, the recent predictions, and what to do next."""
    right, total = matrix.trace(), matrix.sum()
    done = f"Predicted {predicted} new passengers. So far {right} of {total} are right:"
    recent = tabulate(latest.head(RECENT)).to_string(index=False)
    if are_both_predicted(matrix):
        todo = "Both outcomes have been predicted. Now: make apps"
    else:
        todo = "Run it again until both outcomes have been predicted: make passengers predict"
    return f"{done}\n{recent}\n{todo}"


def main(
    local: Annotated[bool, Option(envvar="LOCAL")] = LOCAL,
    schedule: Annotated[str, Option(envvar="SCHEDULE")] = SCHEDULE,
    assets_url: Annotated[str, Option(envvar="ASSETS_URL")] = ASSETS_URL,
    verbose: Annotated[bool, Option(envvar="VERBOSE")] = VERBOSE,
) -> None:
    """Predict the synthetic passengers that have no prediction yet, and draw how it went."""
    if not local:
        job = [sys.executable, str(HERE / "tools" / "deploy_job.py"), __file__, schedule]
        sys.exit(subprocess.call([*job, "--assets-url", assets_url]))
    logging.disable(logging.NOTSET if verbose else logging.WARNING)
    shown = sys.stdout if verbose else io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        with tempfile.TemporaryDirectory() as directory:
            message = predict_and_draw(assets_url, Path(directory))
    print(message)


if __name__ == "__main__":
    run(main)
