"""Feature pipeline: write Titanic passengers to the Hopsworks feature store.

BACKFILL=True python titanic_feature_pipeline.py     # once: the passengers of data/titanic.csv
python titanic_feature_pipeline.py                   # one synthetic passenger, again and again
PASSENGERS=200 python titanic_feature_pipeline.py    # many synthetic passengers at once
"""

import os
import signal

if __name__ == "__main__":  # Ctrl-C ends the program from here on, also during the imports below

    def stop(*_) -> None:
        """End at once and without a traceback: an import under way may swallow an exception."""
        os.write(1, b"Stopped.\n")
        os._exit(130)

    signal.signal(signal.SIGINT, stop)

import contextlib
import io
import json
import logging
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pandera.pandas as pa
from deltalake.exceptions import DeltaError
from hopsworks.client.exceptions import DatasetException, FeatureStoreException, RestAPIError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from typer import Option, run

try:
    from local_hopsworks import login  # without an account: an embedded Hopsworks
except ModuleNotFoundError:  # a job of Hopsworks has this file alone
    from hopsworks import login  # type: ignore[no-redef]

HERE = Path(__file__).resolve().parent
# Toggles; each is also an option and an environment variable of the same name ---------------------
LOCAL = True  # False: hand this file to Hopsworks as a job, which runs at SCHEDULE
SCHEDULE = "0 0 5 * * ?"  # a Quartz cron expression, in UTC
BACKFILL = False  # True: store the historical passengers; False: make up synthetic ones
PASSENGERS = 1  # how many synthetic passengers
SEED = None  # a whole number makes up the same passengers again
TITANIC_CSV = str(HERE / "data" / "titanic.csv")  # a file or an http(s) address
VERBOSE = False  # True: show what the Hopsworks SDK prints
# --------------------------------------------------------------------------------------------------
FEATURES = ["pclass", "sex", "age_bin", "fare_bin"]
LABEL = "survived"
AGE_EDGES = [0, 12, 18, 55, 100]  # years; bin 0 is over 0 and up to 12
WORDS = {  # what the codes mean
    "pclass": {1: "1st class", 2: "2nd class", 3: "3rd class"},
    "sex": {0: "male", 1: "female"},
    "age_bin": {0: "child", 1: "teenager", 2: "adult", 3: "elder"},
    "fare_bin": {0: "low fare", 1: "low-medium fare", 2: "high-medium fare", 3: "high fare"},
}
FIRST_SYNTHETIC_ID = 10**9  # the passenger ids of the CSV are below it
DISASTER = pd.Timestamp("1912-04-15")  # one event time for all, so a second backfill adds nothing
ENCODING = "Resources/titanic_encoding.json"  # tells the other programs what the codes mean


again_after_conflict = retry(  # with another program that writes at the same moment
    retry=retry_if_exception_type((DatasetException, DeltaError, RestAPIError)),
    wait=wait_random_exponential(max=5),  # seconds
    stop=stop_after_attempt(8),
    reraise=True,
)


class PassengerList(pa.DataFrameModel):
    """What the CSV must hold. Its other columns are dropped, because they predict little."""

    PassengerId: float = pa.Field(
        ge=1, lt=FIRST_SYNTHETIC_ID, unique=True, description="unique, from 1 on"
    )
    Survived: float = pa.Field(isin=[0, 1], description="0 or 1")
    Pclass: float = pa.Field(isin=[1, 2, 3], nullable=True, description="1, 2 or 3")
    Sex: str = pa.Field(isin=["male", "female"], nullable=True, description="male or female")
    Age: float = pa.Field(gt=0, le=100, nullable=True, description="over 0, up to 100 years")
    Fare: float = pa.Field(ge=0, lt=np.inf, nullable=True, description="0 pounds or more")

    @pa.check("PassengerId")
    def is_whole(cls, ids: pd.Series) -> pd.Series:
        """An id may be written as 3.0, but not as 3.5."""
        return ids % 1 == 0

    class Config:
        """Text is read as numbers, and the other columns are left out."""

        coerce = True
        strict = "filter"


