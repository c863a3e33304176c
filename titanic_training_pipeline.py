"""Train a classifier on the historical passengers, measure it, and register it with Hopsworks.

python titanic_training_pipeline.py                 # does nothing if the newest model is just this one
RETRAIN=True python titanic_training_pipeline.py    # registers a new version in any case
LOCAL=False python titanic_training_pipeline.py     # leaves this file to Hopsworks, to run once a day

A new version serves, unless it is worse than the one in service or fails a test of behaviour: then
it says why not.
"""

import hashlib
import json
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import requests
import seaborn
import sklearn
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError
from hsml.model_schema import ModelSchema
from hsml.schema import Schema
from matplotlib import rcParams
from matplotlib.figure import Figure
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold, cross_val_predict

try:
    from local_hopsworks import login
except ModuleNotFoundError:  # as a job of Hopsworks, where this file is alone
    from hopsworks import login

# Toggles; an argument NAME=value wins, then the environment variable of the same name -------------------------------
# True: run here and now; False: hand this file to Hopsworks, which runs it on its own machines
LOCAL = True
# when it does: a Quartz cron expression (second, minute, hour, day, month, weekday), UTC
SCHEDULE = "0 20 5 * * ?"
# True: register a new version although the newest model learnt from the same with the same settings
RETRAIN = False
ASSETS_URL = str(
    Path(__file__).resolve().parent / "assets"
)  # folder or http(s) address of 0.png (died) and 1.png
# ---------------------------------------------------------------------------------------------------------------------
FIRST_SYNTHETIC_ID = 10**9  # from here on the outcome is made up: nothing to learn from
# At the default learning rate, .1, 1000 trees learn their few inputs by heart: as often right, but
# far too sure
SETTINGS = {
    "n_estimators": 1000,
    "learning_rate": 0.01,
    "subsample": 0.5,
    "min_samples_leaf": 10,
    "random_state": 1912,
}
TEST_SIZE, FOLDS = 0.2, StratifiedKFold(n_splits=5, shuffle=True, random_state=1912)
ENCODING = "Resources/titanic/encoding.json"
# Hopsworks' own, or one of yours with the packages of requirements.txt
JOB_ENVIRONMENT = "pandas-training-pipeline"
# What everybody knows of that night, and a model must not contradict if it is to serve: who had the
# better chance, and whom no fare saved or doomed. A passenger is class, sex (1: female), age bin
# and fare bin
LIKELIER = {
    "a girl in 1st class than a man in 3rd": ([1, 1, 0, 3], [3, 0, 2, 0]),
    "a woman in 2nd class than a man beside her": ([2, 1, 2, 1], [2, 0, 2, 1]),
    "a boy in 2nd class than a man beside him": ([2, 0, 0, 2], [2, 0, 2, 2]),
    "a woman in 1st class than one in 3rd": ([1, 1, 2, 3], [3, 1, 2, 0]),
    "a man in 1st class than one in 3rd": ([1, 0, 2, 3], [3, 0, 2, 0]),
}
WHATEVER_FARE = {"a man in 3rd class": [3, 0, 2], "a woman in 1st class": [1, 1, 2]}
BACKFILL_FIRST = (
    "No historical passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py"
)
OUTCOMES = ["died", "survived"]
STYLE = {
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 11,
}  # shown at half the size
STYLE |= {
    "text.color": "#16213a",
    "axes.labelcolor": "#55607a",
    "xtick.color": "#55607a",
    "ytick.color": "#55607a",
}
CARD = """# Titanic survival

Gradient boosting on class, sex, age bin and fare bin (`encoding.json` explains the codes), trained on {trained}
historical passengers. `accuracy` and confusion matrix are of {tested} others, the rest cross-validated over {total}.

{metrics}

**Use:** to learn how a serverless ML system is built. **Limits:** one ship, one night, four rough features; not for
judging people. Probabilities are calibrated (slope 1: perfectly); `passengers.json` tells on how many each one rests.
"""


def read_picture(location: str) -> bytes:
    try:
        picture = (
            requests.get(location, timeout=30).content
            if "://" in location
            else Path(location).read_bytes()
        )
    except OSError as error:  # requests' own among them
        raise SystemExit(
            f"ASSETS_URL: {location} cannot be read ({type(error).__name__})."
        ) from None
    if not picture.startswith(b"\x89PNG"):
        raise SystemExit(f"ASSETS_URL: {location} is not a PNG picture.")
    return picture


