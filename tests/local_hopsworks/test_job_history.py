"""Schedules that were missed, and what is kept of past executions."""

import datetime
import json
import re
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from local_hopsworks import Server
from local_hopsworks.http.times import iso
from local_hopsworks.jobs import cron, logs, retention, runner, schedules
from tests import rest

WEEK = 7 * 24 * 3600 * 1000  # ms
MOMENT = int(
    datetime.datetime(2026, 5, 17, 12, 30, 15, 500_000, datetime.timezone.utc).timestamp() * 1000
)


def walked(expression, after, until):
    """All times, one after the other."""
    found = []
    following = cron.next_time(expression, after)
    while following is not None and following <= until:
        found.append(following)
        following = cron.next_time(expression, following)
    return found


@pytest.mark.parametrize(
    "expression",
    [
        "0/1 * * ? * * *",
        "0 * * ? * *",
        "0/7 0/5 3 ? * MON-FRI",
        "0 0 6 ? * *",
        "* * 3 1 * ?",
        "0 0 0 29 2 ?",
    ],
)
@pytest.mark.parametrize("span", [1, 999, 1000, 61_000, 3_600_000])
def test_latest_time_is_the_last_of_all(expression, span):
    times = walked(expression, MOMENT - span, MOMENT)
    assert cron.latest_time(expression, MOMENT - span, MOMENT) == (times[-1] if times else None)


def test_latest_time_of_a_rare_schedule_is_found_over_years():
    times = walked("0 0 0 29 2 ?", 0, MOMENT)
    assert cron.latest_time("0 0 0 29 2 ?", 0, MOMENT) == times[-1]
    assert cron.latest_time("0 0 0 29 2 ?", 0, times[-1] - 1) == times[-2]


