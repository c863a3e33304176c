"""The feature pipeline: what it makes of the CSV, the passengers it makes up, what it refuses."""

from __future__ import annotations

import csv
import functools
import http.server
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.pipelines import PROGRAMS, REPOSITORY, Scripts, load

SCRIPT = REPOSITORY / "titanic_feature_pipeline.py"
KILLED_BACKFILL = PROGRAMS / "killed_backfill.py"
CSV = REPOSITORY / "data" / "titanic.csv"
BACKFILL_FIRST = "No historical passenger is stored yet. Run: make backfill\n"

pipeline = load("feature")


@pytest.fixture(scope="module")
def passengers() -> pd.DataFrame:
    return pipeline.read_passengers(str(CSV))


@pytest.fixture(scope="module")
def encoded(passengers) -> pd.DataFrame:
    return pipeline.encode(passengers, pipeline.make_encoding(passengers))


def write_csv(path: Path, **changes: str) -> str:
    """A CSV of three passengers, the second of them changed."""
    row = {
        "PassengerId": "{}",
        "Survived": "0",
        "Pclass": "3",
        "Sex": "male",
        "Age": "22",
        "Fare": "7.25",
    }
    rows = [{name: value.format(number) for name, value in row.items()} for number in (1, 2, 3)]
    rows[1].update(changes)
    path.write_text("\n".join([",".join(row), *(",".join(one.values()) for one in rows)]) + "\n")
    return str(path)


def test_features_equal_those_computed_by_hand(encoded):
    with CSV.open() as file:
        people = list(csv.DictReader(file))
    fares = [float(one["Fare"]) for one in people]
    low, middle, high = statistics.quantiles(fares, n=4, method="inclusive")
    median_age = statistics.median(float(one["Age"]) for one in people if one["Age"])

    def by_hand(one):
        age, fare = float(one["Age"] or median_age), float(one["Fare"])
        return [
            int(one["PassengerId"]),
            int(one["Pclass"]),
            {"male": 0, "female": 1}[one["Sex"]],
            sum(age > edge for edge in (12, 18, 55)),
            sum(fare > edge for edge in (low, middle, high)),
            int(one["Survived"]),
        ]

    rows = encoded.drop(columns="event_time").to_numpy().tolist()
    assert rows == [by_hand(one) for one in people]


def test_counts_by_outcome_are_those_of_the_data(encoded):
    def counts(name):
        return encoded.groupby(["survived", name]).size().unstack().to_numpy().tolist()

    assert counts("pclass") == [[80, 97, 372], [136, 87, 119]]
    assert counts("sex") == [[468, 81], [109, 233]]
    assert counts("age_bin") == [[29, 40, 452, 28], [40, 30, 260, 12]]
    assert counts("fare_bin") == [[179, 156, 121, 93], [44, 68, 101, 129]]


def test_encoding_says_what_codes_mean_and_what_fills_gaps(passengers):
    encoding = pipeline.make_encoding(passengers)
    assert encoding["fill"] == {"Age": 28.0, "Fare": 14.4542, "Pclass": 3, "Sex": "male"}
    assert list(encoding["words"]) == ["pclass", "sex", "age_bin", "fare_bin"]
    assert list(encoding["words"]["pclass"]) == [1, 2, 3]
    assert (encoding["words"]["age_bin"][1], encoding["age_edges"][1:3]) == ("teenager", [12, 18])
    assert encoding["words"]["fare_bin"][1] == "low-medium fare"
    assert encoding["fare_edges"] == [7.9104, 14.4542, 31.0]


def test_bins_hold_their_upper_bound(passengers):
    encoding = pipeline.make_encoding(passengers)
    low, middle, high = encoding["fare_edges"]
    people = passengers.head(8).assign(
        Age=[0.42, 12, 12.5, 18, 18.5, 55, 55.5, 100],
        Fare=[0, low, low + 0.01, middle, middle + 0.01, high, high + 0.01, 512],
    )
    rows = pipeline.encode(people, encoding)
    assert rows["age_bin"].tolist() == rows["fare_bin"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_gaps_are_filled_as_the_first_backfill_decided(tmp_path, passengers):
    gaps = pipeline.read_passengers(
        write_csv(tmp_path / "gaps.csv", Age="", Fare="", Sex="", Pclass="")
    )
    row = pipeline.encode(gaps, pipeline.make_encoding(passengers)).iloc[1]
    assert row[["pclass", "sex", "age_bin", "fare_bin"]].tolist() == [3, 0, 2, 1]


def test_columns_of_low_predictive_value_change_nothing(tmp_path, passengers):
    changed = pd.read_csv(CSV, dtype=str).assign(
        Name="a\n1,1,1,female,1,1\n", Ticket="none", Cabin="Z9", Embarked="X", SibSp="9"
    )
    changed.to_csv(tmp_path / "changed.csv", index=False)
    read = pipeline.read_passengers(str(tmp_path / "changed.csv"))
    pd.testing.assert_frame_equal(read, passengers)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Pclass", "4"), ("Pclass", "1.5"), ("Pclass", "first"), ("Sex", "other"), ("Sex", "1"),
        ("Sex", "Male"), ("Survived", "2"), ("Survived", ""), ("Age", "0"), ("Age", "-3"),
        ("Age", "300"), ("Age", "old"), ("Age", "20-30"), ("Fare", "-1"),
        ("Fare", "inf"), ("Fare", "free"), ("PassengerId", "1"),
        ("PassengerId", "0"), ("PassengerId", ""), ("PassengerId", "1000000000"),
        ("PassengerId", "2.5"), ("PassengerId", "two"),
    ],
)  # fmt: skip
def test_impossible_value_is_refused_with_row_value_and_rule(tmp_path, column, value):
    rule = pipeline.PassengerList.to_schema().columns[column].description
    row = 1 if (column, value) == ("PassengerId", "1") else 2  # the first of two of the same id
    with pytest.raises(SystemExit) as refusal:
        pipeline.read_passengers(write_csv(tmp_path / "bad.csv", **{column: value}))
    said = str(refusal.value).replace(".0,", ",")  # pandas shows -1 as -1.0 in a column of numbers
    expected = f"row {row}: {column} is {value or 'empty'}, but must be {rule}."
    assert said == f"TITANIC_CSV: {tmp_path / 'bad.csv'}, {expected}"


