"""Eight programs at the same moment over one store: one thing is made once, no row is lost, no read
is half a write."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest

from local_hopsworks import Server
from local_hopsworks.check import check
from local_hopsworks.feature_store.queries import plan_ticket
from local_hopsworks.feature_store.tables import feature_groups, feature_views
from local_hopsworks.models.tables import models
from local_hopsworks.offline.run import Engine

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(600)]
PROGRAM = Path(__file__).with_name("many_programs.py")
PROGRAMS = 8
KEYS, ROUNDS = 500, 4  # as there


@pytest.fixture
def at_once(run, tmp_path):
    """Run a task in eight programs; what each reports, none of which may have failed."""

    def start(task):
        done = run(
            sys.executable,
            PROGRAM,
            task,
            PROGRAMS,
            env={"LOCAL_HOPSWORKS_HOME": str(tmp_path)},
            timeout=500,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        reports = json.loads(done.stdout.partition("REPORTS ")[2])
        assert len(reports) == PROGRAMS and not [
            report for report in reports if "failed" in report
        ], reports
        return reports

    return start


@pytest.fixture
def stored(tmp_path):
    """What lies in the store afterwards: rows of a metadata table, or all rows of the feature group
    with id 1."""

    @contextlib.contextmanager
    def opened():
        with Server(tmp_path) as server, server._metadata.transaction(write=False) as db:
            yield server, db

    def look(table=None):
        with opened() as (server, db):
            if table is not None:
                return db.execute(table.select()).all()
            features = db.execute(feature_groups.select()).one().document["features"]
            query = {
                "leftFeatureGroup": {"id": 1},
                "leftFeatures": [{"name": f["name"]} for f in features],
            }
            plan = plan_ticket(server._hopsworks, {"project": 1, "query": query})
            return server._hopsworks.part(Engine).table(plan).to_pandas()

    return look


def test_one_feature_group_view_and_model_version_is_made(at_once, stored, tmp_path):
    reports = at_once("create")
    assert len(stored(feature_groups)) == len(stored(feature_views)) == len(stored(models)) == 1
    assert {report["group"] for report in reports} == {1}
    # All get the same group; its empty table is written by the client, and a writer that comes
    # second is told
    told = [report["table"] for report in reports if report["table"] is not None]
    assert all(
        "changed since last commit" in error or "table already exists" in error for error in told
    ), told
    assert len(told) < PROGRAMS
    # The SDK asks for a model's folder before it makes one: who comes second is told so by it or by
    # the server
    for kind, told_by in (
        ("view", ("RestAPIError",)),
        ("model", ("RestAPIError", "ModelRegistryException")),
    ):
        errors = [report[kind] for report in reports if report[kind] is not None]
        assert len(errors) == PROGRAMS - 1 and all(error.startswith(told_by) for error in errors), (
            errors
        )
    winner = next(report["number"] for report in reports if report["model"] is None)
    folder = tmp_path / "projects" / "local" / "Models" / "raced" / "1"
    assert (folder / "Files" / "maker.txt").read_text() == str(winner)


def test_ten_thousand_appended_rows_are_ten_thousand_rows(at_once, stored, record):
    at_once("append")
    record(rows_written=10_000)
    found = stored()["id"]
    record(rows_lost=10_000 - found.nunique())
    assert sorted(found) == list(range(10_000))


def test_one_write_wins_whole_and_the_other_is_told(at_once, stored, record):
    reports = at_once("upsert")
    errors = [error for report in reports for error in report["errors"]]
    assert sum(report["done"] for report in reports) + len(errors) == PROGRAMS * ROUNDS
    assert sum(report["done"] for report in reports) >= ROUNDS  # somebody always gets through
    for error in errors:
        assert error.startswith("CommitFailedError") and "concurrent transaction" in error, error
    rows = stored()
    record(rows_written=KEYS, rows_lost=KEYS - rows["id"].nunique())
    assert sorted(rows["id"]) == list(range(KEYS)) and rows["writer"].nunique() == 1


def test_file_that_all_upload_is_one_of_theirs(at_once, tmp_path):
    reports = at_once("upload")
    errors = [report["error"] for report in reports if report["error"]]
    assert len(errors) < PROGRAMS and all(
        "RestAPIError" in error or "Dataset" in error for error in errors
    ), errors
    content = (tmp_path / "projects" / "local" / "Resources" / "raced.txt").read_bytes()
    assert len(content) == 25 * 2**20 and content == content[:1] * len(content)
    # Forks end without a word, and leave empty folders of drafts
    assert check(tmp_path, repair=True)[1] == []


def test_who_reads_while_others_write_sees_one_write_whole(at_once, record):
    reports = at_once("read_and_write")
    seen = [tuple(rows) for report in reports for rows in report.get("seen", [])]
    record(inputs_tried=len(seen))
    assert len(seen) == PROGRAMS // 2 * ROUNDS and set(seen) == {(KEYS, KEYS, 1)}
