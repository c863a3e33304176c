"""A day of the system: one passenger is made up and predicted, and the result is looked at.

HOPSWORKS_API_KEY=… make daily

Exits with status 1 and one sentence if rows or pictures did not change, or if the monitor's
verdict is "Check the model", so that the daily workflow tells its owner.
"""

import os
import subprocess
import sys
from pathlib import Path

import hopsworks

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("titanic", "passenger_outcome_predictions")
PICTURE = "Resources/images/df_recent.png"  # differs after every prediction


def read_ids(project, group_name: str) -> set[int]:
    """The ids of the passengers in a feature group; none if there is no such group."""
    group = project.get_feature_store().get_feature_group(group_name, 1)
    if group is None:
        return set()
    return set(group.select(["passenger_id"]).read()["passenger_id"])


def read_picture(project) -> bytes:
    """The stored picture of the most recent predictions; empty if there is none."""
    dataset_api = project.get_dataset_api()
    if not dataset_api.exists(PICTURE):
        return b""
    return dataset_api.read_content(f"/{PICTURE}").content


def look(project) -> dict:
    """What can change in a day: the passengers of each feature group, and a picture."""
    passengers = {name: read_ids(project, name) for name in GROUPS}
    return {**passengers, "picture": read_picture(project)}


def find_problems(before: dict, after: dict) -> list[str]:
    """What should have changed from one look to the next and did not, in sentences."""
    problems = []
    for name in GROUPS:
        if not after[name] - before[name]:
            problems.append(f"No passenger was added to the feature group {name}.")
    for passenger in after["titanic"] - before["titanic"] - after[GROUPS[1]]:
        problems.append(f"Passenger {passenger} has no prediction.")
    if after["picture"] == before["picture"]:
        problems.append(f"{PICTURE} has not changed.")
    return problems


def run(*command: str) -> None:
    """Run a program of this repository; exits with its status if it fails."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def main() -> None:
    """Make up a passenger, predict it, and check what changed."""
    if not os.environ.get("HOPSWORKS_API_KEY"):  # an embedded Hopsworks would prove nothing
        raise SystemExit("HOPSWORKS_API_KEY is not set: daily checks a Hopsworks account.")
    project = hopsworks.login()
    before = look(project)
    run("titanic_feature_pipeline.py")
    run("titanic_batch_inference_pipeline.py")
    problems = find_problems(before, look(project))
    if problems:
        raise SystemExit("\n".join(problems))
    run("huggingface-spaces-titanic-monitor/watch.py")
    print("Rows and pictures have changed as they should.")


if __name__ == "__main__":
    main()
