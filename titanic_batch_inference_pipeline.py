"""Predict the synthetic passengers that nobody has predicted yet, draw how well the model does, and
watch it.

python titanic_feature_pipeline.py                          # makes up one passenger
python titanic_batch_inference_pipeline.py                  # predicts whoever is waiting; if nobody is, changes nothing
HINDCAST=True python titanic_batch_inference_pipeline.py    # how every registered model would have done so far
LOCAL=False python titanic_batch_inference_pipeline.py      # leaves this file to Hopsworks, to run once a day

A run reads the passengers of a day or so, however many came before: monitor.json keeps the sums
over those.
"""

import hashlib
import json
import math
import os
import re
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import requests
import seaborn
from deltalake.exceptions import DeltaError
from hopsworks.client.exceptions import DatasetException, FeatureStoreException, RestAPIError
from matplotlib import rcParams
from matplotlib.figure import Figure
from sklearn.metrics import brier_score_loss, log_loss

try:
    from local_hopsworks import login
except ModuleNotFoundError:  # as a job of Hopsworks, where this file is alone
    from hopsworks import login

# Toggles; an argument NAME=value wins, then the environment variable of the same name -------------------------------
# True: run here and now; False: hand this file to Hopsworks, which runs it on its own machines
LOCAL = True
# when it does: a Quartz cron expression (second, minute, hour, day, month, weekday), UTC
SCHEDULE = "0 40 5 * * ?"
HINDCAST = (
    False  # True: only show how each registered model would have done on all passengers so far
)
ASSETS_URL = str(
    Path(__file__).resolve().parent / "assets"
)  # folder or http(s) address of 0.png (died) and 1.png
# ---------------------------------------------------------------------------------------------------------------------
ENCODING, IMAGES = "Resources/titanic/encoding.json", "Resources/images"
# Hopsworks' own, or one of yours with the packages of requirements.txt
JOB_ENVIRONMENT = "pandas-inference-pipeline"
# A passenger is read until one a day younger is known: some are stored late, and the clocks of
# machines differ. Whoever comes later still is found within a week, for then everything is read
# again
OVERLAP, ALL_AGAIN = pd.Timedelta("1d"), pd.Timedelta("7d")
ALL = "2000-01-01T00:00:00+00:00"  # the historical passengers lie in 1912
NOTHING = {
    "before": ALL,
    "confusion_matrix": [[0, 0], [0, 0]],
    "curve": [],
    "recent": [],
    "latest": [],
}
# Watched over the LATEST passengers: has accuracy fallen by DROP? This CUSUM raises at most one
# false alarm in 2000 on average. Are they other people than the model learnt from? The population
# stability index of a feature tells
LATEST, FEW, ENOUGH = 200, 60, 100
DROP, ALARM, SHIFT = 0.15, math.log(2000), 0.2
PREDICTIONS = {"name": "passenger_outcome_predictions", "version": 1}
COLUMNS = [
    "passenger_id",
    "prediction",
    "label",
    "datetime",
    "survival_probability",
    "model_version",
]
WHO = [
    ["boy", "teenage boy", "adult man", "elderly man"],
    ["girl", "teenage girl", "adult woman", "elderly woman"],
]
OUTCOMES = np.array(["died", "survived"])
AGAIN = (
    "Run again: python titanic_feature_pipeline.py && python titanic_batch_inference_pipeline.py"
)
BOTH = "Both outcomes were predicted. Next: python -m local_hopsworks run -- python huggingface-spaces-titanic/app.py"
BLUE, GREEN, RED, INK, MUTED = "#1f5f99", "#0f7a4d", "#b3261e", "#16213a", "#55607a"
COLORS = {"died": RED, "survived": GREEN, "wrong": RED, "right": GREEN}
# Twice as large as shown
STYLE = {
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "text.color": INK,
}
STYLE |= {
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
STYLE |= {"axes.spines.top": False, "axes.spines.right": False}


def read_picture(location: str) -> bytes:
    try:
        picture = (
            requests.get(location, timeout=30).content
            if "://" in location
            else Path(location).read_bytes()
        )
    except OSError as error:  # requests' own among them
        raise SystemExit(
            f"ASSETS_URL: {location} cannot be read ({type(error).__name__})."
        ) from None
    if not picture.startswith(b"\x89PNG"):
        raise SystemExit(f"ASSETS_URL: {location} is not a PNG picture.")
    return picture


def predict(model, rows: pd.DataFrame) -> pd.DataFrame:
    """Prediction and chance of survival of each row. Only 96 different rows exist: the model sees
    each of them once."""
    number = rows.groupby(
        list(rows), sort=False
    ).ngroup()  # in order of appearance, like drop_duplicates
    distinct = rows.drop_duplicates()
    answers = {
        "prediction": model.predict(distinct),
        "survival_probability": model.predict_proba(distinct)[:, 1],
    }
    return pd.DataFrame(
        {name: answer[number] for name, answer in answers.items()}, index=rows.index
    )


def describe(recent: pd.DataFrame, encoding: dict) -> list[dict]:
    """Predictions and the features of their passengers as monitor.json has them, newest first and
    in words."""
    label = {
        name: {each["code"]: each["label"] for each in encoding[name]}
        for name in ("pclass", "fare_bin")
    }
    described = recent[[*COLUMNS, *encoding["features"]]][::-1].round(4).to_dict("records")
    for one in described:
        fare = label["fare_bin"][one["fare_bin"]].replace("_med", "-medium")
        one["words"] = (
            f"{WHO[one['sex']][one['age_bin']]}, {label['pclass'][one['pclass']]}, {fare} fare"
        )
        one["datetime"] = one["datetime"].isoformat(timespec="microseconds")
    return described


def make_table(recent: list[dict]) -> list[list[str]]:
    """Titles, and a row for each of the latest predictions, newest first."""
    rows = [["passenger", "predicted", "actual", "survival chance", "", "when (UTC)"]]
    for one in recent:
        chance, when = f"{one['survival_probability']:.0%}", one["datetime"][:16].replace("T", " ")
        match = "right" if one["prediction"] == one["label"] else "wrong"
        rows.append(
            [one["words"], OUTCOMES[one["prediction"]], OUTCOMES[one["label"]], chance, match, when]
        )
    return rows


def draw_table(rows: list[list[str]], path: Path) -> None:
    axes = Figure(figsize=(10.4, 0.45 * len(rows))).add_subplot(
        xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5)
    )
    axes.axis("off")
    for y, row in enumerate(rows):
        for x, text in zip((1, 39, 50, 61, 76, 84), row, strict=True):
            axes.text(x, y, text, color=COLORS.get(text, INK if y else MUTED), va="center")
    axes.hlines(np.arange(1, len(rows)) - 0.5, 1, 99, color=MUTED, linewidth=0.4)
    axes.figure.savefig(path)