def cross_validate(features: pd.DataFrame, label: pd.Series) -> dict[str, float]:
    """Metrics over all passengers, each predicted by a model that has not seen them."""
    # In one process: five fits take four seconds, and starting other processes would take as long
    model = GradientBoostingClassifier(**SETTINGS)
    chance = cross_val_predict(model, features, label, cv=FOLDS, method="predict_proba")[:, 1].clip(
        1e-9, 1 - 1e-9
    )
    right, sex_alone_right = (
        (chance >= 0.5) == label,
        features["sex"] == label,
    )  # sex alone: women survive, men die
    folds = [test for _, test in FOLDS.split(features, label)]
    log_odds = np.log(chance / (1 - chance)).reshape(-1, 1)
    return {
        "cv_accuracy": np.mean([right.iloc[fold].mean() for fold in folds]),
        "cv_accuracy_std": np.std([right.iloc[fold].mean() for fold in folds], ddof=1),
        "sex_alone_accuracy": np.mean([sex_alone_right.iloc[fold].mean() for fold in folds]),
        "roc_auc": roc_auc_score(label, chance),
        "log_loss": log_loss(label, chance),
        "brier": brier_score_loss(label, chance),
        # 1: as sure as it may be; below: too sure. So large a C means no penalty
        "calibration_slope": LogisticRegression(C=1e12).fit(log_odds, label).coef_[0, 0],
    }


def find_faults(model, metrics: dict, features: list[str], in_service) -> list[str]:
    """Why a model should not serve: it behaves oddly, or is worse than the one in service by a
    standard error."""

    def chances(passengers: list) -> np.ndarray:
        return model.predict_proba(pd.DataFrame(passengers, columns=features))[:, 1]

    faults = [
        f"no better chance for {who}"
        for who, pair in LIKELIER.items()
        if not np.greater(*chances(pair))
    ]
    fares = {
        who: chances([[*passenger, fare] for fare in range(4)])
        for who, passenger in WHATEVER_FARE.items()
    }
    faults += [
        f"the fare decides over {who}"
        for who, chance in fares.items()
        if len(set(chance >= 0.5)) > 1
    ]
    if in_service:
        served = in_service.training_metrics
        least = served["cv_accuracy"] - served.get("cv_accuracy_std", 0) / np.sqrt(
            FOLDS.get_n_splits()
        )
        if metrics["cv_accuracy"] < least:
            faults.append(
                f"cv_accuracy below {least:.4f}, that of version {in_service.version} less a standard error"
            )
    return faults


def draw_confusion_matrix(matrix: np.ndarray, path: Path) -> None:
    """Rows: what happened; columns: what was predicted; died first, as scikit-learn orders 0 and
    1."""
    text = [[f"{count}\n{count / matrix.sum():.0%}" for count in row] for row in matrix]
    look = {"vmin": 0, "cbar": False, "square": True, "linewidths": 3, "annot_kws": {"size": 18}}
    look |= {
        "cmap": seaborn.blend_palette(["#edf2f7", "#1f5f99"], as_cmap=True),
        "fmt": "",
        "annot": text,
    }
    axes = Figure(figsize=(4.8, 4.8)).add_subplot()
    seaborn.heatmap(pd.DataFrame(matrix, OUTCOMES, OUTCOMES), ax=axes, **look)
    axes.set_title(f"{matrix.sum()} passengers kept for testing", pad=12)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.tick_params(length=0)
    axes.figure.savefig(path)


def hand_over(project, schedule: str, arguments: list[str], files: list[str]) -> None:
    """Make this file a job of Hopsworks that runs by itself, with files beside it. Done again it
    changes nothing."""
    dataset_api, job_api, name = (
        project.get_dataset_api(),
        project.get_job_api(),
        Path(__file__).stem,
    )
    folder = os.path.dirname(ENCODING)
    if not dataset_api.exists(folder):
        dataset_api.mkdir(folder)
    for file in (
        stored := {f"{folder}/{os.path.basename(file)}": file for file in (__file__, *files)}
    ):
        here = Path(stored[file]).read_bytes()
        if not dataset_api.exists(file) or dataset_api.read_content("/" + file).content != here:
            dataset_api.upload(stored[file], folder, overwrite=True)
    script, *others = (f"hdfs:///Projects/{project.name}/{file}" for file in stored)
    config = {
        "appPath": script,
        "files": ",".join(others),
        "defaultArgs": " ".join(["LOCAL=True", *arguments]),
    }
    config |= {"environmentName": JOB_ENVIRONMENT}
    job = job_api.get_job(name)
    if not job or any(job.config.get(key) != value for key, value in config.items()):
        job = job_api.create_job(name, {**job_api.get_configuration("PYTHON"), **config})
    if not job.job_schedule or job.job_schedule.cron_expression != schedule:
        job.schedule(schedule, start_time=datetime.now(timezone.utc))
    print(f"Hopsworks runs {name} by itself ({schedule}): {job.get_url()}")