def read_passengers(source: str) -> pd.DataFrame:
    """The columns of PassengerList from a CSV file or http(s) address; NaN where a cell is empty.

    Exits with one sentence that names the row, the column, the value and the rule that it breaks.
    """
    try:
        table = pd.read_csv(source, keep_default_na=False, na_values=[""])
        check_columns(table)
        return PassengerList.validate(table, lazy=True)
    except pa.errors.SchemaErrors as errors:
        # A column with a cell that is no number fails all its checks; coerce_dtype comes first
        first = errors.failure_cases.sort_values(["check", "index"]).iloc[0]
        row, column = first["index"], first["column"]
        value = "empty" if pd.isna(table.loc[row, column]) else table.loc[row, column]
        rule = PassengerList.to_schema().columns[column].description
        reason = f"row {row + 1}: {column} is {value}, but must be {rule}"
    except (OSError, ValueError, ImportError) as error:
        reason = f"cannot be read: {error}"
    raise SystemExit(f"TITANIC_CSV: {source}, {reason}.")


def check_columns(table: pd.DataFrame) -> None:
    """Raise ValueError if a column is missing or empty; the message says what to do."""
    found = {name.strip().lower(): name for name in table.columns.astype(str)}
    for name in PassengerList.to_schema().columns:
        if name in table and table[name].isna().all():
            raise ValueError(f"the column {name!r} is empty")
        if name not in table and name.lower() in found:
            raise ValueError(f"rename the column {found[name.lower()]!r} to {name!r}")
        if name not in table and len(found) == 1:
            raise ValueError(f"separate the columns by commas, unlike {table.columns[0][:60]!r}")
        if name not in table:
            raise ValueError(f"there is no column {name!r}")


def make_encoding(passengers: pd.DataFrame) -> dict:
    """What the codes mean, and what fills gaps."""
    medians = passengers[["Age", "Fare"]].median()
    modes = passengers[["Pclass", "Sex"]].mode().iloc[0]
    quartiles = passengers["Fare"].fillna(medians["Fare"]).quantile([0.25, 0.5, 0.75])
    fare_edges = quartiles.round(4).tolist()
    if len(set(fare_edges)) < 3:
        raise SystemExit(f"The quartiles of the fares, {fare_edges}, do not separate four bins.")
    return {
        "format": 3,
        "words": WORDS,
        "age_edges": AGE_EDGES,
        "fare_edges": fare_edges,
        "fill": {**medians, **modes},
    }


def encode(passengers: pd.DataFrame, encoding: dict) -> pd.DataFrame:
    """One row of integers per passenger, as the feature group stores them."""
    passengers = passengers.fillna(encoding["fill"])
    fare_edges = [-np.inf, *encoding["fare_edges"], np.inf]
    columns = {
        "passenger_id": passengers["PassengerId"],
        "pclass": passengers["Pclass"],
        "sex": passengers["Sex"].map({"male": 0, "female": 1}),
        "age_bin": pd.cut(passengers["Age"], encoding["age_edges"], labels=False),
        "fare_bin": pd.cut(passengers["Fare"], fare_edges, labels=False),
        "survived": passengers["Survived"],
    }
    return pd.DataFrame(columns).astype("int64").assign(event_time=DISASTER.as_unit("us"))


def generate_passenger(historical: pd.DataFrame, rng: np.random.Generator) -> dict:
    """A synthetic passenger. Outcome, class and sex are drawn in turn, each from the historical
    passengers who share what was drawn before; then age and fare, from those who share all three.
    """
    passenger = {}
    alike = historical
    for name in [LABEL, "pclass", "sex"]:
        passenger[name] = int(rng.choice(alike[name]))
        alike = alike[alike[name] == passenger[name]]
    for name in ["age_bin", "fare_bin"]:
        passenger[name] = int(rng.choice(alike[name]))
    # A random id is unique without asking anyone; 52 bits are exact in JSON too.
    passenger["passenger_id"] = FIRST_SYNTHETIC_ID + secrets.randbits(52)
    passenger["event_time"] = pd.Timestamp.now("UTC").tz_localize(None).as_unit("us")
    return passenger


