"""Store Titanic passengers in Hopsworks: the historical ones from a CSV file, or one synthetic
passenger.

BACKFILL=True python titanic_feature_pipeline.py    # once: check, encode and store the 891 of data/titanic.csv
python titanic_feature_pipeline.py                  # as often as you like: make up one passenger and store it
LOCAL=False python titanic_feature_pipeline.py      # leave this file to Hopsworks, to run once a day
"""

import io
import json
import os
import secrets
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pyarrow.csv
from deltalake.exceptions import DeltaError
from hopsworks.client.exceptions import DatasetException, RestAPIError

try:
    from local_hopsworks import login
except ModuleNotFoundError:  # as a job of Hopsworks, where this file is alone
    from hopsworks import login

# Toggles; an argument NAME=value wins, then the environment variable of the same name -------------------------------
# True: run here and now; False: hand this file to Hopsworks, which runs it on its own machines
LOCAL = True
# when it does: a Quartz cron expression (second, minute, hour, day, month, weekday), UTC
SCHEDULE = "0 0 5 * * ?"
BACKFILL = (
    False  # True: store the passengers of TITANIC_CSV; False: make up one passenger and store it
)
SEED = ""  # a whole number makes the synthetic passenger reproducible, but for the id
TITANIC_CSV = str(
    Path(__file__).resolve().parent / "data" / "titanic.csv"
)  # a file or an http(s) address
# ---------------------------------------------------------------------------------------------------------------------
FIRST_SYNTHETIC_ID = 10**9  # below it the PassengerId of the CSV, from it on made up
DISASTER = np.datetime64(
    "1912-04-15", "us"
)  # one event time for all: a second backfill updates, it does not add
FEATURES, LABEL = (
    ["pclass", "sex", "age_bin", "fare_bin"],
    "survived",
)  # classes count from 1, other codes from 0
LABELS = {
    "pclass": ["1st class", "2nd class", "3rd class"],
    "sex": ["male", "female"],
    LABEL: ["died", "survived"],
}
LABELS |= {
    "age_bin": ["child", "teenager", "adult", "elder"],
    "fare_bin": ["low", "low_med", "high_med", "high"],
}
AGE_BOUNDS = [
    0,
    12,
    18,
    55,
    100,
]  # years; a bin is (above, up to]. Fares, in pounds, are cut at their quartiles
WHO = [
    ["boy", "teenage boy", "adult man", "elderly man"],
    ["girl", "teenage girl", "adult woman", "elderly woman"],
]
ENCODING = "Resources/titanic/encoding.json"  # tells the other programs all of the above
# Hopsworks' own, or one of yours with the packages of requirements.txt
JOB_ENVIRONMENT = "python-feature-pipeline"
KEYS = {"primary_key": ["passenger_id"], "event_time": "event_time"}
# What a value must be. Only these columns are kept: name, ticket, cabin, relatives and port have
# low predictive value
RULES = {
    "PassengerId": (
        "unique, 1 to 999999999",
        lambda n: n.between(1, 999999999) & (n % 1 == 0) & ~n.duplicated(),
    ),
    "Survived": ("0 or 1", lambda survived: survived.isin([0, 1])),
    "Pclass": ("1, 2 or 3", lambda pclass: pclass.isin([1, 2, 3])),
    "Sex": ("male or female", lambda sex: sex.notna()),
    "Age": ("over 0 and at most 100 years", lambda years: (years > 0) & (years <= 100)),
    "Fare": ("0 pounds or more", lambda pounds: (pounds >= 0) & (pounds < np.inf)),
}


