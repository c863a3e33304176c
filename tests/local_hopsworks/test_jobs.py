"""Jobs: Python scripts in dataset storage, run as child processes of the serving one."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from hopsworks.client.exceptions import JobException, JobExecutionException, RestAPIError

from local_hopsworks import Server
from local_hopsworks.errors import HopsworksError
from local_hopsworks.jobs import cron
from tests import rest
from tests.processes import alive, children, wait

SCRIPTS = Path(__file__).parent / "programs" / "jobs"
SURROUNDINGS = (SCRIPTS / "shows_surroundings.py").read_text()
SLEEPS = (SCRIPTS / "sleeps.py").read_text()
READS_AND_SAVES = (SCRIPTS / "reads_and_saves.py").read_text()
FIRST_OF_2030 = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def job_api(project):
    return project.get_job_api()


@pytest.fixture
def upload(project, tmp_path):
    """Put a text into dataset storage and return its path there."""

    def to(name, text):
        (tmp_path / name).write_text(text)
        return project.get_dataset_api().upload(str(tmp_path / name), "Resources", overwrite=True)

    return to


@pytest.fixture
def make(job_api, upload, name):
    def create(script=SURROUNDINGS, **config):
        path = upload(f"{name}.py", script)
        return job_api.create_job(
            name, {**job_api.get_configuration("PYTHON"), "appPath": path, **config}
        )

    return create


def ended(job):
    return wait(
        lambda: next((run for run in job.get_executions() if run.success is not None), None)
    )


def logs(execution, folder):
    return [Path(path).read_text() for path in execution.download_logs(str(folder))]


def test_script_runs_with_its_arguments_and_its_logs_are_downloaded(make, tmp_path):
    job = make()
    execution = job.run(args="--day 'Monday morning' -v")
    assert (execution.success, execution.state, execution.final_status) == (
        True,
        "FINISHED",
        "SUCCEEDED",
    )
    assert execution.args == "--day 'Monday morning' -v" and execution.duration > 0
    out, err = logs(execution, tmp_path)
    assert "arguments ['--day', 'Monday morning', '-v']" in out and err == "to stderr\n"
    assert job.get_state() == "FINISHED" and job.get_final_state() == "SUCCEEDED"


def test_job_reaches_the_project_it_belongs_to_by_a_plain_login(
    make, feature_store, project, api, tmp_path
):
    import pandas as pd

    group = feature_store.get_or_create_feature_group("counted", 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2, 3]}))
    job = make(READS_AND_SAVES)
    job.run(await_termination=False)
    out, err = logs(ended(job), tmp_path)
    assert f"logged in to {project.name}" in out and "rows 3" in out, err
    assert (
        api("GET", "/project/1/modelregistries/1/models/made_by_a_job_1").json()["jobName"]
        == job.name
    )


def test_script_that_fails_is_reported_and_its_error_is_in_the_log(make, tmp_path):
    job = make("raise SystemExit('no data today')")
    job.run(await_termination=False)
    failed = ended(job)
    assert (failed.success, failed.state, failed.final_status) == (False, "FAILED", "FAILED")
    assert logs(failed, tmp_path)[1] == "no data today\n"
    with pytest.raises(JobExecutionException, match="failed"):
        failed.await_termination()


def test_default_arguments_variables_times_and_files_reach_the_script(make, upload, name, tmp_path):
    job = make(defaultArgs="--default", files=upload(f"{name}.csv", "a,b"))
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    job.run(await_termination=False, start_time=moment, env_vars={"COLOUR": "blue"})
    out, _ = logs(ended(job), tmp_path)
    assert "arguments ['--default']" in out
    assert "window 2026-01-02T00:00:00+00:00 blue" in out
    assert f"beside me ['{name}.csv']" in out


def test_running_job_is_stopped_with_all_it_started(make, tmp_path):
    job = make(SLEEPS)
    before = children(os.getpid())  # of other tests
    execution = job.run(args="twice", await_termination=False)
    assert execution.success is None and execution.final_status == "UNDEFINED"
    wait(
        lambda: (
            job.get_state() == "RUNNING" and "asleep" in logs(job.get_executions()[0], tmp_path)[0]
        )
    )
    [process] = set(children(os.getpid())) - set(before)
    [grandchild] = wait(lambda: children(process))
    execution.stop()
    assert ended(job).state == "KILLED"
    with pytest.raises(JobExecutionException, match="stopped"):
        execution.await_termination()
    wait(lambda: not alive(process) and not alive(grandchild))


def test_executions_are_listed_newest_first_and_deleted_with_their_logs(make, server, name):
    job = make("print('ran')")
    assert job.get_executions() == []
    with pytest.raises(JobException):
        job.get_state()
    for number in ("1", "2"):
        job.run(args=number, await_termination=False)
        wait(lambda: job.get_executions()[0].success)
    newest, oldest = job.get_executions()
    assert (newest.args, oldest.args) == ("2", "1") and newest.id > oldest.id
    folder = server.store.project(server.project) / "Logs" / "Python" / name
    assert len(list(folder.iterdir())) == 2
    oldest.delete()
    assert [execution.id for execution in job.get_executions()] == [newest.id]
    assert [path.name for path in folder.iterdir()] == [str(newest.id)]


def test_execution_under_way_cannot_be_deleted_but_ends_with_its_job(make, job_api, name):
    job = make(SLEEPS)
    execution = job.run(await_termination=False)
    with pytest.raises(RestAPIError) as refused:
        execution.delete()
    assert refused.value.error_code == 130010
    job.delete()
    assert job_api.get_job(name) is None
    wait(
        lambda: (
            not [thread for thread in _threads() if thread == f"hopsworks-execution-{execution.id}"]
        )
    )


def _threads():
    import threading

    return [thread.name for thread in threading.enumerate()]


def test_job_is_found_listed_changed_and_tagged(make, job_api, upload, name):
    job = make()
    assert job_api.exists(name) and name in [found.name for found in job_api.get_jobs()]
    job.config["appPath"] = upload("another.py", "print('another')")
    changed = job.save()
    assert changed.id == job.id and job_api.get_job(name).config["appPath"].endswith(
        "/Resources/another.py"
    )
    job.add_tag("owner", {"team": "trains"})
    assert job.get_tag("owner") == {"team": "trains"}
    assert job_api.get_job("nothing_of_this_name") is None


def test_page_of_a_job_shows_its_executions(make, server, name):
    job = make()
    job.run(args="--hello", await_termination=False)
    ended(job)
    with rest.session(server) as browser:
        browser.get(server.page, timeout=60)
        pages = [
            browser.get(url, timeout=60).text
            for url in (job.get_url(), job.get_executions()[0].get_url())
        ]
    assert all("--hello" in page and "finished" in page and name in page for page in pages)


def test_other_kinds_of_jobs_are_refused_by_name(job_api, name):
    for kind in ("PYSPARK", "SPARK", "DOCKER", "PYTHON_APP"):
        with pytest.raises(RestAPIError, match=kind) as refused:
            job_api.get_configuration(kind)
        assert refused.value.response.status_code == 501
    with pytest.raises(RestAPIError, match="a job of type Spark"):
        job_api.create_job(name, {"type": "sparkJobConfiguration", "appPath": "Resources/a.py"})
    with pytest.raises(RestAPIError, match="a job of type Docker"):
        job_api.create_job(name, {"type": "dockerJobConfiguration"})


@pytest.mark.parametrize("path", ["Resources/notebook.ipynb", "Resources/archive.jar"])
def test_only_python_scripts_become_jobs(job_api, name, path):
    with pytest.raises(RestAPIError, match="Python script") as refused:
        job_api.create_job(name, {"type": "pythonJobConfiguration", "appPath": path})
    assert refused.value.error_code == 130013


@pytest.mark.parametrize(
    "path", ["Resources/missing.py", "/Projects/tests/../../../../etc/passwd.py"]
)
def test_script_outside_dataset_storage_does_not_run(job_api, name, path):
    job = job_api.create_job(name, {"type": "pythonJobConfiguration", "appPath": path})
    with pytest.raises(RestAPIError):
        job.run()
    assert job.get_executions() == []


def test_arguments_that_cannot_be_split_are_refused(make):
    with pytest.raises(RestAPIError, match="split into words"):
        make().run(args="'unclosed")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/jobs/x"), ("POST", "/jobs/x/executions"), ("GET", "/jobs")]
)
def test_without_the_key_no_job_is_made_or_run(server, method, path):
    with requests.Session() as stranger:
        url = f"{server.address}/hopsworks-api/api/project/1{path}"
        assert stranger.request(method, url, verify=False, timeout=60, json={}).status_code == 401


def test_job_this_server_did_itself_cannot_be_run_again(feature_store, job_api, name):
    import pandas as pd
    from hsfs.feature import Feature

    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1]}))
    group.append_features([Feature("late", "bigint")])
    with pytest.raises(RestAPIError, match="did its work") as refused:
        job_api.get_job(f"{name}_1_update_schema").run()
    assert refused.value.response.status_code == 501


# -------------------------------------------------------------------------------------------------
# servers that end


def test_server_that_stops_ends_its_jobs_and_leaves_nothing(tmp_path, environment):
    with Server(tmp_path) as server:
        _create(server, SLEEPS)
        execution = _post(server, "/jobs/sleeper/executions").json()
        wait(
            lambda: (
                _get(server, f"/jobs/sleeper/executions/{execution['id']}")["state"] == "RUNNING"
            )
        )
    assert [name for name in _threads() if name == f"hopsworks-execution-{execution['id']}"] == []
    assert list((tmp_path / "servers").iterdir()) == []
    with Server(tmp_path) as server:
        assert _get(server, f"/jobs/sleeper/executions/{execution['id']}")["state"] == "KILLED"


def test_killed_server_leaves_no_execution_running(tmp_path, environment):
    command = [sys.executable, "-m", "local_hopsworks", "serve", "--home", str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        while "Ctrl-C" not in process.stdout.readline():
            pass
        with Server(tmp_path) as onlooker:
            port = (tmp_path / "port").read_text().strip()
            _create(onlooker, SLEEPS)
            execution = _post(onlooker, "/jobs/sleeper/executions", port=port).json()
            path = f"/jobs/sleeper/executions/{execution['id']}"
            wait(lambda: _get(onlooker, path)["state"] == "RUNNING")
            [orphan] = children(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait()
            # Seen at once, by whoever asks
            assert _get(onlooker, path)["state"] == "FRAMEWORK_FAILURE"
        with Server(tmp_path) as server:
            assert _get(server, path)["finalStatus"] == "FAILED"
        wait(lambda: not alive(orphan))


def _post(server, path, **options):
    return rest.succeed(server, "POST", path, **options)


def _get(server, path):
    return rest.succeed(server, "GET", path).json()


def _create(server, script, name="sleeper"):
    (server.store.project(server.project) / "Resources" / f"{name}.py").write_text(script)
    config = {
        "type": "pythonJobConfiguration",
        "appPath": f"hdfs:///Projects/{server.project}/Resources/{name}.py",
    }
    rest.succeed(server, "PUT", f"/jobs/{name}", json=config)


# --------------------------------------------------------------------------------------------------
# schedules


def test_schedule_is_kept_paused_resumed_and_removed(make, job_api, name):
    job = make()
    schedule = job.schedule("0 0 6 ? JAN MON *")  # none is due while the test runs
    assert schedule.enabled and schedule.next_execution_date_time > datetime.datetime.now(
        datetime.timezone.utc
    )
    assert schedule.next_execution_date_time.hour == 6
    found = job_api.get_job(name)
    assert found.job_schedule.cron_expression == "0 0 6 ? JAN MON *"
    assert found.pause_schedule().next_execution_date_time is None
    assert found.resume_schedule().next_execution_date_time == schedule.next_execution_date_time
    found.unschedule()
    assert job_api.get_job(name).job_schedule is None


def test_server_that_runs_schedules_starts_a_job_when_it_is_due(tmp_path):
    window = "import os\nprint(os.environ['HOPS_START_TIME'], os.environ['HOPS_END_TIME'])"
    with Server(tmp_path) as server, Server(tmp_path) as another:
        _create(server, window, "tick")
        soon = {
            "startDateTime": 0,
            "cronExpression": "0/1 * * ? * * *",
            "enabled": True,
            "maxActiveRuns": 1,
        }
        _post(server, "/jobs/tick/schedule/v2", json=soon)
        server.run_schedules()
        another.run_schedules()

        def finished():
            return [
                run
                for run in _get(server, "/jobs/tick/executions")["items"]
                if run["state"] == "FINISHED"
            ]

        runs = wait(lambda: finished() if len(finished()) >= 3 else None)
        rest.succeed(server, "DELETE", "/jobs/tick/schedule/v2")
        folder = server.store.project(server.project).parent
        logs = [folder / run["stdoutPath"].removeprefix("/Projects/") for run in runs]
        windows = [log.read_text().split() for log in logs]
        assert all(start < end for start, end in windows)
        assert len({end for _, end in windows}) == len(runs)  # two servers, yet each time only once


@pytest.mark.parametrize("catchup", [False, True], ids=["only_the_latest", "all_with_catchup"])
def test_times_missed_while_no_server_ran_are_made_up_for(tmp_path, catchup):
    import sqlite3

    with Server(tmp_path) as server:
        _create(server, "print('late')", "late")
        # Once a year, so that no further time comes while the test runs
        yearly = {"startDateTime": 0, "cronExpression": "0 0 0 1 JAN ? *", "enabled": True}
        due = _post(server, "/jobs/late/schedule/v2", json=yearly).json()["nextExecutionDateTime"]
        new_year = datetime.datetime.fromtimestamp(due / 1000, datetime.timezone.utc)
        first = int(new_year.replace(year=new_year.year - 3).timestamp() * 1000)
        with contextlib.closing(sqlite3.connect(server.store.metadata_file)) as database, database:
            changed = json.dumps(catchup)
            database.execute(
                "UPDATE job_schedules SET due = ?, document = json_set(document, "
                "'$.catchup', json(?))",
                (first, changed),
            )
        server.run_schedules()

        def done():
            following = _get(server, "/jobs/late")["jobSchedule"]["nextExecutionDateTime"]
            runs = _get(server, "/jobs/late/executions")["items"]
            return (
                following > time.time() * 1000
                and all(run["state"] == "FINISHED" for run in runs)
                and (following, runs)
            )

        following, runs = wait(done)
        assert (following, len(runs)) == (due, 3 if catchup else 1)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("* * * * *", "it has 5 fields"),
        ("0 0 25 * * ?", "higher than the maximum"),
        ("0 0 1 1 * MON", "one of day of month and day of week must be ?"),
        ("0 0 1 * * *", "either day of month or day of week, and nothing else, is ?"),
        ("0 0 1 ? * ?", "either day of month or day of week, and nothing else, is ?"),
        ("? 0 1 ? * MON", "either day of month or day of week, and nothing else, is ?"),
        ("0 0 1 ? * 8", "'8' is no day of the week"),
        ("0 0 1 ? * MON-", "'MON-' are no days of the week"),
        ("0 0 1 ? * MON/0", "'MON/0' are no days of the week"),
        ("nonsense", "it has 1 fields"),
        ("0 0 0 15W * ?", "15W is not supported"),
        ("", "it has 0 fields"),
    ],
)
def test_impossible_schedule_is_refused_with_a_sentence(make, expression, reason):
    with pytest.raises(RestAPIError, match="no cron expression") as refused:
        make().schedule(expression)
    assert refused.value.error_code == 130021
    assert reason in refused.value.response.json()["errorMsg"]


NEVER = {
    "a day that is none": {"cron_expression": "0 0 6 31 2 ?"},
    "a year that is over": {"cron_expression": "0 0 6 * * ? 2020"},
    "an end before the start": {"start_time": FIRST_OF_2030, "end_time": FIRST_OF_2030 - DAY},
    "an end before the first time": {"start_time": FIRST_OF_2030, "end_time": FIRST_OF_2030},
    "an end that is over": {"end_time": FIRST_OF_2030 - 20 * 365 * DAY},
}


@pytest.mark.parametrize("options", NEVER.values(), ids=NEVER)
def test_schedule_that_would_never_be_due_is_refused(make, job_api, name, options):
    job = make()
    with pytest.raises(RestAPIError, match="no time between its start and its end") as refused:
        job.schedule(**{"cron_expression": "0 0 6 * * ?", **options})
    assert refused.value.error_code == 130021
    assert job_api.get_job(name).job_schedule is None
    end = {"start_time": FIRST_OF_2030, "end_time": FIRST_OF_2030 + DAY}
    assert job.schedule("0 0 6 * * ?", **end).next_execution_date_time.day == 1


def test_schedule_beyond_what_is_here_is_refused_by_name(make):
    with pytest.raises(RestAPIError, match="maxCatchupRuns"):
        make().schedule("0 0 6 * * ?", max_catchup_runs=3)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 12 * * ?", "2026-01-01T12:00:00"),
        ("0 15 10 ? * 2", "2026-01-05T10:15:00"),  # 1 is Sunday
        ("0 15 10 ? * 6-2", "2026-01-02T10:15:00"),
        ("0 0/5 14 * * ?", "2026-01-01T14:00:00"),
        ("30 0 0 L * ?", "2026-01-31T00:00:30"),
        ("0 15 10 ? * 6L", "2026-01-30T10:15:00"),
        ("0 15 10 ? * 6#3", "2026-01-16T10:15:00"),
        ("0 0 0 1 1 ? 2027", "2027-01-01T00:00:00"),
        ("0 0 9 ? MAR MON,WED", "2026-03-02T09:00:00"),
    ],
)
def test_cron_expressions_mean_what_quartz_documents(expression, expected):
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000
    found = cron.next_time(expression, int(start))
    assert (
        datetime.datetime.fromtimestamp(found / 1000, datetime.timezone.utc).isoformat()[:19]
        == expected
    )


def test_schedule_that_is_over_has_no_next_time():
    assert cron.next_time("0 0 0 1 1 ? 2020", 1_767_225_600_000) is None
    with pytest.raises(HopsworksError):
        cron.next_time("0 0 0", 0)
