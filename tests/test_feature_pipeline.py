"""The feature pipeline: what it makes of the CSV, whom it makes up, and what it refuses."""

from __future__ import annotations

import csv
import functools
import http.server
import json
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.pipelines import REPOSITORY, Scripts, load

SCRIPT = REPOSITORY / "titanic_feature_pipeline.py"
pytestmark = pytest.mark.timeout(
    900
)  # the first test waits for all runs of the pipeline, maybe on a busy machine
CSV = REPOSITORY / "data" / "titanic.csv"
LOOK = """
import json
import re
from local_hopsworks import login
project = login()
files = project.get_dataset_api()
rows = project.get_feature_store().get_feature_group("titanic", 1).read()
encoding = json.loads(files.read_content("/Resources/titanic/encoding.json").content)
print("STATE" + json.dumps({"rows": rows.drop(columns="event_time").to_dict("records"), "encoding": encoding}))
"""


pipeline = load("feature")


@pytest.fixture(scope="module")
def job(run, tmp_path_factory) -> SimpleNamespace:
    """The script on an empty store and later: what each run answered, and what was stored."""
    script = Scripts(run, tmp_path_factory.mktemp("feature_pipeline"))
    too_early = script("feature")
    backfills = script.together(
        ("feature", {"BACKFILL": "True"}), ("feature", {"BACKFILL": "True"})
    )
    backfilled = script.look(LOOK)
    synthetic = script.together(
        *(
            ("feature", one)
            for one in ({"SEED": "7"}, {"SEED": "7"}, {"SEED": "8"}, {"BACKFILL": "True"})
        )
    )
    backfills.append(synthetic.pop())
    found = {"backfilled": backfilled, "last": script.look(LOOK), "store": script.store}
    return SimpleNamespace(too_early=too_early, backfills=backfills, synthetic=synthetic, **found)


@pytest.fixture(scope="module")
def passengers() -> pd.DataFrame:
    return pipeline.read_passengers(str(CSV))


@pytest.fixture(scope="module")
def encoded(passengers) -> pd.DataFrame:
    return pipeline.encode(
        passengers.fillna({"Age": 28.0}), pipeline.make_encoding([7.9104, 14.4542, 31.0])
    )


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
    assert [round(edge, 4) for edge in (low, middle, high)] == [7.9104, 14.4542, 31.0]
    median_age = statistics.median(float(one["Age"]) for one in people if one["Age"])
    assert median_age == 28

    def by_hand(one):
        age, fare = float(one["Age"] or median_age), float(one["Fare"])
        age_bin = 0 if age <= 12 else 1 if age <= 18 else 2 if age <= 55 else 3
        fare_bin = 0 if fare <= low else 1 if fare <= middle else 2 if fare <= high else 3
        sex = {"male": 0, "female": 1}[one["Sex"]]
        return [
            int(one["PassengerId"]),
            int(one["Pclass"]),
            sex,
            age_bin,
            fare_bin,
            int(one["Survived"]),
        ]

    assert encoded.drop(columns="event_time").to_numpy().tolist() == [
        by_hand(one) for one in people
    ]


def test_counts_by_outcome_are_those_of_the_data(encoded):
    def counts(name):
        return encoded.groupby(["survived", name]).size().unstack().to_numpy().tolist()

    assert counts("pclass") == [[80, 97, 372], [136, 87, 119]]
    assert counts("sex") == [[468, 81], [109, 233]]
    assert counts("age_bin") == [[29, 40, 452, 28], [40, 30, 260, 12]]
    assert counts("fare_bin") == [[179, 156, 121, 93], [44, 68, 101, 129]]
    assert len(encoded[[*pipeline.FEATURES, "survived"]].drop_duplicates()) == 85


