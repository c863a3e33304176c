"""The workflows for GitHub run what the Makefile offers, and the daily one fails loudly if nothing
has changed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in (REPOSITORY / ".github/workflows").iterdir()
}
MAKEFILE = (REPOSITORY / "Makefile").read_text()


def load(name):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_step_is_an_action_or_a_command_of_this_repository(name):
    for job in WORKFLOWS[name]["jobs"].values():
        for step in job["steps"]:
            command = step.get("run", "")
            target = re.fullmatch(r"make ([\w-]+)", command)
            known = bool(target and re.search(rf"^{target[1]}:", MAKEFILE, re.MULTILINE))
            assert (
                known
                or command == ".ci/run"
                or re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", ""))
            ), step


def test_daily_trains_once_a_week_and_predicts_every_day():
    schedules = [
        each["cron"] for each in WORKFLOWS["daily"][True]["schedule"]
    ]  # YAML reads the key `on` as a truth
    assert [each.split()[2:] for each in schedules] == [["*", "*", "1"], ["*", "*", "*"]]
    train, daily = (step for step in WORKFLOWS["daily"]["jobs"]["daily"]["steps"] if "run" in step)
    assert (train["if"], train["run"]) == (
        f"github.event.schedule == '{schedules[0]}'",
        "make train",
    )
    assert (daily["if"], daily["run"]) == (
        f"github.event.schedule != '{schedules[0]}'",
        "make daily",
    )


def test_secrets_reach_only_the_variables_of_their_names():
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            given = {
                name: value for name, value in job.get("env", {}).items() if "secrets." in value
            }
            assert given == {name: f"${{{{ secrets.{name} }}}}" for name in given}
            assert "secrets." not in json.dumps(job["steps"])


def test_a_day_without_change_is_told_by_what_has_not_changed():
    find_problems = load("daily").find_problems
    png = {
        name: hashlib.sha256(name.encode()).hexdigest()
        for name in ("df_recent.png", "accuracy_over_time.png")
    }
    images = {name: name.encode() for name in png} | {
        "monitor.json": json.dumps({"pictures": png}).encode()
    }
    before = ({1, 2}, {1, 2}, {name: b"of yesterday" for name in images})
    assert find_problems(before, ({1, 2, 3}, {1, 2, 3}, images)) == []
    (unpredicted,) = find_problems(before, ({1, 2, 3}, {1, 2}, images))
    assert unpredicted == "Passenger 3 is not in passenger_outcome_predictions."
    torn = find_problems(
        before, ({1, 2, 3}, {1, 2, 3}, images | {"df_recent.png": b"of another time"})
    )
    assert torn == ["Resources/images/df_recent.png is not the picture that monitor.json tells of."]
    same = find_problems(before, (*before[:2], before[2] | {"monitor.json": b"{}"}))
    assert same[0] == "No passenger was added to the feature group titanic." and len(same) == 3
    assert len(find_problems((set(), set(), {}), (set(), set(), {}))) == 4


def test_without_a_key_the_day_is_not_spent_on_a_hopsworks_of_its_own(monkeypatch):
    monkeypatch.delenv("HOPSWORKS_API_KEY", raising=False)
    with pytest.raises(SystemExit, match="HOPSWORKS_API_KEY is not set"):
        load("daily").main()
