"""Killed at any step of any write and started again, all is as before or as after; see
kill_points.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FURNISHED = Path(__file__).with_name("furnished.py")


@pytest.mark.long
def test_killed_between_two_steps_of_a_write_it_is_finished_or_undone(kill):
    kill(
        "both",
        "SIGKILL",
        "overwrite@answered POST .*clear",
        "recreate_training_data@^rename projects",
        "model_save@ask PUT",
    )


TABLES = [
    "create_group",
    "first_insert",
    "upsert",
    "append",
    "overwrite",
    "remove_rows",
    "append_feature",
    "delete_group",
]
ABOUT_TABLES = ["tag_group", "compute_statistics", "create_view", "delete_view"]
TRAINING_DATA = [
    "write_training_data",
    "write_training_splits",
    "recreate_training_data",
    "delete_training_files",
    "delete_training_dataset",
]
FILES = [
    "upload",
    "upload_again",
    "upload_in_chunks",
    "copy_folder",
    "move_folder",
    "remove_folder",
    "make_folder",
]
MODELS = ["model_save", "model_delete"]
OTHERS = [
    "create_secret",
    "delete_secret",
    "create_job",
    "schedule_job",
    "delete_job",
    "make_store",
    "open_store",
]


@pytest.mark.reliability
@pytest.mark.timeout(1600)
@pytest.mark.parametrize(
    "operations", [TABLES + ABOUT_TABLES, TRAINING_DATA, MODELS + OTHERS, FILES], ids="-".join
)
def test_killed_at_any_step_of_a_write_all_is_as_before_or_as_after(kill, operations):
    kill("both", "SIGKILL", *operations)


@pytest.mark.reliability
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_program_stopped_at_any_step_of_a_long_write_leaves_nothing_half_done(kill, signal):
    kill(
        "both",
        signal,
        "overwrite",
        "recreate_training_data",
        "model_save",
        "upload_in_chunks",
        "delete_group",
    )


@pytest.mark.reliability
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_server_of_others_stopped_at_any_step_of_a_long_write_leaves_nothing_half_done(
    kill, signal
):
    kill(
        "server",
        signal,
        "overwrite",
        "recreate_training_data",
        "model_save",
        "upload_in_chunks",
        "upload_again",
        "delete_group",
    )


@pytest.mark.reliability
@pytest.mark.timeout(1600)
def test_client_killed_at_any_step_of_a_long_write_leaves_nothing_half_done_on_the_server(
    kill,
):
    kill(
        "client",
        "SIGKILL",
        "overwrite",
        "write_training_data",
        "model_save",
        "upload_in_chunks",
        "upload_again",
        "append_feature",
    )


@pytest.mark.reliability
@pytest.mark.timeout(700)
def test_killed_while_it_settles_what_an_earlier_kill_left_it_goes_on_the_next_time(
    kill, run, tmp_path
):
    broken = run(
        sys.executable, FURNISHED, "break", tmp_path / "template", env={"PYTHONWARNINGS": "ignore"}
    )
    assert broken.returncode == 9, broken.stderr[-2000:]
    assert len(list((tmp_path / "template").glob("featurestore/*/*.cleared"))) == 1
    assert (tmp_path / "template/projects/tests/tests_Training_Datasets/view_1_1").exists()
    assert (tmp_path / "template/projects/tests/Models/model/2").exists()
    kill("both", "SIGKILL", "open_store")