def main() -> None:
    given = os.environ | dict(
        argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument
    )
    toggles = {
        name: given.get(name, str(value))
        for name, value in (("LOCAL", LOCAL), ("RETRAIN", RETRAIN))
    }
    for name, value in toggles.items():
        if value not in ("True", "False"):
            raise SystemExit(f"{name} is {value!r}: set it to True or False.")
    assets_url = given.get("ASSETS_URL", ASSETS_URL).rstrip("/")
    pictures = {name: read_picture(f"{assets_url}/{name}") for name in ("0.png", "1.png")}
    rcParams.update(STYLE)
    project = login()
    if toggles["LOCAL"] == "False":
        is_address = "://" in assets_url
        assets = f"ASSETS_URL={assets_url if is_address else '.'}"
        files = [] if is_address else [f"{assets_url}/{name}" for name in pictures]
        return hand_over(
            project,
            given.get("SCHEDULE", SCHEDULE),
            [assets, f"RETRAIN={toggles['RETRAIN']}"],
            files,
        )
    feature_store, registry = project.get_feature_store(), project.get_model_registry()
    dataset_api, group = project.get_dataset_api(), feature_store.get_feature_group("titanic", 1)
    if group is None or not dataset_api.exists(ENCODING):
        raise SystemExit(BACKFILL_FIRST)
    encoding = json.loads(dataset_api.read_content("/" + ENCODING).content)
    features, label = encoding["features"], encoding["label"]
    historical = group.get_feature("passenger_id") < FIRST_SYNTHETIC_ID
    try:
        passengers = group.select(["passenger_id", *features, label]).filter(historical).read()
    except FeatureStoreException as error:  # a backfill was killed before it stored anyone
        raise SystemExit(BACKFILL_FIRST if "No data found" in str(error) else str(error)) from None
    passengers = passengers.sort_values("passenger_id")
    if passengers.empty:
        raise SystemExit(BACKFILL_FIRST)
    if min(passengers[label].sum(), (1 - passengers[label]).sum()) < 20:
        raise SystemExit(
            "Too few passengers to learn from: at least 20 must have died and 20 survived."
        )

    codes = [encoding[name] for name in (*features, label)]
    settings = [
        SETTINGS,
        TEST_SIZE,
        repr(FOLDS),
        sklearn.__version__,
        codes,
        passengers.to_csv(index=False),
    ]
    fingerprint = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    models = sorted(registry.get_models("titanic"), key=lambda model: model.version)
    newest = models[-1] if models else None
    if newest and fingerprint in (newest.description or "") and toggles["RETRAIN"] == "False":
        print(
            f"Model titanic {newest.version} was trained on these passengers with these settings: nothing to do."
        )
        print(
            "RETRAIN=True registers another all the same. Next: python titanic_feature_pipeline.py"
        )
        return

    view = feature_store.get_or_create_feature_view(
        "titanic", group.select([*features, label]), 1, labels=[label]
    )
    train, test, train_label, test_label = view.train_test_split(
        test_size=TEST_SIZE, extra_filter=historical
    )
    train, test = train[features], test[features]
    print(
        f"Training on {len(train)} passengers, testing on {len(test)}, cross-validating over {len(passengers)} ..."
    )
    model = GradientBoostingClassifier(**SETTINGS).fit(train, train_label[label])
    predicted = model.predict(test)
    metrics = {"accuracy": accuracy_score(test_label, predicted)}
    metrics |= cross_validate(passengers[features], passengers[label])
    metrics = {name: round(float(metrics[name]), 4) for name in metrics}
    measured = [one for one in models if "cv_accuracy" in (one.training_metrics or {})]
    fit = [one for one in measured if float(one.training_metrics.get("promoted", 1))]
    best = max(
        fit, key=lambda model: (model.training_metrics["cv_accuracy"], model.version), default=None
    )
    faults = find_faults(model, metrics, features, best)
    metrics["promoted"] = int(
        not faults
    )  # the other programs take the best model of which this holds
    seen = (
        train.assign(survived=train_label[label])
        .groupby(features)["survived"]
        .agg(["count", "sum"])
        .reset_index()
    )

    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        joblib.dump(model, folder / "model.joblib")
        (folder / "encoding.json").write_text(json.dumps(encoding))
        (folder / "passengers.json").write_text(json.dumps(seen.to_numpy().tolist()))
        for name, picture in pictures.items():
            (folder / name).write_bytes(picture)
        draw_confusion_matrix(
            confusion_matrix(test_label, predicted, labels=[0, 1]), folder / "confusion_matrix.png"
        )
        table = "\n".join(
            [
                "| metric | value |",
                "|---|---|",
                *(f"| {name} | {metrics[name]} |" for name in metrics),
            ]
        )
        card = CARD.format(
            trained=len(train), tested=len(test), total=len(passengers), metrics=table
        )
        (folder / "README.md").write_text(card)
        description = f"Survival from class, sex, age and fare; {len(train)} passengers; fingerprint {fingerprint}"
        description += f"; not promoted: {'; '.join(faults)}" if faults else ""
        schema = ModelSchema(Schema(train), Schema(train_label))
        about = {
            "metrics": metrics,
            "model_schema": schema,
            "input_example": train.head(1),
            "feature_view": view,
        }
        saved = registry.sklearn.create_model("titanic", description=description, **about).save(
            directory
        )
    print(f"Registered model titanic {saved.version}:")
    for name, value in metrics.items():
        print(f"  {name:<20}{value:.3f}")
    if faults:
        print(f"It does not serve: {'; '.join(faults)}.")
        try:
            saved.add_tag("not_promoted", "; ".join(faults))
        except (
            RestAPIError
        ):  # a tag needs a schema, which only an administrator of Hopsworks can make
            print(
                "(There is no tag schema not_promoted in this Hopsworks: the model's description says it.)"
            )
    print("Next: python titanic_feature_pipeline.py && python titanic_batch_inference_pipeline.py")


if __name__ == "__main__":
    main()