def test_bins_hold_their_upper_bound():
    ages, fares = [0.42, 12, 12.5, 18, 18.5, 55, 55.5, 100], [0, 8, 8.01, 14, 14.5, 31, 31.5, 512]
    people = pd.DataFrame(
        {
            "PassengerId": range(1, 9),
            "Survived": 0,
            "Pclass": 1,
            "Sex": 1,
            "Age": ages,
            "Fare": fares,
        }
    )
    rows = pipeline.encode(people, pipeline.make_encoding([8, 14, 31]))
    assert rows["age_bin"].tolist() == rows["fare_bin"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_name_and_ticket_change_nothing(tmp_path, passengers):
    changed = pd.read_csv(CSV, dtype=str).assign(
        Name="Nobody", Ticket="none", Cabin="Z9", Embarked="X", SibSp="9"
    )
    changed.to_csv(tmp_path / "changed.csv", index=False)
    pd.testing.assert_frame_equal(
        pipeline.read_passengers(str(tmp_path / "changed.csv")), passengers
    )


def test_names_may_have_line_breaks(tmp_path, passengers):
    changed = pd.read_csv(CSV, dtype=str).assign(
        Name="a\n1,1,1,female,1,1\n" * 500
    )  # a megabyte ends inside a name
    changed.to_csv(tmp_path / "changed.csv", index=False)
    read = pipeline.read_passengers(str(tmp_path / "changed.csv"))
    pd.testing.assert_frame_equal(
        read, passengers, check_dtype=False
    )  # the slow reader's numbers are wider


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Pclass", "4"), ("Pclass", "1.5"), ("Pclass", "first"), ("Sex", "other"), ("Sex", "1"), ("Survived", "2"),
        ("Survived", ""), ("Age", "0"), ("Age", "-3"), ("Age", "300"), ("Age", "old"), ("Age", "NaN"), ("Fare", "-1"),
        ("Fare", "inf"), ("Fare", "nan"), ("Fare", "free"), ("PassengerId", "1"), ("PassengerId", "0"),
        ("PassengerId", ""), ("PassengerId", "1000000000"), ("PassengerId", "2.5"), ("PassengerId", "two"),
    ],
)  # fmt: skip
def test_impossible_value_is_refused_with_row_and_value(tmp_path, column, value):
    with pytest.raises(SystemExit) as refusal:
        pipeline.read_passengers(write_csv(tmp_path / "bad.csv", **{column: value}))
    assert f"row 2 below the header: {column} is {value or 'empty'}, but must be" in str(
        refusal.value
    )


def test_whole_numbers_may_have_a_decimal_point(tmp_path):
    people = pipeline.read_passengers(
        write_csv(tmp_path / "points.csv", PassengerId="2.0", Pclass="3.0", Survived="0.0")
    )
    whole = pipeline.read_passengers(write_csv(tmp_path / "whole.csv"))
    pd.testing.assert_frame_equal(people, whole, check_dtype=False)


def test_empty_cells_are_filled_not_refused(tmp_path):
    people = pipeline.read_passengers(
        write_csv(tmp_path / "gaps.csv", Age="", Fare="", Sex="", Pclass="")
    )
    assert people.isna().to_numpy().sum() == people.iloc[1].isna().sum() == 4


def test_files_that_hold_no_passengers_are_refused(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("PassengerId,Survived,Pclass,Sex,Age,Fare\n")
    (tmp_path / "no_fare.csv").write_text("PassengerId,Survived,Pclass,Sex,Age\n1,0,3,male,22\n")
    (tmp_path / "picture.csv").write_bytes((CSV.parents[1] / "assets" / "0.png").read_bytes())
    (tmp_path / "no_age.csv").write_text(
        "PassengerId,Survived,Pclass,Sex,Age,Fare\n1,0,3,male,,7\n2,0,3,male,,7\n"
    )
    for name, words in {
        "empty.csv": "cannot be read", "header.csv": "holds no passengers", "no_fare.csv": "Fare",
        "picture.csv": "cannot be read", "absent.csv": "cannot be read", "no_age.csv": "Age is empty",
    }.items():  # fmt: skip
        with pytest.raises(SystemExit, match=words):
            pipeline.read_passengers(str(tmp_path / name))
    with pytest.raises(SystemExit, match="cannot be read"):
        pipeline.read_passengers("http://127.0.0.1:9/titanic.csv")


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
    ("variable", "value", "words"),
    [("BACKFILL", "yes", "True or False"), ("BACKFILL", "true", "True or False"), ("BACKFILL", "", "True or False"),
     ("SEED", "1.5", "whole number"), ("SEED", "-1", "whole number"), ("SEED", "x", "whole number")],
)  # fmt: skip
def test_toggle_with_another_value_is_refused(monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} is '{value}': set it to .*{words}"):
        pipeline.main()


