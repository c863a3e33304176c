"""Remove from a Hopsworks project what this repository made there, after showing what that is.

make clean-hopsworks          # on your account, or on the Hopsworks of this repository
YES=1 make clean-hopsworks    # does not ask
"""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local_hopsworks import login

JOBS = [
    "titanic_feature_pipeline",
    "titanic_training_pipeline",
    "titanic_batch_inference_pipeline",
]
VIEWS = ["titanic", "titanic_online"]
GROUPS = ["passenger_outcome_predictions", "titanic_online", "titanic"]  # version 1 of each
IMAGES = [
    "monitor.json",
    "latest_passenger_prediction.png",
    "actual_passenger_outcome.png",
    "df_recent.png",
    "confusion_matrix.png",
]
FILES = {"Resources/images": IMAGES, "Resources": ["titanic_encoding.json"]}
FILES |= {f"Resources/jobs/{job}": [f"{job}.py"] for job in JOBS}

Removable = Iterator[tuple[str, Callable[[], object]]]  # a name, and the call that removes it


def find_in_feature_store(feature_store) -> Removable:
    """Feature views first, because they stand on feature groups."""
    for name in VIEWS:
        for view in feature_store.get_feature_views(name) or []:
            yield f"feature view {name} {view.version}, with its training data", view.delete
    for name in GROUPS:
        group = feature_store.get_feature_group(name, 1)
        if group:
            yield f"feature group {name} 1", group.delete


def find_files(dataset_api) -> Removable:
    """Our files, and each folder that is empty without them."""
    for folder, names in FILES.items():
        if not dataset_api.exists(folder):
            continue
        present = {os.path.basename(path) for path in dataset_api.list(folder)}
        ours = present.intersection(names)
        for name in sorted(ours):
            path = f"{folder}/{name}"
            yield f"file {path}", partial(dataset_api.remove, path)
        if present == ours and folder != "Resources":  # which every project has
            yield f"folder {folder}, then empty", partial(dataset_api.remove, folder)


def find(project) -> Removable:
    """All that is ours, in the order in which it can be removed."""
    for name in JOBS:
        job = project.get_job_api().get_job(name)
        if job:
            yield f"job {name}", job.delete
    deployment = project.get_model_serving().get_deployment("titanic")
    if deployment:
        yield "deployment titanic", lambda: deployment.delete(force=True)
    for model in project.get_model_registry().get_models("titanic"):
        yield f"model titanic {model.version}", model.delete
    yield from find_in_feature_store(project.get_feature_store())
    yield from find_files(project.get_dataset_api())


def main() -> None:
    """List what is ours, ask, and remove it."""
    project = login()
    found = list(find(project))
    if not found:
        print(f"The project {project.name} holds nothing of this repository.")
        return
    print(f"In the project {project.name}:")
    for what, _ in found:
        print(f"  {what}")
    if os.environ.get("YES") != "1":
        print("Remove all this for good? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise SystemExit("Nothing was removed.")
    for what, remove in found:
        remove()
        print(f"Removed {what}.")


if __name__ == "__main__":
    main()