def read_numbers(source: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of RULES as numbers, and which cells are empty. Quick, but fails at a cell that
    is neither, at a 3 that is written 3.0, and at a line break inside a cell."""
    types = {
        column: pyarrow.float64() if column in ("Age", "Fare") else pyarrow.int32()
        for column in RULES
    }
    convert = pyarrow.csv.ConvertOptions(
        null_values=[""], false_values=["male"], true_values=["female"]
    )
    convert.column_types = types | {"Sex": pyarrow.bool_()}
    convert.include_columns = list(RULES)
    file = io.BytesIO(urlopen(source).read()) if "://" in source else source
    cells = pyarrow.csv.read_csv(file, convert_options=convert).cast(pyarrow.schema(types))
    empty = pd.DataFrame({column: cells[column].is_null().to_numpy() for column in RULES})
    return cells.to_pandas(split_blocks=True, self_destruct=True), empty


def read_passengers(source: str) -> pd.DataFrame:
    """The columns of RULES as numbers (sex 0 or 1), NaN where a cell is empty. Stops at an
    impossible one."""
    as_written = {"dtype": str, "keep_default_na": False, "na_values": [""]}
    try:
        numbers, empty = read_numbers(source)
    except (OSError, ValueError, KeyError):  # slowly then, as text
        try:
            text = pd.read_csv(source, usecols=list(RULES), **as_written)
        except (OSError, ValueError) as error:
            raise SystemExit(
                f"TITANIC_CSV: {source} cannot be read as passengers: {error}"
            ) from None
        numbers, empty = text.apply(pd.to_numeric, errors="coerce"), text.isna()
        numbers["Sex"] = text["Sex"].map({"male": 0, "female": 1})
    if numbers.empty:
        raise SystemExit(f"TITANIC_CSV: {source} holds no passengers.")
    for column, (must_be, holds) in RULES.items():
        may_be_empty = column not in ("PassengerId", "Survived") and not empty[column].all()
        wrong = ~holds(numbers[column]) & ~(empty[column] & may_be_empty)
        if wrong.any():
            value = (
                pd.read_csv(source, usecols=[column], **as_written)[column]
                .fillna("empty")[wrong]
                .iloc[0]
            )
            row = f"row {wrong.argmax() + 1} below the header"
            raise SystemExit(
                f"TITANIC_CSV: {source}, {row}: {column} is {value}, but must be {must_be}."
            )
    return numbers


def make_encoding(fare_edges: list[float]) -> dict:
    encoding = {"format": 1, "features": FEATURES, "label": LABEL}
    for name, labels in LABELS.items():
        encoding[name] = [
            {"code": code, "label": label}
            for code, label in enumerate(labels, int(name == "pclass"))
        ]
    for name, bounds in (("age_bin", AGE_BOUNDS), ("fare_bin", [None, *fare_edges, None])):
        for each, above, up_to in zip(encoding[name], bounds[:-1], bounds[1:], strict=True):
            each |= {"above": above, "up_to": up_to}
    return encoding


def encode(passengers: pd.DataFrame, encoding: dict) -> pd.DataFrame:
    """The rows of the feature group. A value in (above, up_to] has as many upper bounds below it as
    its code says."""
    rows = {
        "passenger_id": passengers["PassengerId"],
        "pclass": passengers["Pclass"],
        "sex": passengers["Sex"],
    }
    for name, values in (("age_bin", passengers["Age"]), ("fare_bin", passengers["Fare"])):
        rows[name] = np.searchsorted(
            [each["up_to"] for each in encoding[name][:-1]], values, side="left"
        )
    rows[LABEL] = passengers["Survived"]
    # Of ten million rows each copy takes seconds
    whole = {name: values.astype("int64", copy=False) for name, values in rows.items()}
    return pd.DataFrame({**whole, "event_time": DISASTER}, copy=False)


def count_alike(rows: pd.DataFrame) -> list[list[int]]:
    """How many there are of each kind of passenger: [pclass, sex, age_bin, fare_bin, survived,
    number]."""
    codes = [rows[name] for name in (*FEATURES, LABEL)]
    shape = [column.max() + 1 for column in codes]
    counts = np.bincount(np.ravel_multi_index(codes, shape), minlength=np.prod(shape)).reshape(
        shape
    )
    return np.column_stack([np.argwhere(counts), counts[counts > 0]]).tolist()


def draw(passengers: list[list[int]], size: int, rng: np.random.Generator) -> np.ndarray:
    """Rows [pclass, sex, age_bin, fare_bin, survived], distributed like the counted passengers."""
    *codes, count = np.array(passengers).T
    counts = np.zeros(
        [column.max() + 1 for column in codes]
    )  # axes: class, sex, age, fare, outcome
    counts[tuple(codes)] = count
    group = counts.sum((2, 3), keepdims=True)  # those of one class, sex and outcome
    by_age, by_fare = counts.sum(3, keepdims=True), counts.sum(2, keepdims=True)
    # A chain: outcome (a survivor or one who died), class given it, sex given both, age and fare
    # given those three
    probability = group / count.sum() * (by_age / group.clip(1)) * (by_fare / group.clip(1))
    return rng.choice(np.argwhere(probability), size, p=probability[probability > 0])


def again(action):
    """What `action(attempt)` returns; tried again when another process did the same at the same
    moment."""
    for attempt in range(8):
        try:
            return action(attempt)
        except (DeltaError, RestAPIError, DatasetException):
            if attempt == 7:
                raise
            time.sleep(np.random.default_rng().uniform(0.1, 0.2) * 2**attempt)


def insert(feature_store, rows: pd.DataFrame, operation: str):
    group = feature_store.get_or_create_feature_group(
        "titanic", 1, "Titanic passengers, encoded", **KEYS
    )
    # Without a change feed, which nobody reads: it would store all that is upserted a second time
    options = {"delta.enableChangeDataFeed": "false"} if group.id is None else {}
    # Whoever inserts first creates the table, and two who do append both: so first no rows at all
    group.insert(rows.head(0), operation="insert", write_options=options, wait=True)
    group.insert(rows, operation=operation, wait=True)
    return group


def upload(dataset_api, encoding: dict) -> None:
    folder, name = os.path.split(ENCODING)
    if not dataset_api.exists(folder):
        dataset_api.mkdir(folder)
    with tempfile.TemporaryDirectory() as directory:
        (local := Path(directory, name)).write_text(json.dumps(encoding))
        dataset_api.upload(str(local), folder, overwrite=True)


def hand_over(project, schedule: str, arguments: list[str], files: list[str]) -> None:
    """Make this file a job of Hopsworks that runs by itself, with files beside it. Done again it
    changes nothing."""
    dataset_api, job_api, name = (
        project.get_dataset_api(),
        project.get_job_api(),
        Path(__file__).stem,
    )
    folder = os.path.dirname(ENCODING)
    if not dataset_api.exists(folder):
        dataset_api.mkdir(folder)
    for file in (
        stored := {f"{folder}/{os.path.basename(file)}": file for file in (__file__, *files)}
    ):
        here = Path(stored[file]).read_bytes()
        if not dataset_api.exists(file) or dataset_api.read_content("/" + file).content != here:
            dataset_api.upload(stored[file], folder, overwrite=True)
    script, *others = (f"hdfs:///Projects/{project.name}/{file}" for file in stored)
    config = {
        "appPath": script,
        "files": ",".join(others),
        "defaultArgs": " ".join(["LOCAL=True", *arguments]),
    }
    config |= {"environmentName": JOB_ENVIRONMENT}
    job = job_api.get_job(name)
    if not job or any(job.config.get(key) != value for key, value in config.items()):
        job = job_api.create_job(name, {**job_api.get_configuration("PYTHON"), **config})
    if not job.job_schedule or job.job_schedule.cron_expression != schedule:
        job.schedule(schedule, start_time=datetime.now(timezone.utc))
    print(f"Hopsworks runs {name} by itself ({schedule}): {job.get_url()}")


def main() -> None:
    given = os.environ | dict(
        argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument
    )
    toggles = {
        name: given.get(name, str(value))
        for name, value in (("LOCAL", LOCAL), ("BACKFILL", BACKFILL))
    }
    for name, value in toggles.items():
        if value not in ("True", "False"):
            raise SystemExit(f"{name} is {value!r}: set it to True or False.")
    backfill, seed, source = (
        toggles["BACKFILL"],
        given.get("SEED", SEED),
        given.get("TITANIC_CSV", TITANIC_CSV),
    )
    if seed and not seed.isdecimal():
        raise SystemExit(f"SEED is {seed!r}: set it to a whole number, 0 or more, or leave it out.")
    passengers = read_passengers(source) if backfill == "True" else None
    project = login()
    if toggles["LOCAL"] == "False":
        arguments, files = [f"BACKFILL={backfill}", *([f"SEED={seed}"] if seed else [])], []
        if backfill == "True":
            files = [] if "://" in source else [source]
            arguments.append(f"TITANIC_CSV={os.path.basename(source) if files else source}")
        return hand_over(project, given.get("SCHEDULE", SCHEDULE), arguments, files)
    feature_store, dataset_api = project.get_feature_store(), project.get_dataset_api()
    stored = (
        json.loads(dataset_api.read_content("/" + ENCODING).content)
        if dataset_api.exists(ENCODING)
        else None
    )
    if passengers is None:
        if not stored:
            raise SystemExit(
                "No passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py"
            )
        drawn = draw(stored["passengers"], 1, np.random.default_rng(int(seed) if seed else None))
        passenger_id = FIRST_SYNTHETIC_ID + secrets.randbits(
            52
        )  # unique without asking anyone, and exact in JSON
        now = np.datetime64(time.time_ns() // 1000, "us")
        rows = pd.DataFrame(drawn, columns=[*FEATURES, LABEL]).assign(
            passenger_id=passenger_id, event_time=now
        )
        # Appends never conflict; but should one have gone through in spite of an error, nobody is
        # stored twice
        again(lambda attempt: insert(feature_store, rows, "upsert" if attempt else "insert"))
        pclass, sex, age, fare, survived = drawn[0]
        words = [
            WHO[sex][age],
            LABELS["pclass"][pclass - 1],
            LABELS["fare_bin"][fare].replace("_med", "-medium"),
        ]
        print(
            f"Made up and stored passenger {passenger_id}: {', '.join(words)} fare, who {LABELS[LABEL][survived]}."
        )
        print("Next: python titanic_batch_inference_pipeline.py")
        return

    fill = {column: float(passengers[column].median()) for column in ("Age", "Fare")}
    fill |= {column: int(passengers[column].mode()[0]) for column in ("Pclass", "Sex")}
    for column, value in fill.items():
        if passengers[column].hasnans:
            passengers[column] = passengers[column].fillna(value)
    edges = passengers["Fare"].quantile([0.25, 0.5, 0.75]).round(4).tolist()
    if not stored and len(set(edges)) < 3:
        raise SystemExit(
            f"The quartiles of the fares, {edges}, do not make four bins: use a file with more fares."
        )
    encoding = stored or make_encoding(
        edges
    )  # for good: a code means the same for every stored passenger
    if edges != (first_edges := [each["up_to"] for each in encoding["fare_bin"][:-1]]):
        print(
            f"Fares are cut at {first_edges}, as in the first backfill; the quartiles of this file are {edges}."
        )
    rows = encode(passengers, encoding)
    del passengers
    encoding = {**encoding, "fill": fill, "passengers": count_alike(rows)}
    # The encoding goes first: it can wait for its passengers, but nobody could read passengers
    # without it
    if encoding != stored:
        again(lambda _: upload(dataset_api, encoding))
    group = again(lambda _: insert(feature_store, rows, "upsert"))
    stored_ids = np.sort(group.select(["passenger_id"]).read()["passenger_id"])
    arrived = np.isin(rows["passenger_id"], stored_ids).sum()
    if arrived < len(rows) or not np.diff(stored_ids).all():
        raise SystemExit(
            f"Of {len(rows)} passengers {arrived} are stored, in {len(stored_ids)} rows: backfill again."
        )
    print(
        f"{len(rows)} passengers in, {arrived} stored.\nNext: python titanic_training_pipeline.py"
    )


if __name__ == "__main__":
    main()
