"""Killed at any step of a write into the online store, or of an operation on it, and started again,
all is as before or as after, and both halves of a feature group agree; see kill_points.py."""

from __future__ import annotations

import pytest

WRITES = ["insert_online", "overwrite_online", "remove_online_rows", "append_online_feature"]
STREAM_INSERTS = ["insert_stream", "overwrite_stream"]
STREAMS = ["remove_stream_rows", "append_stream_feature", "delete_stream_group"]
OTHERS = [
    "create_online_group",
    "create_stream_group",
    "delete_online_group",
    "create_topic",
    "delete_topic",
]


@pytest.mark.reliability
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("operations", [WRITES, STREAM_INSERTS, STREAMS, OTHERS], ids="-".join)
def test_killed_at_any_step_of_an_online_write_all_is_as_before_or_as_after(kill, operations):
    kill("both", "SIGKILL", *operations)


@pytest.mark.reliability
@pytest.mark.timeout(1600)
def test_server_of_others_killed_at_any_step_of_an_online_write_leaves_nothing_half_done(kill):
    kill("server", "SIGKILL", "insert_online", "remove_online_rows", "overwrite_stream")


@pytest.mark.reliability
@pytest.mark.timeout(1600)
def test_broker_killed_at_any_commit_loses_no_row_and_the_write_goes_on(kill):
    kill("broker", "SIGKILL", "insert_online", "remove_online_rows", "insert_stream")


@pytest.mark.reliability
@pytest.mark.timeout(1600)
def test_job_killed_at_any_step_of_bringing_rows_offline_is_gone_on_with(kill):
    kill("job", "SIGKILL", "insert_stream", "overwrite_stream")
