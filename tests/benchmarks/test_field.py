"""The work of the field's published benchmark, on generated data of its schema (taxi.py): reading
taxi trips into pandas, and a point-in-time join of three feature groups; beside Feast, which does
the same on the same rows in the same run, and beside what was published of others on clusters.

BENCH_SIZES="5e6 1e7" are the sizes published there.
"""

import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks import taxi
from tests.benchmarks.work import median_of, through_the_sdk
from tests.processes import at_once

CLIENTS = 4
TAXI_CLIENT = Path(__file__).parent / "programs" / "taxi_client.py"


@pytest.fixture(scope="module")
def data(size):
    trips = taxi.trips(size)
    return {"trips": trips, "pickups": taxi.pickups(trips), "dropoffs": taxi.dropoffs(trips)}


@pytest.fixture(scope="module")
def groups(feature_store, data, size):
    """The three feature groups, and the seconds that each insert took."""
    found, seconds = {}, {}
    for name, rows in data.items():
        event_time = "tpep_pickup_datetime" if name == "trips" else "ts"
        found[name] = feature_store.create_feature_group(
            f"taxi_{name}_{size}", 1, primary_key=["row_id"], event_time=event_time
        )
        start = time.perf_counter()
        found[name].insert(rows)
        seconds[name] = time.perf_counter() - start
    yield found, seconds
    for group in found.values():
        group.delete()


@pytest.fixture(scope="module")
def feast(peer, data, size, tmp_path_factory):
    """What Feast needs for the same, in seconds."""
    folder = tmp_path_factory.mktemp("taxi")
    for name, rows in data.items():
        rows.to_parquet(folder / f"{name}.parquet")
    return peer("taxi", folder, size)


@pytest.mark.timeout(3600)
def test_read_after_the_insert_and_later(groups, size, report):
    found, seconds = groups
    query = found["trips"].select_all()
    start = time.perf_counter()
    assert len(through_the_sdk(query)) == size
    first = time.perf_counter() - start
    later = median_of(lambda: through_the_sdk(query))
    report("insert taxi trips, with statistics", size, seconds["trips"], "reading them", later)
    report("read taxi trips, first after the insert", size, first, "later reads", later)


@pytest.mark.timeout(3600)
def test_read(groups, feast, size, report):
    query = groups[0]["trips"].select_all()
    seconds = median_of(lambda: through_the_sdk(query))
    report("read taxi trips into pandas", size, seconds, "Feast", feast["read"])
    for name, published in taxi.PUBLISHED["read"].items():
        speed = size / seconds / 1e6
        report("read taxi trips into pandas", size, speed, f"{name}, 16 cores", published, "M/s")


@pytest.mark.timeout(3600)
def test_point_in_time_join_of_three_groups(groups, feast, size, report):
    trips, pickups, dropoffs = (groups[0][name] for name in ("trips", "pickups", "dropoffs"))
    query = (
        trips.select_all()
        .join(
            pickups.select_all(),
            left_on=["pu_location_id"],
            right_on=["location_id"],
            prefix="pf_",
        )
        .join(
            dropoffs.select_all(),
            left_on=["do_location_id"],
            right_on=["location_id"],
            prefix="df_",
        )
    )
    seconds = median_of(lambda: through_the_sdk(query))
    if "join" in feast:
        report("point-in-time join of 3 groups", size, seconds, "Feast", feast["join"])
    for name, published in taxi.PUBLISHED["join"].items():
        speed = size / seconds / 1e6
        report("point-in-time join of 3 groups", size, speed, f"{name}, 16 cores", published, "M/s")


@pytest.mark.timeout(3600)
def test_four_clients_at_once(groups, server, environment, size, report):
    """Programs of their own, over one server: the slowest of four beside one alone."""
    group = groups[0]["trips"]

    command = [sys.executable, TAXI_CLIENT, group.name, group.version, size]
    variables = {**environment, **server.environment}

    def slowest(count):
        done = at_once([command] * count, variables, timeout=1200)
        return max(float(one.stdout.split("MEASURED")[1]) for one in done)

    alone = slowest(1)
    report(f"read taxi trips, {CLIENTS} at once", size, slowest(CLIENTS), "one alone", alone)