class Counted:
    """Counts how often a schedule's next time is looked for."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *arguments):
        self.calls += 1
        return self.function(*arguments)


def missed(server, since, **schedule):
    """A job that should have run since a time; the row of its schedule."""
    (server.store.project("local") / "Resources" / "job.py").write_text("print('ran')")
    path = "hdfs:///Projects/local/Resources/job.py"
    with closing(sqlite3.connect(server.store.metadata_file)) as database, database:
        config = {"type": "pythonJobConfiguration", "appPath": path}
        job = json.dumps(
            {"name": "job", "jobType": "PYTHON", "creationTime": "x", "config": config}
        )
        database.execute("INSERT INTO jobs VALUES (1, 1, 'job', 1, ?)", (job,))
        kept = {
            "startDateTime": 0,
            "enabled": True,
            "catchup": False,
            "maxActiveRuns": 1,
            **schedule,
        }
        database.execute(
            "INSERT INTO job_schedules (parent_id, document, due) VALUES (1, ?, ?)",
            (json.dumps(kept), since),
        )


def test_week_that_was_missed_by_the_second_is_settled_at_once(tmp_path, monkeypatch):
    counted = Counted(cron.next_time)
    monkeypatch.setattr(cron, "next_time", counted)
    with Server(tmp_path) as server:
        now = int(datetime.datetime.now().timestamp()) * 1000
        missed(server, now - WEEK, cronExpression="0/1 * * ? * * *")
        schedules.run_due(server._hopsworks)
        assert counted.calls < 200
        with closing(sqlite3.connect(server.store.metadata_file)) as database:
            [(due, fired)] = database.execute(
                "SELECT due, json_extract(document, '$.fired') FROM job_schedules"
            ).fetchall()
            assert database.execute("SELECT count(*) FROM executions").fetchone() == (1,)
    assert now <= fired < due <= fired + 1000


def test_times_after_the_end_of_a_schedule_were_not_missed(tmp_path):
    with Server(tmp_path) as server:
        now = int(datetime.datetime.now().timestamp()) * 1000
        end = now - WEEK + 10_000
        missed(server, now - WEEK, cronExpression="0/1 * * ? * * *", endDateTime=end)
        schedules.run_due(server._hopsworks)
        with closing(sqlite3.connect(server.store.metadata_file)) as database:
            found = database.execute(
                "SELECT due, json_extract(document, '$.fired') FROM job_schedules"
            ).fetchall()
    assert found == [(None, end)]


def test_windows_of_two_missed_times_follow_each_other(tmp_path):
    with Server(tmp_path) as server:
        now = int(datetime.datetime.now().timestamp()) * 1000
        missed(server, now - WEEK, cronExpression="0 0 * ? * *")
        with server._metadata.transaction(write=False) as db:
            row = db.execute(schedules.job_schedules.select()).one()
        step = schedules._step(row, now)
    assert step.fired - step.previous == 3_600_000
    assert step.fired <= now < step.following == step.fired + 3_600_000


# -------------------------------------------------------------------------------------------------
# executions


def executions(server, number, submitted=None, state="FINISHED"):
    """Past executions of a job with their logs, which are so many that none is started for them."""
    logs = server.store.project("local") / "Logs" / "Python" / "job"
    with closing(sqlite3.connect(server.store.metadata_file)) as database, database:
        first = (database.execute("SELECT max(id) FROM executions").fetchone()[0] or 0) + 1
        rows = []
        for identifier in range(first, first + number):
            path = f"/Projects/local/Logs/Python/job/{identifier}/stdout.log"
            document = {
                "state": state,
                "submissionTime": submitted or iso(MOMENT),
                "stdoutPath": path,
                "args": str(identifier),
            }
            rows.append((identifier, 1, json.dumps(document), server.store.id))
        database.executemany(
            "INSERT INTO executions (id, parent_id, document, runner) VALUES (?, ?, ?, ?)", rows
        )
    for identifier in range(first, min(first + number, first + 300)):
        (logs / str(identifier)).mkdir(parents=True)
        (logs / str(identifier) / "stdout.log").write_text("ran")
    return logs


@pytest.fixture
def with_job(tmp_path):
    with Server(tmp_path / "store") as server:
        missed(server, None, cronExpression="0 0 6 ? * *")
        yield server


def test_page_of_many_executions_is_a_page(with_job):
    executions(with_job, 2000)
    with rest.session(with_job, with_job.api_key) as session:
        url = f"{with_job.address}/hopsworks-api/api/project/1/jobs/job/executions"
        page = session.get(url, params={"offset": 20, "limit": 10}, timeout=60).json()
        assert page["count"] == 2000
        assert [found["id"] for found in page["items"]] == list(range(1980, 1970, -1))
        beyond = session.get(url, params={"offset": 3000, "limit": 10}, timeout=60).json()
        assert beyond == {"count": 2000, "items": []}


@contextmanager
def asked_about_executions(server):
    """The questions that this server puts to its database about executions meanwhile."""
    asked = []

    def note(_connection, _cursor, statement, parameters, *_):
        if "executions" in statement and statement.startswith("SELECT"):
            asked.append((statement, parameters))

    engine = server._metadata._engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(engine, "before_cursor_execute", note)


def ways(server, statement, parameters):
    """How SQLite finds the rows that a statement asks for, step by step."""
    with closing(sqlite3.connect(server.store.metadata_file)) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    return [step[-1] for step in plan]


def test_no_question_about_executions_reads_or_sorts_all_of_them(with_job):
    executions(with_job, 3, submitted=iso(int(time.time() * 1000)))
    session = rest.session(with_job, with_job.api_key)
    with asked_about_executions(with_job) as asked, session:
        url = f"{with_job.address}/hopsworks-api/api/project/1/jobs/job/executions"
        options = {"sort_by": "submissiontime:desc", "offset": 1, "limit": 1}
        assert session.get(url, params=options, timeout=60).json()["items"][0]["id"] == 2
        for options in ({"offset": -1, "limit": 0}, {"limit": -1}):
            assert len(session.get(url, params=options, timeout=60).json()["items"]) == 3
        assert session.get(f"{url}/2", timeout=60).json()["args"] == "2"
        token = with_job.page.partition("?")[2]
        assert session.get(f"{with_job.address}/p/1/jobs/named/job?{token}", timeout=60).ok
        assert session.get(f"{with_job.address}/p/1/jobs", timeout=60).ok
        runner.recover(with_job.store, with_job._metadata)
        retention.drop_old(with_job.store, with_job._metadata, 3)
        assert session.delete(f"{url}/2", timeout=60).ok
    assert len(asked) >= 8
    for statement, parameters in asked:
        steps = ways(with_job, statement, parameters)
        whole = [step for step in steps if "SCAN executions" in step and "INDEX" not in step]
        assert not whole and not any("TEMP B-TREE" in step for step in steps), (statement, steps)


def test_store_of_an_older_version_gets_the_indexes_that_came_later(tmp_path):
    with Server(tmp_path / "store") as server:
        file = server.store.metadata_file
    query = "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name"
    with closing(sqlite3.connect(file)) as database:
        before = database.execute(query).fetchall()
        database.execute("DROP INDEX ix_executions_under_way")
    with Server(tmp_path / "store"), closing(sqlite3.connect(file)) as database:
        assert database.execute(query).fetchall() == before


def test_oldest_executions_go_with_their_logs(with_job, monkeypatch):
    monkeypatch.setattr(retention, "MOST_KEPT", 5)
    monkeypatch.setattr(retention, "BATCH", 4)
    logs = executions(with_job, 12, submitted=iso(int(datetime.datetime.now().timestamp() * 1000)))
    for kept in (8, 5, 5):  # a few at a time
        retention.drop_old(with_job.store, with_job._metadata, 12)
        with closing(sqlite3.connect(with_job.store.metadata_file)) as database:
            found = [row[0] for row in database.execute("SELECT id FROM executions ORDER BY id")]
        assert found == list(range(13 - kept, 13))
        assert sorted(int(path.name) for path in logs.iterdir()) == found
    with closing(sqlite3.connect(with_job.store.metadata_file)) as database:
        assert database.execute("SELECT count(*) FROM unfinished").fetchone() == (0,)


def test_executions_of_long_ago_go_and_those_that_run_stay(with_job):
    long_ago = iso(int(datetime.datetime.now().timestamp() * 1000) - 91 * 86_400_000)
    executions(with_job, 3, submitted=long_ago)
    executions(with_job, 1, submitted=long_ago, state="RUNNING")
    executions(with_job, 1, submitted=iso(int(datetime.datetime.now().timestamp() * 1000)))
    retention.drop_old(with_job.store, with_job._metadata, 5)
    with closing(sqlite3.connect(with_job.store.metadata_file)) as database:
        assert database.execute("SELECT id FROM executions ORDER BY id").fetchall() == [(4,), (5,)]


def test_logs_of_a_deleted_job_go_with_it(with_job):
    logs = executions(with_job, 20)
    other = logs.with_name("other") / "1"
    other.mkdir(parents=True)
    url = f"{with_job.address}/hopsworks-api/api/project/1/jobs/job"
    headers = {"Authorization": f"ApiKey {with_job.api_key}"}
    ca = str(with_job.store.security / "ca.pem")
    assert requests.delete(url, headers=headers, verify=ca, timeout=60).status_code == 204
    assert not logs.exists() and other.exists()


@pytest.mark.parametrize("name", [".", ".."])
def test_job_cannot_have_the_name_of_another_folder(with_job, name):
    url = f"{with_job.address}/hopsworks-api/api/project/1/jobs/{'%2E' * len(name)}"
    request = requests.Request("PUT", url, json={"type": "pythonJobConfiguration"}).prepare()
    request.url = url
    request.headers["Authorization"] = f"ApiKey {with_job.api_key}"
    with requests.Session() as session:
        answer = session.send(request, verify=str(with_job.store.security / "ca.pem"), timeout=60)
    assert answer.status_code == 400 and "A job's name is" in answer.json()["errorMsg"]


# -------------------------------------------------------------------------------------------------
# logs


@pytest.fixture
def small_logs(monkeypatch):
    """Logs are shortened early."""
    monkeypatch.setattr(logs, "HEAD_BYTES", 1000)
    monkeypatch.setattr(logs, "TAIL_BYTES", 4000)
    monkeypatch.setattr(logs, "MOST_BYTES", 9000)


def parts(content):
    """The beginning of a log, how many bytes are left out, and the end."""
    begin, left_out, end = re.split(rb"\[(\d+) bytes are left out here: [^\n]*\]\n", content)
    return begin, int(left_out), end


def log_of(with_job, chunks):
    """What stays of the output that comes in these chunks."""
    path = with_job.store.home / "stdout.log"
    log = logs.Log(with_job.store, path)
    for chunk in chunks:
        log.write(chunk)
        assert path.stat().st_size <= logs.MOST_BYTES + max(map(len, chunks)) + 200
    log.close()
    return path.read_bytes()


@pytest.mark.parametrize("lines_at_once", [1, 7, 900])
@pytest.mark.parametrize("number", [10, 449, 451, 1000, 5000])
def test_of_a_long_log_the_beginning_and_the_end_stay(with_job, small_logs, lines_at_once, number):
    lines = [f"this is line {line:6}\n".encode() for line in range(number)]
    starts = range(0, number, lines_at_once)
    content = log_of(with_job, [b"".join(lines[at : at + lines_at_once]) for at in starts])
    if number < 451:
        assert content == b"".join(lines)
        return
    begin, left_out, end = parts(content)
    assert begin == b"".join(lines[:50]) and len(end) >= 3980
    assert left_out % 20 == 0 and b"".join(lines[50 + left_out // 20 :]) == end


def test_log_without_line_ends_is_shortened_too(with_job, small_logs):
    begin, left_out, end = parts(log_of(with_job, [b"x" * 500] * 100))
    assert begin == b"x" * 1000 + b"\n" and left_out + 1000 + len(end) == 50_000


def test_log_that_the_disk_cannot_take_does_not_stop_its_program(with_job, caplog):
    log = logs.Log(with_job.store, Path("/dev/full"))
    log.write(b"lost\n")
    log.write(b"lost\n")
    assert [message for message in caplog.messages if "/dev/full" in message] == [
        "The log /dev/full cannot be written: No space left on device."
    ]
    log.close()


def test_job_that_says_much_has_a_short_log(with_job, small_logs):
    script = with_job.store.project("local") / "Resources" / "job.py"
    script.write_text("for line in range(100_000):\n    print(line)\nprint('the end')")
    with rest.session(with_job, with_job.api_key) as session:
        url = f"{with_job.address}/hopsworks-api/api/project/1"
        run = session.post(f"{url}/jobs/job/executions", timeout=60).json()
        while run["finalStatus"] == "UNDEFINED":
            time.sleep(0.1)
            run = session.get(f"{url}/jobs/job/executions/{run['id']}", timeout=60).json()
        assert run["finalStatus"] == "SUCCEEDED"
        path = f"{url}/dataset/download/with_auth{run['stdoutPath']}"
        content = session.get(path, timeout=60).content
    begin, left_out, end = parts(content)
    assert begin.startswith(b"0\n1\n2\n") and end.endswith(b"\n99999\nthe end\n")
    whole = sum(len(f"{line}\n") for line in range(100_000)) + len("the end\n")
    assert len(begin) + left_out + len(end) == whole and len(content) <= 9200