def test_whole_numbers_may_have_a_decimal_point(tmp_path):
    points = write_csv(tmp_path / "points.csv", PassengerId="2.0", Pclass="3.0", Survived="0.0")
    whole = pipeline.read_passengers(write_csv(tmp_path / "whole.csv"))
    pd.testing.assert_frame_equal(pipeline.read_passengers(points), whole)


HEADER = "PassengerId,Survived,Pclass,Sex,Age,Fare\n"
ROW = "1,0,3,male,22,7\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "No columns to parse"),
        (HEADER, "'PassengerId' is empty"),
        (HEADER.replace(",Fare", "") + "1,0,3,male,22\n", "there is no column 'Fare'"),
        (HEADER + "1,0,3,male,,7\n2,0,3,male,,7\n", "the column 'Age' is empty"),
        (HEADER.lower() + ROW, "rename the column 'passengerid' to 'PassengerId'"),
        (HEADER.replace("Sex", " SEX ") + ROW, "rename the column ' SEX ' to 'Sex'"),
        ((HEADER + ROW).replace(",", ";"), "separate the columns by commas"),
        ((HEADER + ROW).replace(",", "\t"), "separate the columns by commas"),
        ("\ufeff".encode("utf-16") + HEADER.encode("utf-16"), "codec can't decode"),
        ((REPOSITORY / "assets" / "0.png").read_bytes(), "codec can't decode"),
    ],
)
def test_file_without_usable_columns_is_refused_with_what_to_do(tmp_path, content, words):
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit, match=r"TITANIC_CSV: .*, cannot be read: ") as refusal:
        pipeline.read_passengers(str(path))
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("source", ["absent.csv", "http://127.0.0.1:9/t.csv", "s3://bucket/t.csv"])
def test_address_that_cannot_be_read_is_one_sentence(source):
    with pytest.raises(SystemExit, match=f"TITANIC_CSV: {source}, cannot be read: "):
        pipeline.read_passengers(source)


