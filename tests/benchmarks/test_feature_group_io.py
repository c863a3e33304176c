"""Rows through the SDK and the embedded server, beside the same Delta write or DuckDB read done
directly.

`read()` of the SDK lasts multiples of 0.5 s, because it waits for the thread that draws its loading
animation. The same stream without that animation is `read_batches()`, and that is what is compared
here; make bench prints `read()` once.
"""

import shutil

import numpy as np
import pandas as pd
import pytest

from local_hopsworks.offline.run import Engine
from tests.benchmarks.work import COLUMNS, START, directly, frame, merge, through_the_sdk, write


@pytest.fixture(scope="module")
def new_group(feature_store):
    made = []

    def create(name, **options):
        options = {
            "primary_key": ["id"],
            "event_time": "event_time",
            "statistics_config": False,
            **options,
        }
        group = feature_store.create_feature_group(name=name, version=len(made) + 1, **options)
        made.append(group)
        return group

    yield create
    for group in made:
        if group.id is not None:
            group.delete()


@pytest.fixture(scope="module")
def data(size):
    return frame(0, size)


@pytest.fixture(scope="module")
def stored(new_group, data, size, tmp_path_factory):
    """A feature group of that many rows, and a Delta table of our own with the same rows."""
    group, folder = new_group(f"bench_{size}"), tmp_path_factory.mktemp("bare") / "stored"
    group.insert(data)
    write(folder, data)
    yield group, folder
    shutil.rmtree(folder)


def test_insert(new_group, data, size, tmp_path, compare):
    numbers = iter(range(100))
    compare(
        "insert into a new feature group",
        lambda: new_group(f"bench_new_{size}").insert(data),
        lambda: write(tmp_path / str(next(numbers)), data),
        rows=size,
    )


def test_read(stored, size, compare):
    group, folder = stored
    # And the first reads are over
    assert len(through_the_sdk(group.select_all())) == len(directly(folder)) == size
    compare(
        "read", lambda: through_the_sdk(group.select_all()), lambda: directly(folder), rows=size
    )


def test_filtered_read(stored, data, size, compare):
    group, folder = stored
    limit = int(data["x0"].quantile(0.01))
    query = group.filter(group.x0 < limit)
    compare(
        "read the 1 % that a filter leaves",
        lambda: through_the_sdk(query),
        lambda: directly(folder, f"SELECT * FROM rows WHERE x0 < {limit}"),
        rows=size,
    )


@pytest.fixture(scope="module")
def partitioned(new_group, data, size):
    group = new_group(f"bench_days_{size}", partition_key=["day"])
    group.insert(data.assign(day=data["event_time"].dt.strftime("%Y-%m-%d")))
    return group


@pytest.mark.parametrize("kind", ["", ", partitioned by day"])
def test_window(stored, size, compare, monkeypatch, request, kind):
    group = request.getfixturevalue("partitioned") if kind else stored[0]
    plans = []
    stream = Engine.stream

    def noted(engine, plan):
        plans.append(plan)
        return stream(engine, plan)

    monkeypatch.setattr(Engine, "stream", noted)
    at = START + pd.Timedelta(seconds=size // 2)
    time = group.get_feature("event_time")
    query = group.filter((time >= str(at)) & (time < str(at + pd.Timedelta(seconds=1))))
    everything = group.select_all()
    assert len(through_the_sdk(query)) == 1 and len(through_the_sdk(everything)) == size
    monkeypatch.undo()
    window, whole = plans
    engine = Engine()
    compare(
        f"read a time window of one row{kind}",
        lambda: through_the_sdk(query),
        lambda: through_the_sdk(everything),
        rows=size,
        name="reading all",
        rounds=5,
    )
    compare(
        "the same, only the server's part",
        lambda: engine.table(window),
        lambda: engine.table(whole),
        rows=size,
        name="reading all",
        rounds=5,
    )


def test_point_in_time_join(stored, new_group, data, size, tmp_path, compare):
    group, folder = stored
    labels = data[["id", "event_time"]].assign(
        event_time=data["event_time"] + np.timedelta64(1, "h"), label=1
    )
    label_group = new_group(f"bench_labels_{size}")
    label_group.insert(labels)
    write(tmp_path / "labels", labels)
    query = label_group.select_all().join(group.select(COLUMNS), on=["id"])
    sql = (
        "SELECT l.id, l.event_time, l.label, r.x0, r.x1, r.x2, r.x3 FROM labels l ASOF JOIN rows r"
    )
    sql += " ON l.id = r.id AND l.event_time >= r.event_time ORDER BY l.id, l.event_time"
    compare(
        "point-in-time join",
        lambda: through_the_sdk(query),
        lambda: directly(folder, sql, labels=tmp_path / "labels"),
        rows=size,
    )


def test_read_with_animation(stored, size, compare):
    if size == 1_000_000:
        group, folder = stored
        compare("read() with the SDK's animation", group.read, lambda: directly(folder), rows=size)


def test_training_split(feature_store, stored, size, compare):
    """Reading is a small part of it: the rest is the SDK's own shuffling and statistics, in Python.
    1e7 rows would take minutes of them."""
    from sklearn.model_selection import train_test_split

    if size > 1_000_000:
        return
    group, folder = stored
    view = feature_store.create_feature_view(
        name=f"bench_{size}", version=1, query=group.select_all(), labels=["x0"]
    )

    def bare():
        rows = directly(folder)
        return train_test_split(rows.drop(columns="x0"), rows["x0"], test_size=0.2)

    def split():
        return view.train_test_split(test_size=0.2)

    title = "training split of 20 %, in memory"
    compare(title, split, bare, rows=size)
    compare(title, split, lambda: through_the_sdk(group.select_all()), size, "reading the rows")
    view.delete()


def test_append(stored, size, compare):
    group, folder = stored
    more = frame(size, size)
    compare(
        "append as many rows",
        lambda: group.insert(more, operation="insert"),
        lambda: write(folder, more, mode="append"),
        rows=size,
    )


def test_upsert(new_group, data, size, tmp_path, compare):
    group, folder = new_group(f"bench_upsert_{size}", event_time=None), tmp_path / "upsert"
    group.insert(data)
    write(folder, data)
    changed = frame(size // 2, size)
    compare(
        "upsert as many rows, half of them new",
        lambda: group.insert(changed),
        lambda: merge(folder, changed),
        size,
    )
