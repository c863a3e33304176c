"""The workflows for GitHub run what the Makefile offers, and the daily one fails loudly if nothing
has changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in (REPOSITORY / ".github/workflows").iterdir()
}
MAKEFILE = (REPOSITORY / "Makefile").read_text()


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
                or step.get("uses") == "pypa/gh-action-pypi-publish@release/v1"
            ), step


def test_daily_trains_once_a_week_and_predicts_every_day():
    # YAML reads the key `on` as a truth
    schedules = [each["cron"] for each in WORKFLOWS["daily"][True]["schedule"]]
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


def test_action_starts_a_hopsworks_that_the_next_steps_log_in_to(environment, tmp_path):
    """The action's own steps, run as GitHub runs them; then a program that knows nothing of it."""
    action = yaml.safe_load((REPOSITORY / ".github/actions/local-hopsworks/action.yml").read_text())
    install, start = (step["run"] for step in action["runs"]["steps"])
    assert install == 'python -m pip install --quiet "${{ inputs.package }}"'
    exported = tmp_path / "github_env"
    variables = {
        **environment,
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ENV": str(exported),
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
    }
    script = start.replace("${{ inputs.project }}", "ci")
    started = subprocess.Popen(
        ["bash", "-e", "-c", script + "\necho started; exec sleep 600"],
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        lines = []
        for line in started.stdout:
            lines.append(line.strip())
            if line == "started\n":
                break
        given = dict(line.split("=", 1) for line in exported.read_text().splitlines())
        assert f"::add-mask::{given['HOPSWORKS_API_KEY']}" in lines
        program = "import hopsworks; print('project', hopsworks.login().name)"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**variables, **given},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        assert "project ci" in done.stdout
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait()
        started.stdout.close()
