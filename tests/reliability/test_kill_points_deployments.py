"""Killed at any step of what is done with a deployment, and started again, all is as before or as
after: states, files, and the answers of those that are to run; see kill_points.py."""

from __future__ import annotations

import pytest

OPERATIONS = [
    "create_deployment",
    "start_deployment",
    "stop_deployment",
    "change_deployment",
    "delete_deployment",
]


@pytest.mark.reliability
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_step_of_deploying_all_is_as_before_or_as_after(kill, operation):
    kill("both", "SIGKILL", operation)


@pytest.mark.reliability
@pytest.mark.timeout(1600)
def test_server_of_others_killed_at_any_step_of_a_change_leaves_the_old_model_or_the_new_one(kill):
    kill("server", "SIGKILL", "change_deployment")