def draw_confusion_matrix(matrix: np.ndarray, path: Path) -> None:
    """Rows: what happened; columns: what was predicted; died first."""
    text = [[f"{count}\n{count / matrix.sum():.0%}" for count in row] for row in matrix]
    look = {"vmin": 0, "cbar": False, "square": True, "linewidths": 3, "annot_kws": {"size": 18}}
    look["cmap"] = seaborn.blend_palette(["#edf2f7", BLUE], as_cmap=True)
    axes = Figure(figsize=(4.8, 4.8)).add_subplot()
    seaborn.heatmap(pd.DataFrame(matrix, OUTCOMES, OUTCOMES), annot=text, fmt="", ax=axes, **look)
    axes.set_title(f"{matrix.sum()} synthetic passengers", pad=12)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.tick_params(length=0)
    axes.figure.savefig(path)


def draw_accuracy(curve: list[list[int]], model: dict, path: Path) -> None:
    """Share of right predictions so far with its Wilson 95 % interval, beside what training
    promised."""
    (total, right), z = np.array(curve).T, 1.96
    middle = (right + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * np.sqrt(right * (total - right) / total + z**2 / 4)
    axes = Figure(figsize=(7.2, 3.6)).add_subplot(xlabel="predictions so far", ylim=(0, 1.02))
    edges = np.append(0, total)  # steps, so that a single prediction shows too
    axes.stairs(middle + half, edges, baseline=middle - half, fill=True, color=BLUE, alpha=0.15)
    axes.stairs(
        right / total,
        edges,
        baseline=None,
        color=BLUE,
        linewidth=2,
        label="right so far, 95 % interval",
    )
    axes.axhline(model["cv_accuracy"], color=GREEN, linestyle="--", label="cross-validated")
    axes.axhline(model["sex_alone_accuracy"], color=MUTED, linestyle=":", label="by sex alone")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.figure.savefig(path)


def read_file(dataset_api, path: str) -> bytes:
    return dataset_api.read_content("/" + path).content if dataset_api.exists(path) else b""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def recall(monitor: bytes, about: dict, now: pd.Timestamp) -> dict:
    """The sums in monitor.json; those over nothing if it is damaged, about something else, or they
    are a week old."""
    try:
        settled = (stored := json.loads(monitor))["settled"]
        is_whole = stored["settled_digest"] == digest(json.dumps(settled).encode())
        if (
            is_whole
            and settled["about"] == about
            and now - pd.Timestamp(settled["read_in_full"]) < ALL_AGAIN
        ):
            return settled
    except (ValueError, LookupError, TypeError):
        pass
    return {**NOTHING, "about": about, "read_in_full": now.isoformat()}


def judge(latest: list[list], model: dict, encoding: dict) -> dict:
    """A verdict, and why. Known of each of the latest: codes, whether predicted right, by which
    model, since when."""
    look, own = [], [one for one in latest if one[-2] == model["version"]]
    good = min(
        max(model["cv_accuracy"] - model["cv_accuracy_std"] / math.sqrt(5), 0.2), 0.99
    )  # less a standard error
    hit, miss = math.log((good - DROP) / good), math.log((1 - good + DROP) / (1 - good))
    evidence = np.where([one[-3] for one in own], hit, miss)[::-1].cumsum()[
        ::-1
    ]  # of a drop just before each of them
    if evidence.max(initial=0) >= ALARM:
        since = own[evidence.argmax() :]
        share = f"{sum(one[-3] for one in since)} of {len(since)} passengers; at least {good:.0%} was to be expected"
        look.append(f"Since {since[0][-1]} UTC the model has been right about {share}.")
    for position, name in enumerate(encoding["features"] if len(latest) >= ENOUGH else []):
        codes, now = [each["code"] for each in encoding[name]], [one[position] for one in latest]
        then = [one[position] for one in encoding["passengers"] for _ in range(one[-1])]
        now, then = (np.array([seen.count(code) for code in codes]) + 0.5 for seen in (now, then))
        now, then = now / now.sum(), then / then.sum()
        if (index := ((now - then) * np.log(now / then)).sum()) >= SHIFT:
            most = np.abs(now - then).argmax()
            share = (
                f"{now[most]:.0%} are {encoding[name][most]['label']}, in training {then[most]:.0%}"
            )
            who = f"Of the {len(latest)} passengers since {latest[0][-1]} UTC"
            look.append(f"{who} {share} ({name}: population stability index {index:.2f}).")
    if look:
        return {"verdict": "Look", "why": look}
    if len(own) < FEW:
        why = f"Fewer than {FEW} predictions by a model are too few to tell whether it keeps its promise."
        return {"verdict": "Too few to tell", "why": [why]}
    like = "are like" if len(latest) >= ENOUGH else "are too few to be compared with"
    why = f"No drop in accuracy in the latest {len(own)} predictions; those passengers {like} the ones it learnt from."
    return {"verdict": "Fine", "why": [why]}


def add(state: dict, rows: pd.DataFrame, encoding: dict) -> dict:
    """The sums with some more predictions, oldest first: the same whether these come at once or in
    parts."""
    matrix, hits = (
        np.array(state["confusion_matrix"]),
        (rows["prediction"] == rows["label"]).to_numpy(),
    )
    curve = np.array([np.arange(len(rows)) + 1 + matrix.sum(), hits.cumsum() + matrix.trace()]).T
    matrix += np.bincount(
        (2 * rows["label"] + rows["prediction"]).astype(int), minlength=4
    ).reshape(2, 2)
    step = 2 ** max(
        0, (int(matrix.sum()) - 1).bit_length() - 8
    )  # a picture needs no more than 256 points
    curve = [
        point
        for point in [*state["curve"], *curve.tolist()]
        if point[0] % step == 0 or point[0] == matrix.sum()
    ]
    latest = rows.assign(right=hits).tail(LATEST)
    latest["since"] = latest["event_time"].dt.strftime("%Y-%m-%d %H:%M")
    latest = latest[[*encoding["features"], "right", "model_version", "since"]].to_numpy().tolist()
    added = {
        "confusion_matrix": matrix.tolist(),
        "curve": curve,
        "latest": [*state["latest"], *latest][-LATEST:],
    }
    return {**state, **added, "recent": (describe(rows.tail(4), encoding) + state["recent"])[:4]}


def read_predictions(group, since: pd.Timestamp) -> pd.DataFrame:
    rows = pd.DataFrame(columns=COLUMNS)
    try:
        rows = (
            group.filter(group["datetime"] >= since.to_pydatetime()).read()[COLUMNS]
            if group
            else rows
        )
    except (
        FeatureStoreException
    ) as error:  # registered, but whoever did so has not stored anything yet, or was killed
        if "No data found" not in str(error):
            raise
    return rows.assign(datetime=pd.to_datetime(rows["datetime"], utc=True))


def identify(predictions: pd.DataFrame) -> set:
    return set(zip(predictions["passenger_id"], predictions["datetime"], strict=True))


def predict_and_store(
    feature_store, model, version: int, encoding: dict, waiting: pd.DataFrame
) -> pd.DataFrame:
    group, label = feature_store.get_feature_group("titanic", 1), encoding["label"]
    those = group["event_time"] >= waiting["event_time"].min().to_pydatetime()
    actual = (
        group.select(["passenger_id", label]).filter(those).read().set_index("passenger_id")[label]
    )
    rows = predict(model, waiting[encoding["features"]]).assign(
        passenger_id=waiting["passenger_id"]
    )
    rows["label"] = rows["passenger_id"].map(actual)  # joined by passenger, never by order
    # No prediction is older than its passenger, whatever the clocks: who looks for both from a
    # moment on finds both
    rows["datetime"] = waiting["event_time"].clip(lower=pd.Timestamp.now("UTC"))
    rows["model_version"] = version
    # The key is the passenger alone: whoever else predicts the same one at this moment, one row
    # remains
    group = feature_store.get_or_create_feature_group(**PREDICTIONS, primary_key=["passenger_id"])
    # This creates the table: two who create it with rows append them both
    group.insert(rows[COLUMNS].head(0), operation="insert", wait=True)
    group.insert(rows[COLUMNS], wait=True)
    return rows[COLUMNS]


def publish(
    dataset_api, settled: dict, state: dict, watch: dict, model: dict, outcomes: list[bytes]
) -> bool:
    """Draw what is stored, and upload what differs from what is there; whether anything did."""
    matrix, recent = np.array(state["confusion_matrix"]), state["recent"]
    monitor = {
        "format": 1,
        "model": model,
        "predictions": int(matrix.sum()),
        "correct": int(matrix.trace()),
    }
    monitor |= {
        "confusion_matrix": matrix.tolist(),
        "recent": recent,
        "watch": watch,
        "settled": settled,
    }
    monitor |= {"settled_digest": digest(json.dumps(settled).encode())}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "latest_passenger_prediction.png").write_bytes(outcomes[recent[0]["prediction"]])
        (folder / "actual_passenger_outcome.png").write_bytes(outcomes[recent[0]["label"]])
        draw_table(make_table(recent), folder / "df_recent.png")
        draw_accuracy(state["curve"], model, folder / "accuracy_over_time.png")
        if matrix.sum(axis=0).all():  # both outcomes were predicted
            draw_confusion_matrix(matrix, folder / "confusion_matrix.png")
        digests = {path.name: digest(path.read_bytes()) for path in sorted(folder.iterdir())}
        (folder / "monitor.json").write_text(json.dumps({**monitor, "pictures": digests}))
        if not dataset_api.exists(IMAGES):
            dataset_api.mkdir(IMAGES)
        names = [*digests, "monitor.json"]  # which comes last, for it vouches for the pictures
        names = [
            name
            for name in names
            if read_file(dataset_api, f"{IMAGES}/{name}") != (folder / name).read_bytes()
        ]
        for name in names:
            dataset_api.upload(str(folder / name), IMAGES, overwrite=True)
    return bool(names)


