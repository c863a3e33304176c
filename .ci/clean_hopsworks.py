"""Remove from a Hopsworks project what this repository made there, and nothing else, after showing
what that is.

make clean-hopsworks          # on the account of HOPSWORKS_API_KEY, or on the Hopsworks of this repository
YES=1 make clean-hopsworks    # does not ask
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local_hopsworks import login

JOBS = [f"titanic_{name}_pipeline" for name in ("feature", "training", "batch_inference")]
GROUPS = ("passenger_outcome_predictions", "titanic")  # version 1 of each
IMAGES = [
    "monitor.json",
    "latest_passenger_prediction.png",
    "actual_passenger_outcome.png",
    "df_recent.png",
]
IMAGES += ["accuracy_over_time.png", "confusion_matrix.png"]
FILES = {
    "Resources/images": IMAGES,
    "Resources/titanic": ["encoding.json", *(f"{job}.py" for job in JOBS)],
}


def find(project: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """What there is, by name and in the order in which it can be removed, each with what removes
    it."""
    store, files, job_api = (
        project.get_feature_store(),
        project.get_dataset_api(),
        project.get_job_api(),
    )
    beside: list[str] = []  # the files that jobs were given
    for name in JOBS:
        if job := job_api.get_job(name):
            beside += [
                os.path.basename(path)
                for path in (job.config.get("files") or "").split(",")
                if path
            ]
            yield f"job {name}", job.delete
    for model in project.get_model_registry().get_models("titanic"):
        yield f"model titanic {model.version}", model.delete
    for view in store.get_feature_views("titanic") or []:
        yield f"feature view titanic {view.version}, with its training data", view.delete
    for name in GROUPS:
        if group := store.get_feature_group(name, 1):
            yield f"feature group {name} 1", group.delete
    for folder, names in FILES.items():
        if not files.exists(folder):
            continue
        present = {os.path.basename(path) for path in files.list(folder)}
        ours = present & {*names, *(beside if folder == "Resources/titanic" else [])}
        for name in sorted(ours):
            yield f"file {folder}/{name}", lambda path=f"{folder}/{name}": files.remove(path)
        if present == ours:
            yield f"folder {folder}, then empty", lambda path=folder: files.remove(path)


def main() -> None:
    project = login()
    found = list(find(project))
    if not found:
        return print(f"The project {project.name} holds nothing of this repository.")
    print(f"In the project {project.name}:", *(f"  {what}" for what, _ in found), sep="\n")
    if os.environ.get("YES") != "1":
        print("Remove all this for good? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise SystemExit("Nothing was removed.")
    for what, remove in found:
        remove()
        print(f"Removed {what}.")


if __name__ == "__main__":
    main()