def test_refusal_is_one_sentence_and_nothing_is_stored(run, tmp_path):
    source = write_csv(tmp_path / "bad.csv", Pclass="4")
    home = tmp_path / "store"
    env = {"BACKFILL": "True", "TITANIC_CSV": source, "LOCAL_HOPSWORKS_HOME": str(home)}
    done = run(sys.executable, SCRIPT, env=env, cwd=tmp_path)
    assert done.returncode == 1
    expected = (
        f"TITANIC_CSV: {source}, row 2 below the header: Pclass is 4, but must be 1, 2 or 3.\n"
    )
    assert done.stderr == expected and not done.stdout and not home.exists()


@pytest.fixture(scope="module")
def draws(encoded) -> tuple[pd.DataFrame, pd.DataFrame]:
    counted = (
        encoded.groupby([*pipeline.FEATURES, "survived"]).size().reset_index().to_numpy().tolist()
    )
    drawn = pipeline.draw(counted, 10_000, np.random.default_rng(1912))
    return pd.DataFrame(drawn, columns=[*pipeline.FEATURES, "survived"]), encoded


def test_synthetic_passengers_are_distributed_like_the_real_ones(draws):
    drawn, real = draws

    def distance(names, drawn, real):
        return (
            drawn.value_counts(names, normalize=True)
            .sub(real.value_counts(names, normalize=True), fill_value=0)
            .abs()
            .sum()
            / 2
        )

    assert distance(["survived"], drawn, real) < 0.02
    for outcome in (0, 1):
        groups = drawn[drawn["survived"] == outcome], real[real["survived"] == outcome]
        for name in pipeline.FEATURES:
            assert distance([name], *groups) < 0.02, (name, outcome)
        for names in (
            ["pclass", "sex"],
            ["pclass", "sex", "age_bin"],
            ["pclass", "sex", "fare_bin"],
        ):
            assert distance(names, *groups) < 0.04, (
                names,
                outcome,
            )  # the links of the chain hold too


def test_same_seed_draws_the_same_passengers():
    counted = [[1, 0, 2, 3, 1, 5], [3, 1, 0, 0, 0, 7], [3, 1, 2, 1, 0, 7]]
    one, two, other = (
        pipeline.draw(counted, 50, np.random.default_rng(seed)).tolist() for seed in (7, 7, 8)
    )
    assert one == two != other


def test_before_the_backfill_the_command_is_named(job):
    assert job.too_early.returncode == 1 and "Traceback" not in job.too_early.stderr
    sentence = "No passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py\n"
    assert sentence in job.too_early.stderr


def test_as_many_passengers_are_stored_as_came_in_however_often_and_at_once(job):
    for done in job.backfills:
        assert done.returncode == 0, done.stderr
        assert "891 passengers in, 891 stored." in done.stdout
    assert not list(job.store.rglob("_change_data"))  # each row is on disk once
    for state in (job.backfilled, job.last):
        assert sorted(one["passenger_id"] for one in state["rows"])[:892][:891] == list(
            range(1, 892)
        )
    assert len(job.backfilled["rows"]) == 891 and len(job.last["rows"]) == 891 + 3