def load(registered, stored_encoding: dict) -> tuple:
    """The classifier, encoding and pictures of a registered model. Exits with a sentence if they
    cannot be used."""
    # Not into the SDK's cache below /tmp: two pipelines at once would trip there, and others could
    # put a model into it
    with tempfile.TemporaryDirectory() as folder:
        registered.download(folder)
        try:
            model = joblib.load(f"{folder}/model.joblib")
            encoding = json.loads(Path(folder, "encoding.json").read_text())
            pictures = [Path(folder, name).read_bytes() for name in ("0.png", "1.png")]
            if all(
                encoding[name] == stored_encoding.get(name)
                for name in ("features", *encoding["features"])
            ):
                return model, encoding, pictures
            why = "knows other codes than are stored"
        except Exception as error:  # a wrong file raises anything, says the manual of pickle
            why = f"cannot be used here ({type(error).__name__}: {error})"
    raise SystemExit(f"Model titanic {registered.version} {why}: delete it and train again.")


def hindcast(feature_store, models: list, serving, encoding: dict) -> None:
    """Print how each model would have done on all synthetic passengers so far."""
    group, label, table = feature_store.get_feature_group("titanic", 1), encoding["label"], []
    query = group.select([*encoding["features"], label])
    rows = query.filter(group["event_time"] >= pd.Timestamp(ALL).to_pydatetime()).read()
    if rows.empty:
        raise SystemExit(AGAIN)
    for one in models:
        try:
            answers = predict(load(one, encoding)[0], rows[encoding["features"]])
        except SystemExit as refusal:
            print(refusal)
            continue
        right, chance = answers["prediction"] == rows[label], answers["survival_probability"]
        scores = {
            "accuracy": right.mean(),
            "log loss": log_loss(rows[label], chance, labels=[0, 1]),
        }
        scores |= {
            "Brier score": brier_score_loss(rows[label], chance),
            "in service": "yes" if one is serving else "",
        }
        table.append(
            {
                "version": one.version,
                "cross-validated": one.training_metrics["cv_accuracy"],
                **scores,
            }
        )
    print(f"Of {len(rows)} synthetic passengers:")
    print(pd.DataFrame(table).to_string(index=False, float_format="%.3f"))


