"""A day of the system: a passenger is made up and predicted. Fails if rows and pictures did not
change by that.

export HOPSWORKS_API_KEY=...
make daily
"""

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import hopsworks

ROOT = Path(__file__).resolve().parent.parent
IMAGES = "Resources/images"
DAILY = {
    "monitor.json",
    "df_recent.png",
    "accuracy_over_time.png",
}  # the other pictures may be the same as yesterday


def look(project: Any) -> tuple[set[int], set[int], dict[str, bytes]]:
    """Who arrived and who was predicted in the last day, and what lies in dataset storage for the
    monitor."""
    store, files = project.get_feature_store(), project.get_dataset_api()
    since, ids = datetime.now(timezone.utc) - timedelta(days=1), []
    for name, time in (("titanic", "event_time"), ("passenger_outcome_predictions", "datetime")):
        group = store.get_feature_group(name, 1)
        rows = (
            group.select(["passenger_id"]).filter(group[time] >= since).read()
            if group
            else {"passenger_id": []}
        )
        ids.append({int(each) for each in rows["passenger_id"]})
    names = [os.path.basename(path) for path in files.list(IMAGES)] if files.exists(IMAGES) else []
    return *ids, {name: files.read_content(f"/{IMAGES}/{name}").content for name in names}


def find_problems(before: tuple, after: tuple) -> list[str]:
    """What should have changed from one look to another and did not, in sentences."""
    new, images = after[0] - before[0], after[2]
    problems = [] if new else ["No passenger was added to the feature group titanic."]
    problems += [
        f"Passenger {each} is not in passenger_outcome_predictions." for each in new - after[1]
    ]
    same = [name for name in sorted(DAILY) if images.get(name) == before[2].get(name)]
    problems += [f"{IMAGES}/{name} has not changed." for name in same]
    told = json.loads(images.get("monitor.json", "{}")).get("pictures", {})
    torn = [
        name
        for name, digest in told.items()
        if hashlib.sha256(images.get(name, b"")).hexdigest() != digest
    ]
    return problems + [
        f"{IMAGES}/{name} is not the picture that monitor.json tells of." for name in torn
    ]


def main() -> None:
    if not os.environ.get(
        "HOPSWORKS_API_KEY"
    ):  # a Hopsworks made for this run would prove nothing about the account
        raise SystemExit(
            "HOPSWORKS_API_KEY is not set: make one in your account's settings, as a secret for GitHub."
        )
    project = hopsworks.login()
    before = look(project)
    for name in ("feature", "batch_inference"):
        done = subprocess.run(
            [sys.executable, str(ROOT / f"titanic_{name}_pipeline.py")], check=False
        )
        if done.returncode:
            raise SystemExit(f"titanic_{name}_pipeline.py ended with {done.returncode}: see above.")
    if problems := find_problems(before, look(project)):
        raise SystemExit("\n".join(problems))
    print("Rows and pictures have changed as they should.")


if __name__ == "__main__":
    main()
