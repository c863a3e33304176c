"""What lists and look-ups cost as a store grows: the REST calls of the SDK, on a store with a few
of each thing and on the same store with many. A list is given in µs for each thing in it."""

import http.client
import ssl
import statistics
import time
import uuid
from contextlib import closing

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from local_hopsworks.jobs.tables import executions
from local_hopsworks.models.tables import models

GROUPS, COMMITS, EXECUTIONS, VERSIONS, FILES = 1000, 10_000, 100_000, 1000, 10_000
FEW, PAGE = 20, 20
LOOKUPS, LISTS = 100, 5  # calls of each, of which the median counts
STORE = "/project/1/featurestores/1"
MODELS = "/project/1/modelregistries/1/models"
EXPAND = "expand=features&expand=expectationsuite"
SINGLE = "offset=0&limit=1&sort_by=computation_time:desc"  # as the SDK asks for statistics
PATHS = {
    "one feature group": f"{STORE}/featuregroups/grow?version=1&{EXPAND}",
    "its last commits, a page": (
        f"{STORE}/featuregroups/{{group}}/commits?sort_by=committed_on:desc&offset=0&limit={PAGE}"
    ),
    "statistics of its last commit": (
        f"{STORE}/featuregroups/{{group}}/statistics?{SINGLE}&fields=content"
    ),
    "executions of a job, a page": (
        f"/project/1/jobs/grow/executions?sort_by=submissiontime:desc&offset=0&limit={PAGE}"
    ),
    "one execution": "/project/1/jobs/grow/executions/{execution}",
    "one version of a model": f"{MODELS}/grow_1",
    "the best version of a model": (
        f"{MODELS}?filter_by=name_eq:grow&sort_by=accuracy:desc&limit=1"
    ),
    "one file": "/project/1/dataset/Resources/grow/0.txt?action=stat",
    "files of a folder, a page": (
        f"/project/1/dataset/Resources/grow?action=listing&offset=0&limit={PAGE}&sort_by=NAME:asc"
    ),
}
WHOLE = {
    "all feature groups": (f"{STORE}/featuregroups?expand=features", GROUPS),
    "all versions of a model": (f"{MODELS}?filter_by=name_eq:grow", VERSIONS),
}


@pytest.fixture
def ask(server):
    """Seconds of a call, the median of some; through the standard library's client, which takes the
    least of them."""
    trusted = ssl.create_default_context(cafile=str(server.store.security / "ca.pem"))
    key = {"Authorization": f"ApiKey {server.api_key}"}
    connection = http.client.HTTPSConnection(server.host, server.port, context=trusted)

    def seconds(path, calls):
        found = []
        for _ in range(calls):
            start = time.perf_counter()
            connection.request("GET", f"/hopsworks-api/api{path}", headers=key)
            answer = connection.getresponse()
            content = answer.read()
            found.append(time.perf_counter() - start)
            assert answer.status == 200 and content, (path, content)
        return statistics.median(found)

    with closing(connection):
        yield seconds


class Store:
    """A store that grows."""

    def __init__(self, server, project, api, folder):
        self._server, self._api = server, api
        self._group = project.get_feature_store().create_feature_group(
            "grow", 1, primary_key=["id"]
        )
        self._group.insert(pd.DataFrame({"id": [0]}))
        script = folder / "grow.py"
        script.write_text("print('ran')")
        path = project.get_dataset_api().upload(str(script), "Resources")
        jobs = project.get_job_api()
        job = jobs.create_job("grow", {**jobs.get_configuration("PYTHON"), "appPath": path})
        self._execution = job.run(await_termination=True).id
        model = {"name": "grow", "version": 1, "framework": "PYTHON", "metrics": {"accuracy": 0.5}}
        assert api("PUT", f"{MODELS}/grow_1", json=model).ok
        self._files = server.store.project(server.project) / "Resources" / "grow"
        self._files.mkdir()
        self.names = {"group": self._group.id, "execution": self._execution}

    def grow(self, groups, commits, runs, versions, files):
        """To so many of each."""
        self._add_groups(groups)
        table = DeltaTable(self._group.location)
        for number in range(commits):
            # The SDK's own inserts, of which the server learns, take an hour; the last one is such
            if (commits - 1 - number) % 32:
                write_deltalake(table, pd.DataFrame({"id": [number]}), mode="append")
            else:
                self._group.insert(pd.DataFrame({"id": [number]}), operation="insert")
        with self._server._hopsworks.metadata.transaction(write=True) as db:
            _copy(db, executions, runs, {})
            _copy(db, models, versions, {"uid": lambda: uuid.uuid4().hex})
        for number in range(files):
            (self._files / f"{number}.txt").write_text("text")

    def _add_groups(self, count):
        like = self._api("GET", f"{STORE}/featuregroups/{self._group.id}").json()
        like |= {"id": None, "location": None}
        for _ in range(count):
            body = {**like, "name": f"grow_{uuid.uuid4().hex[:12]}"}
            assert self._api("POST", f"{STORE}/featuregroups", json=body).ok


def _copy(db, table, count, unique):
    """Add copies of a table's last row; a version is the next one."""
    row = dict(db.execute(table.select().order_by(table.c.id.desc()).limit(1)).one()._mapping)
    del row["id"]
    copies = []
    for number in range(1, count + 1):
        copy = {**row, **{name: make() for name, make in unique.items()}}
        if "version" in copy:
            copy["version"] += number
        copies.append(copy)
    db.execute(table.insert(), copies)


@pytest.mark.timeout(3600)
def test_lists_and_lookups_as_the_store_grows(server, project, api, ask, report, tmp_path):
    store = Store(server, project, api, tmp_path)

    def medians():
        return {what: ask(path.format(**store.names), LOOKUPS) for what, path in PATHS.items()}

    def each(count_of):
        return {what: ask(path, LISTS) / count_of(count) for what, (path, count) in WHOLE.items()}

    store.grow(FEW, FEW, FEW, FEW, FEW)
    few, few_each = medians(), each(lambda _: FEW)
    store.grow(GROUPS, COMMITS, EXECUTIONS, VERSIONS, FILES)
    many, many_each = medians(), each(lambda count: count + FEW)
    counts = dict(
        zip(PATHS, (GROUPS, *[COMMITS] * 2, *[EXECUTIONS] * 2, *[VERSIONS] * 2, *[FILES] * 2),
            strict=True)
    )  # fmt: skip
    for what, count in counts.items():
        report(f"REST: {what}", count, many[what] * 1e3, f"with {FEW}", few[what] * 1e3, "ms")
    for what, (_, count) in WHOLE.items():
        line = many_each[what] * 1e6, f"with {FEW}", few_each[what] * 1e6, "µs"
        report(f"REST: {what}, for each", count, *line)
