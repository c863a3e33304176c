"""Prints what the pipelines have stored, as JSON after the word STATE."""

import json

from local_hopsworks import login

project = login()
store, files = project.get_feature_store(), project.get_dataset_api()


def rows(name: str) -> list[dict]:
    """The rows of a feature group; none if it is not there."""
    group = store.get_feature_group(name, 1)
    return json.loads(group.read().to_json(orient="records", date_unit="us")) if group else []


def document(path: str) -> dict | None:
    """A JSON file in dataset storage; None if it is not there."""
    return json.loads(files.read_content(f"/{path}").content) if files.exists(path) else None


models = project.get_model_registry().get_models("titanic")
state = {
    "titanic": rows("titanic"),
    "predictions": rows("passenger_outcome_predictions"),
    "encoding": document("Resources/titanic_encoding.json"),
    "monitor": document("Resources/images/monitor.json"),
    "models": {model.version: model.training_metrics for model in models},
}
print("STATE" + json.dumps(state))
