"""Train a classifier on the historical passengers, measure it, and register it with Hopsworks.

python titanic_training_pipeline.py                 # does nothing if the newest model is just this one
RETRAIN=True python titanic_training_pipeline.py    # registers a new version in any case
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import requests
import seaborn
import sklearn
from hopsworks.client.exceptions import FeatureStoreException
from hsml.model_schema import ModelSchema
from hsml.schema import Schema
from matplotlib import rcParams
from matplotlib.figure import Figure
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from local_hopsworks import login

# Toggles; the environment variable of the same name wins -------------------------------------------------------------
RETRAIN = False  # True: register a new version although the newest model learnt from the same with the same settings
ASSETS_URL = str(Path(__file__).resolve().parent / "assets")  # folder or http(s) address of 0.png (died) and 1.png
# ---------------------------------------------------------------------------------------------------------------------
FIRST_SYNTHETIC_ID = 10**9  # from here on the outcome is made up: nothing to learn from
# At the default learning rate, .1, 1000 trees learn their few inputs by heart: as often right, but far too sure
SETTINGS = {"n_estimators": 1000, "learning_rate": 0.01, "subsample": 0.5, "min_samples_leaf": 10, "random_state": 1912}
TEST_SIZE, FOLDS = 0.2, StratifiedKFold(n_splits=5, shuffle=True, random_state=1912)
ENCODING = "Resources/titanic/encoding.json"
BACKFILL_FIRST = "No historical passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py"
OUTCOMES = ["died", "survived"]
STYLE = {"savefig.dpi": 200, "figure.constrained_layout.use": True, "font.size": 11}  # shown at half the size
STYLE |= {"text.color": "#16213a", "axes.labelcolor": "#55607a", "xtick.color": "#55607a", "ytick.color": "#55607a"}
CARD = """# Titanic survival

Gradient boosting on class, sex, age bin and fare bin (`encoding.json` explains the codes), trained on {trained}
historical passengers. `accuracy` and confusion matrix are of {tested} others, the rest cross-validated over {total}.

{metrics}

**Use:** to learn how a serverless ML system is built. **Limits:** one ship, one night, four rough features; not for
judging people. Probabilities are calibrated (slope 1: perfectly); `passengers.json` tells on how many each one rests.
"""


def read_picture(location: str) -> bytes:
    try:
        picture = requests.get(location, timeout=30).content if "://" in location else Path(location).read_bytes()
    except OSError as error:  # requests' own among them
        raise SystemExit(f"ASSETS_URL: {location} cannot be read ({type(error).__name__}).") from None
    if not picture.startswith(b"\x89PNG"):
        raise SystemExit(f"ASSETS_URL: {location} is not a PNG picture.")
    return picture


def cross_validate(features: pd.DataFrame, label: pd.Series) -> dict[str, float]:
    """Metrics over all passengers, each predicted by a model that has not seen them."""
    # In one process: five fits take four seconds, and starting other processes would take as long
    model = GradientBoostingClassifier(**SETTINGS)
    chance = cross_val_predict(model, features, label, cv=FOLDS, method="predict_proba")[:, 1].clip(1e-9, 1 - 1e-9)
    right, sex_alone_right = (chance >= 0.5) == label, features["sex"] == label  # sex alone: women survive, men die
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


def draw_confusion_matrix(matrix: np.ndarray, path: Path) -> None:
    """Rows: what happened; columns: what was predicted; died first, as scikit-learn orders 0 and 1."""
    text = [[f"{count}\n{count / matrix.sum():.0%}" for count in row] for row in matrix]
    look = {"vmin": 0, "cbar": False, "square": True, "linewidths": 3, "annot_kws": {"size": 18}}
    look |= {"cmap": seaborn.blend_palette(["#edf2f7", "#1f5f99"], as_cmap=True), "fmt": "", "annot": text}
    axes = Figure(figsize=(4.8, 4.8)).add_subplot()
    seaborn.heatmap(pd.DataFrame(matrix, OUTCOMES, OUTCOMES), ax=axes, **look)
    axes.set_title(f"{matrix.sum()} passengers kept for testing", pad=12)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.tick_params(length=0)
    axes.figure.savefig(path)


def main() -> None:
    retrain, assets_url = os.environ.get("RETRAIN", str(RETRAIN)), os.environ.get("ASSETS_URL", ASSETS_URL).rstrip("/")
    if retrain not in ("True", "False"):
        raise SystemExit(f"RETRAIN is {retrain!r}: set it to True or False.")
    pictures = {name: read_picture(f"{assets_url}/{name}") for name in ("0.png", "1.png")}
    rcParams.update(STYLE)
    project = login()
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
        raise SystemExit("Too few passengers to learn from: at least 20 must have died and 20 survived.")

    codes = [encoding[name] for name in (*features, label)]
    settings = [SETTINGS, TEST_SIZE, repr(FOLDS), sklearn.__version__, codes, passengers.to_csv(index=False)]
    fingerprint = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    newest = max(registry.get_models("titanic"), key=lambda model: model.version, default=None)
    if newest and fingerprint in (newest.description or "") and retrain == "False":
        print(f"Model titanic {newest.version} was trained on these passengers with these settings: nothing to do.")
        print("RETRAIN=True registers another all the same. Next: python titanic_feature_pipeline.py")
        return

    view = feature_store.get_or_create_feature_view("titanic", group.select([*features, label]), 1, labels=[label])
    train, test, train_label, test_label = view.train_test_split(test_size=TEST_SIZE, extra_filter=historical)
    train, test = train[features], test[features]
    print(f"Training on {len(train)} passengers, testing on {len(test)}, cross-validating over {len(passengers)} ...")
    model = GradientBoostingClassifier(**SETTINGS).fit(train, train_label[label])
    predicted = model.predict(test)
    metrics = {"accuracy": accuracy_score(test_label, predicted)}
    metrics |= cross_validate(passengers[features], passengers[label])
    metrics = {name: round(float(metrics[name]), 4) for name in metrics}
    seen = train.assign(survived=train_label[label]).groupby(features)["survived"].agg(["count", "sum"]).reset_index()

    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        joblib.dump(model, folder / "model.joblib")
        (folder / "encoding.json").write_text(json.dumps(encoding))
        (folder / "passengers.json").write_text(json.dumps(seen.to_numpy().tolist()))
        for name, picture in pictures.items():
            (folder / name).write_bytes(picture)
        draw_confusion_matrix(confusion_matrix(test_label, predicted, labels=[0, 1]), folder / "confusion_matrix.png")
        table = "\n".join(["| metric | value |", "|---|---|", *(f"| {name} | {metrics[name]} |" for name in metrics)])
        card = CARD.format(trained=len(train), tested=len(test), total=len(passengers), metrics=table)
        (folder / "README.md").write_text(card)
        description = f"Survival from class, sex, age and fare; {len(train)} passengers; fingerprint {fingerprint}"
        schema = ModelSchema(Schema(train), Schema(train_label))
        about = {"metrics": metrics, "model_schema": schema, "input_example": train.head(1), "feature_view": view}
        saved = registry.sklearn.create_model("titanic", description=description, **about).save(directory)
    print(f"Registered model titanic {saved.version}:")
    for name, value in metrics.items():
        print(f"  {name:<20}{value:.3f}")
    print("Next: python titanic_feature_pipeline.py && python titanic_batch_inference_pipeline.py")


if __name__ == "__main__":
    main()