def test_stored_passengers_and_encoding_are_those_of_the_data(job, encoded):
    rows = pd.DataFrame(job.backfilled["rows"]).sort_values("passenger_id", ignore_index=True)
    pd.testing.assert_frame_equal(rows[list(encoded)[:-1]], encoded.drop(columns="event_time"))
    encoding = job.backfilled["encoding"]
    assert encoding["fill"] == {"Age": 28.0, "Fare": 14.4542, "Pclass": 3, "Sex": 0}
    assert [one["up_to"] for one in encoding["fare_bin"]] == [7.9104, 14.4542, 31.0, None]
    counted = {tuple(row[:-1]): row[-1] for row in encoding["passengers"]}
    names = [*encoding["features"], encoding["label"]]
    assert counted == Counter(encoded[names].itertuples(index=False, name=None))
    assert sum(counted.values()) == 891 and len(counted) == 85
    assert job.last["encoding"] == encoding


def test_pipelines_at_once_lose_nobody_and_make_up_different_people(job):
    synthetic = {
        one["passenger_id"]: one for one in job.last["rows"] if one["passenger_id"] >= 10**9
    }
    assert (
        all(done.returncode == 0 for done in job.synthetic)
        and len(synthetic) == 3
        and max(synthetic) < 2**53
    )
    said = [re.search(r"passenger (\d+): (.+)\.", done.stdout).groups() for done in job.synthetic]
    assert {int(passenger_id) for passenger_id, _ in said} == set(synthetic)
    assert said[0][1] == said[1][1]  # the same SEED
    for passenger_id, words in said:
        one = synthetic[int(passenger_id)]
        who = [
            ["boy", "teenage boy", "adult man", "elderly man"],
            ["girl", "teenage girl", "adult woman", "elderly woman"],
        ]
        fare, fate = (
            ["low", "low-medium", "high-medium", "high"][one["fare_bin"]],
            ["died", "survived"][one["survived"]],
        )
        pclass = ["1st", "2nd", "3rd"][one["pclass"] - 1]
        assert (
            words == f"{who[one['sex']][one['age_bin']]}, {pclass} class, {fare} fare, who {fate}"
        )


def test_first_backfill_fixes_the_edges_and_a_killed_one_is_repaired(run, environment, tmp_path):
    people = pd.read_csv(CSV, dtype=str)
    people.head(400).assign(Fare="8").to_csv(tmp_path / "same_fares.csv", index=False)
    people.head(400).to_csv(tmp_path / "first.csv", index=False)
    store = tmp_path / "store"

    def env(name):
        return {"BACKFILL": "True", "TITANIC_CSV": str(name), "LOCAL_HOPSWORKS_HOME": str(store)}

    def backfill(name):
        return run(sys.executable, SCRIPT, env=env(name), cwd=tmp_path)

    done = backfill(tmp_path / "same_fares.csv")
    assert (
        done.returncode == 1
        and "do not make four bins" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert not list(store.rglob("encoding.json"))

    killed = subprocess.Popen(
        [sys.executable, str(SCRIPT)], cwd=tmp_path,
        env={**environment, **env(tmp_path / "first.csv")}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not list(store.rglob("encoding.json")) and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    done = backfill(tmp_path / "first.csv")
    assert "400 passengers in, 400 stored." in done.stdout, done.stderr

    done = backfill(CSV)
    assert "Fares are cut at" in done.stdout and "891 passengers in, 891 stored." in done.stdout, (
        done.stderr
    )
    look = run(sys.executable, "-c", LOOK, env=env(CSV), cwd=tmp_path)
    state = json.loads(look.stdout.split("STATE")[1])
    edges = people.head(400)["Fare"].astype(float).quantile([0.25, 0.5, 0.75]).round(4).tolist()
    assert [one["up_to"] for one in state["encoding"]["fare_bin"][:-1]] == edges
    fares = people.set_index("PassengerId")["Fare"].astype(float)
    for one in state["rows"]:
        assert one["fare_bin"] == sum(edge < fares[str(one["passenger_id"])] for edge in edges)
    assert sum(row[-1] for row in state["encoding"]["passengers"]) == len(state["rows"]) == 891
