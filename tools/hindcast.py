"""How every registered model would have done on all synthetic passengers so far.

make hindcast
"""

import contextlib
import io
import logging
import sys
import tempfile
from pathlib import Path

import joblib
import pandas as pd
from sklearn.metrics import brier_score_loss, log_loss

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local_hopsworks import login
from titanic_batch_inference_pipeline import FEATURES, read_passengers


def score(model, passengers: pd.DataFrame) -> dict:
    """One row of the table: how the predictions of a version compare with what happened."""
    with tempfile.TemporaryDirectory() as folder:
        model.download(folder)
        classifier = joblib.load(Path(folder) / "model.joblib")
    survived = passengers["label"]
    chance = classifier.predict_proba(passengers[FEATURES])[:, 1]
    return {
        "version": model.version,
        "cross-validated": model.training_metrics["cv_accuracy"],
        "accuracy": ((chance >= 0.5) == survived).mean(),
        "log loss": log_loss(survived, chance, labels=[0, 1]),
        "Brier score": brier_score_loss(survived, chance),
    }


def main() -> None:
    """Print a table with one row per version, the newest, which is in service, last."""
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        project = login()
        models = project.get_model_registry().get_models("titanic")
        if not models:
            raise SystemExit("No model is registered yet. Run: make train")
        models = sorted(models, key=lambda model: model.version)
        passengers = read_passengers(models[-1], project.get_feature_store())
        if passengers.empty:
            raise SystemExit("No synthetic passenger is stored yet. Run: make passengers")
        table = pd.DataFrame([score(model, passengers) for model in models])
    print(f"Of {len(passengers)} synthetic passengers; version {models[-1].version} is in service:")
    print(table.to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