@again_after_conflict
def agree_on_encoding(dataset_api, passengers: pd.DataFrame) -> dict:
    """The stored encoding. The first backfill stores it: what the codes mean stays so for good."""
    if not dataset_api.exists(ENCODING):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / Path(ENCODING).name
            path.write_text(json.dumps(make_encoding(passengers), indent=2))
            dataset_api.upload(str(path), "Resources")
    return json.loads(dataset_api.read_content(f"/{ENCODING}").content)


def get_titanic(project):
    """The feature group of the passengers, made if it is missing."""
    return project.get_feature_store().get_or_create_feature_group(
        name="titanic",
        version=1,
        description="Titanic passengers of data/titanic.csv and synthetic ones, encoded",
        primary_key=["passenger_id"],
        event_time="event_time",
    )


@again_after_conflict
def insert(titanic, rows: pd.DataFrame) -> None:
    """Write passengers to the feature group; one that is stored already is updated."""
    # Two programs that both create the table would both append to it, so it is created empty.
    titanic.insert(rows.head(0), operation="insert", wait=True)
    titanic.insert(rows, wait=True)


def read_historical(titanic) -> pd.DataFrame:
    """The historical passengers in the feature group; exits with one sentence if there are none."""
    try:
        return titanic.filter(titanic["passenger_id"] < FIRST_SYNTHETIC_ID).read()
    except (KeyError, FeatureStoreException):  # the feature group is not there, or empty
        raise SystemExit("No historical passenger is stored yet. Run: make backfill") from None


def store_historical(source: str) -> str:
    """Store the passengers of a CSV; returns a sentence about them."""
    passengers = read_passengers(source)  # what is wrong with it is said before anything is stored
    project = login()
    titanic = get_titanic(project)
    encoding = agree_on_encoding(project.get_dataset_api(), passengers)
    insert(titanic, encode(passengers, encoding))
    return f"Stored {len(passengers)} historical passengers. Next: make train"


def store_synthetic(count: int, seed: int | None) -> str:
    """Make up passengers and store them; returns a sentence about them."""
    titanic = get_titanic(login())
    historical = read_historical(titanic)
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame([generate_passenger(historical, rng) for _ in range(count)])
    insert(titanic, rows)
    return f"Stored {count} synthetic passengers, {rows[LABEL].sum()} survived. Next: make predict"


def main(
    local: Annotated[bool, Option(envvar="LOCAL")] = LOCAL,
    schedule: Annotated[str, Option(envvar="SCHEDULE")] = SCHEDULE,
    backfill: Annotated[bool, Option(envvar="BACKFILL")] = BACKFILL,
    passengers: Annotated[int, Option(envvar="PASSENGERS", min=1)] = PASSENGERS,
    seed: Annotated[int | None, Option(envvar="SEED", min=0)] = SEED,
    titanic_csv: Annotated[str, Option(envvar="TITANIC_CSV")] = TITANIC_CSV,
    verbose: Annotated[bool, Option(envvar="VERBOSE")] = VERBOSE,
) -> None:
    """Write Titanic passengers to the Hopsworks feature store."""
    if not local:
        job = [sys.executable, str(HERE / "tools" / "deploy_job.py"), __file__, schedule]
        toggles = ["--backfill"] if backfill else ["--passengers", str(passengers)]
        sys.exit(subprocess.call([*job, *toggles, "--titanic-csv", titanic_csv]))
    logging.disable(logging.NOTSET if verbose else logging.WARNING)
    shown = sys.stdout if verbose else io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        done = store_historical(titanic_csv) if backfill else store_synthetic(passengers, seed)
    print(done)


if __name__ == "__main__":
    run(main)