def hand_over(project, schedule: str) -> None:
    """Make this file a job of Hopsworks that runs once a day. Done again it changes nothing."""
    dataset_api, job_api, name = (
        project.get_dataset_api(),
        project.get_job_api(),
        Path(__file__).stem,
    )
    folder = os.path.dirname(ENCODING)
    if read_file(dataset_api, f"{folder}/{name}.py") != Path(__file__).read_bytes():
        if not dataset_api.exists(folder):
            dataset_api.mkdir(folder)
        dataset_api.upload(__file__, folder, overwrite=True)
    config = {
        "appPath": f"hdfs:///Projects/{project.name}/{folder}/{name}.py",
        "defaultArgs": "LOCAL=True",
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
        for name, value in (("LOCAL", LOCAL), ("HINDCAST", HINDCAST))
    }
    for name, value in toggles.items():
        if value not in ("True", "False"):
            raise SystemExit(f"{name} is {value!r}: set it to True or False.")
    assets_url, outcomes = given.get("ASSETS_URL", ASSETS_URL).rstrip("/"), []
    if (
        assets_url != ASSETS_URL or Path(ASSETS_URL).is_dir()
    ):  # a job has no such folder: the model has its pictures
        outcomes = [read_picture(f"{assets_url}/{outcome}.png") for outcome in (0, 1)]
    rcParams.update(STYLE)
    project = login()
    if toggles["LOCAL"] == "False":
        return hand_over(project, given.get("SCHEDULE", SCHEDULE))
    feature_store, dataset_api = project.get_feature_store(), project.get_dataset_api()
    if not (stored_encoding := json.loads(read_file(dataset_api, ENCODING) or "null")):
        raise SystemExit(
            "No passenger is stored yet. Run: BACKFILL=True python titanic_feature_pipeline.py"
        )
    models = sorted(
        project.get_model_registry().get_models("titanic"), key=lambda model: model.version
    )
    models = [one for one in models if "cv_accuracy" in (one.training_metrics or {})]
    fit = [
        one for one in models if float(one.training_metrics.get("promoted", 1))
    ]  # unless training found it unfit
    if not fit:
        raise SystemExit("No model is registered yet. Run: python titanic_training_pipeline.py")
    best = max(fit, key=lambda model: (model.training_metrics["cv_accuracy"], model.version))
    if toggles["HINDCAST"] == "True":
        return hindcast(feature_store, models, best, stored_encoding)
    model, encoding, pictures = load(best, stored_encoding)
    # With init=True the view would keep the filter of the training data, which leaves the synthetic
    # passengers out
    view = best.get_feature_view(init=False) or feature_store.get_feature_view("titanic", 1)

    metrics = {
        name: best.training_metrics[name]
        for name in ("cv_accuracy", "cv_accuracy_std", "sex_alone_accuracy")
    }
    about_model, predicted = {"name": "titanic", "version": best.version, **metrics}, 0
    for attempt in range(10):
        try:
            group, now = feature_store.get_feature_group(**PREDICTIONS), pd.Timestamp.now("UTC")
            monitor = read_file(dataset_api, f"{IMAGES}/monitor.json")
            settled = recall(monitor, {"feature_group": group and group.id, "format": 2}, now)
            since = pd.Timestamp(settled["before"])
            predictions = read_predictions(group, since)
            # Read after the predictions, so that whoever was predicted is among them. A column that
            # is no feature of the view comes as {project}_titanic_1_passenger_id
            passengers = view.get_batch_data(
                start_time=since.to_pydatetime(), primary_key=True, event_time=True
            )
            passengers = passengers.rename(
                columns=lambda name: re.sub(".*_(passenger_id|event_time)$", r"\1", name)
            )
            passengers["event_time"] = pd.to_datetime(passengers["event_time"], utc=True)
            waiting = passengers[~passengers["passenger_id"].isin(predictions["passenger_id"])]
            if len(waiting):
                new = predict_and_store(feature_store, model, best.version, encoding, waiting)
                predictions = pd.concat([predictions, new]) if len(predictions) else new
                predicted, group = (
                    predicted + len(new),
                    feature_store.get_feature_group(**PREDICTIONS),
                )
                settled["about"]["feature_group"] = group.id
            history = predictions.merge(passengers, on="passenger_id").sort_values(
                ["event_time", "passenger_id"]
            )
            is_long_past = history["event_time"] < (
                before := min(history["event_time"].max(), now) - OVERLAP
            )
            settled = add(settled, history[is_long_past], encoding)
            state = add(settled, history[~is_long_past], encoding)
            if not state["recent"]:
                raise SystemExit(AGAIN)
            settled["before"] = max(since, before).isoformat()
            watch = judge(state["latest"], about_model, encoding)
            published = publish(
                dataset_api, settled, state, watch, about_model, outcomes or pictures
            )
            # What another pipeline stored meanwhile, perhaps over what this one stored, must not be
            # missing there
            if not published or identify(read_predictions(group, since)) == identify(predictions):
                break
        except (
            DeltaError,
            RestAPIError,
            DatasetException,
        ):  # another pipeline wrote at the same moment: begin again
            if attempt == 9:
                raise
        time.sleep(np.random.default_rng().uniform(0.1, 0.2) * 2**attempt)

    print(
        f"Newly predicted: {predicted}"
        if predicted
        else "Nothing new: every synthetic passenger is predicted."
    )
    historical, matrix = (
        sum(row[-1] for row in stored_encoding["passengers"]),
        np.array(state["confusion_matrix"]),
    )
    print(f"Passengers: {historical} historical, {matrix.sum()} synthetic")
    metrics = [f"{name} {value:.3f}" for name, value in best.training_metrics.items()]
    print(f"Model: titanic {best.version}; {', '.join(metrics)}")
    print(f"Predictions: {matrix.sum()}, of which {matrix.trace()} right; the latest:")
    for row in make_table(state["recent"]):
        print("  {:<44}{:<11}{:<11}{:<17}{:<7}{}".format(*row))
    print(f"Watch: {watch['verdict']}. {' '.join(watch['why'])}")
    print(f"Pictures: {IMAGES} of project {project.name}")
    print(BOTH if matrix.any(axis=0).all() else AGAIN)


if __name__ == "__main__":
    main()