def test_passengers_are_read_from_the_web_too(passengers):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(CSV.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        read = pipeline.read_passengers(f"http://127.0.0.1:{server.server_port}/titanic.csv")
        server.shutdown()
        thread.join()
    pd.testing.assert_frame_equal(read, passengers)


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        ([], {"BACKFILL": "Ture"}, "BACKFILL"),
        ([], {"SEED": "1.5"}, "SEED"),
        ([], {"SEED": "-1"}, "SEED"),
        ([], {"PASSENGERS": "0"}, "PASSENGERS"),
        (["--bakfill"], {}, "--bakfill"),
        (["BACKFILL=True"], {}, "BACKFILL=True"),
    ],
)
def test_toggle_that_cannot_be_ends_with_status_2(run, tmp_path, options, variables, words):
    store = tmp_path / "store"
    env = {**variables, "LOCAL_HOPSWORKS_HOME": str(store)}
    done = run(sys.executable, SCRIPT, *options, env=env, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr and not store.exists()


def test_refusal_is_one_sentence_and_nothing_is_stored(run, tmp_path):
    source = write_csv(tmp_path / "bad.csv", Pclass="4")
    store = tmp_path / "store"
    env = {"BACKFILL": "yes", "TITANIC_CSV": source, "LOCAL_HOPSWORKS_HOME": str(store)}
    done = run(sys.executable, SCRIPT, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"TITANIC_CSV: {source}, row 2: Pclass is 4, but must be 1, 2 or 3.\n"
    assert not store.exists()


def test_fares_that_do_not_separate_four_bins_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="do not separate four bins"):
        pipeline.make_encoding(pipeline.read_passengers(write_csv(tmp_path / "same.csv")))


@pytest.fixture(scope="module")
def drawn(encoded) -> pd.DataFrame:
    rng = np.random.default_rng(1912)
    return pd.DataFrame([pipeline.generate_passenger(encoded, rng) for _ in range(4000)])


def test_synthetic_passengers_are_distributed_like_the_real_ones(drawn, encoded):
    def distance(names, ours, real):
        shares = [frame.value_counts(names, normalize=True) for frame in (ours, real)]
        return shares[0].sub(shares[1], fill_value=0).abs().sum() / 2

    assert distance(["survived"], drawn, encoded) < 0.025
    for outcome in (0, 1):
        groups = drawn[drawn["survived"] == outcome], encoded[encoded["survived"] == outcome]
        for name in pipeline.FEATURES:
            assert distance([name], *groups) < 0.03, (name, outcome)
        for names in (["pclass", "sex", "age_bin"], ["pclass", "sex", "fare_bin"]):
            assert distance(names, *groups) < 0.06, (names, outcome)  # drawn together


def test_each_synthetic_passenger_has_an_id_and_an_event_time_of_its_own(drawn):
    assert drawn["passenger_id"].between(10**9, 2**53).all() and drawn["passenger_id"].is_unique
    assert drawn["event_time"].is_monotonic_increasing and drawn["event_time"].nunique() > 3000


def test_same_seed_draws_the_same_passengers(encoded):
    def draw(seed):
        rng = np.random.default_rng(seed)
        rows = pd.DataFrame([pipeline.generate_passenger(encoded, rng) for _ in range(20)])
        return rows[[*pipeline.FEATURES, "survived"]].to_numpy().tolist()

    assert draw(7) == draw(7) != draw(8)


def test_before_the_backfill_the_command_is_named(run, tmp_path):
    script = Scripts(run, tmp_path)
    done = script("feature")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", BACKFILL_FIRST)


def test_first_backfills_at_once_store_every_passenger_once(run, tmp_path, encoded):
    script = Scripts(run, tmp_path)
    both = script.together(("feature", {"BACKFILL": "True"}), ("feature", {"BACKFILL": "1"}))
    for done in both:
        assert done.stdout == "Stored 891 historical passengers. Next: make train\n", done.stderr
    stored = pd.DataFrame(script.look()["titanic"]).sort_values("passenger_id", ignore_index=True)
    pd.testing.assert_frame_equal(
        stored.drop(columns="event_time")[list(encoded)[:-1]], encoded.drop(columns="event_time")
    )


def test_pipelines_at_once_lose_no_passenger(run, tmp_path, backfilled):
    script = Scripts.over_copy(run, backfilled, tmp_path)
    toggles = [{"SEED": "7"}, {"SEED": "7"}, {"PASSENGERS": "5"}, {"BACKFILL": "TRUE"}]
    for done in script.together(*(("feature", one) for one in toggles)):
        assert done.returncode == 0, done.stderr
    stored = pd.DataFrame(script.look()["titanic"])
    synthetic = stored[stored["passenger_id"] >= 10**9]
    assert len(stored) == 891 + 7 and synthetic["passenger_id"].is_unique


def test_what_codes_mean_is_decided_once_and_a_killed_backfill_is_repaired(
    run, environment, tmp_path
):
    people = pd.read_csv(CSV, dtype=str)
    people.head(400).to_csv(tmp_path / "first.csv", index=False)
    script = Scripts(run, tmp_path)
    variables = {
        **environment,
        "BACKFILL": "True",
        "TITANIC_CSV": str(tmp_path / "first.csv"),
        "LOCAL_HOPSWORKS_HOME": str(script.store),
    }
    killed = subprocess.run([sys.executable, KILLED_BACKFILL], cwd=tmp_path, env=variables)
    assert killed.returncode == -signal.SIGKILL
    assert script.file("Resources/titanic_encoding.json").exists()
    assert script("feature").stderr == BACKFILL_FIRST

    assert script("feature", BACKFILL="True").returncode == 0
    state = script.look()
    edges = people.head(400)["Fare"].astype(float).quantile([0.25, 0.5, 0.75]).round(4).tolist()
    assert state["encoding"]["fare_edges"] == edges
    fares = people.set_index("PassengerId")["Fare"].astype(float)
    for one in state["titanic"]:
        assert one["fare_bin"] == sum(edge < fares[str(one["passenger_id"])] for edge in edges)
    assert len(state["titanic"]) == 891


def test_ctrl_c_says_stopped_and_ends_with_130(environment, tmp_path):
    """Also where the shell ignores SIGINT, as it does for programs in the background."""
    variables = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store"), "BACKFILL": "True"}
    child = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    while not (tmp_path / "store" / "metadata.db").exists():
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, "Stopped.\n", "")


@pytest.mark.parametrize("package", ["numpy", "hsfs.feature_store"])
@pytest.mark.parametrize("name", ["feature", "training", "batch_inference"])
def test_ctrl_c_ends_a_pipeline_though_an_import_swallows_it(environment, tmp_path, name, package):
    """numpy is imported by the program itself, the feature store when it is asked for."""
    variables = {**environment, "LOCAL_HOPSWORKS_HOME": str(tmp_path), "BACKFILL": "True"}
    program = REPOSITORY / f"titanic_{name}_pipeline.py"
    command = [sys.executable, PROGRAMS / "swallows_ctrl_c.py", package, program]
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "Stopped.\n", "")
