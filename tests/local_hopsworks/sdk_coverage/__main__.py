"""Prints local_hopsworks/COVERAGE.md: what each public method of the SDK does against an embedded
Hopsworks.

    make coverage    # a store of its own, Great Expectations in reach
    python -m local_hopsworks run -- python tests/local_hopsworks/sdk_coverage [--only CLASS|hops]

A method works, is refused (by this server with a sentence that names the call, or by the SDK
itself), or fails.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import re
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator

import hops_commands
from calls_feature_store import FEATURE_GROUP, FEATURE_STORE, QUERY
from calls_feature_view import FEATURE_VIEW, TRAINING_DATASET
from calls_kafka import INGESTION, KAFKA
from calls_project import FILES, JOBS, MODEL, PROJECT, REGISTRY, SECRETS, Calls
from calls_serving import DEPLOYMENT, PREDICTOR, SERVING
from hopsworks.client.exceptions import RestAPIError
from hopsworks.core.dataset_api import DatasetApi
from hopsworks.core.job_api import JobApi
from hopsworks.core.kafka_api import KafkaApi
from hopsworks.core.secret_api import SecretsApi
from hopsworks.project import Project
from hsfs.constructor.query import Query
from hsfs.core.online_ingestion import OnlineIngestion
from hsfs.feature_group import FeatureGroup
from hsfs.feature_store import FeatureStore
from hsfs.feature_view import FeatureView
from hsfs.training_dataset import TrainingDataset
from hsml.deployment import Deployment
from hsml.model import Model
from hsml.model_registry import ModelRegistry
from hsml.model_serving import ModelServing
from hsml.predictor import Predictor
from outcomes import Row
from world import World

CLASSES: list[tuple[type, Calls]] = [
    (Project, PROJECT),
    (FeatureStore, FEATURE_STORE),
    (FeatureGroup, FEATURE_GROUP),
    (FeatureView, FEATURE_VIEW),
    (Query, QUERY),
    (TrainingDataset, TRAINING_DATASET),
    (ModelRegistry, REGISTRY),
    (Model, MODEL),
    (ModelServing, SERVING),
    (Deployment, DEPLOYMENT),
    (Predictor, PREDICTOR),
    (DatasetApi, FILES),
    (SecretsApi, SECRETS),
    (JobApi, JOBS),
    (KafkaApi, KAFKA),
    (OnlineIngestion, INGESTION),
]


def public_methods(kind: type) -> list[str]:
    """The methods that the SDK's source marks as public (a decorator that leaves no other
    trace)."""
    found = []
    for name, member in inspect.getmembers(kind, callable):
        with contextlib.suppress(TypeError, OSError):  # constants and classes
            decorators = inspect.getsource(inspect.unwrap(member)).split("def ")[0]
            if not name.startswith("_") and "@public" in decorators and not inspect.isclass(member):
                found.append(name)
    return found


def rows(world: World, kind: type, calls: Calls) -> Iterator[Row]:
    for method in public_methods(kind):
        if method not in calls:
            yield Row(method, "fails", "nobody has written down how it is called")
            continue
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                result = calls[method](world)
            yield (
                Row(method, "works")
                if result is not False
                else Row(method, "fails", "the answer is wrong")
            )
        except Exception as error:
            remark = _BROKEN.get((kind.__name__, method))
            yield Row(method, "refused by the SDK", remark) if remark else _judged(method, error)


def _judged(method: str, error: Exception) -> Row:
    sentence = " ".join(str(error).split())
    if isinstance(error, RestAPIError):
        answer = error.response.json() if error.response.content else {}
        if error.response.status_code == 501:
            what = answer["usrMsg"].removeprefix("The embedded Hopsworks does not do this: ")
            return Row(
                method,
                "refused",
                re.sub(r" \((GET|PUT|POST|DELETE) .*?\)|Set HOPSWORKS_API_KEY.*", "", what).strip(),
            )
        return Row(method, "fails", answer.get("usrMsg") or sentence)
    raised_by = traceback.extract_tb(error.__traceback__)[-1].filename
    if type(error).__name__ in _REFUSALS and "site-packages" in raised_by:
        return Row(method, "refused by the SDK", sentence)
    return Row(method, "fails", f"{type(error).__name__}: {sentence}")


# What the SDK raises for a thing it will not do itself, as against an answer it cannot digest
_REFUSALS = (
    "FeatureStoreException",
    "ModelServingException",
    "NotImplementedError",
    "ModuleNotFoundError",
    "ValueError",
)
# What no Hopsworks can make work: the SDK itself fails before it has asked anything
_BROKEN = {
    ("FeatureView", "clean"): "calls a method that its own class does not have",
    ("KafkaApi", "get_subjects"): "forgets which schema a topic has before it asks for it",
    ("FeatureGroup", "insert_stream"): "takes a streaming DataFrame of Spark only",
    ("TrainingDataset", "get_serving_vector"): "there is none to serve, because save is refused",
    ("TrainingDataset", "get_serving_vectors"): "there is none to serve, because save is refused",
    (
        "TrainingDataset",
        "init_prepared_statement",
    ): "there is none to serve, because save is refused",
    ("TrainingDataset", "read"): "there is none to read, because save is refused",
    ("TrainingDataset", "show"): "there is none to show, because save is refused",
    (
        "DatasetApi",
        "upload_feature_group",
    ): "takes the feature group for a text as well as for an object",
}


def page(only: str | None = None) -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        world = World()
    parts, total = [], Counter()
    for kind, calls in CLASSES:
        if only not in (None, kind.__name__):
            continue
        found = list(rows(world, kind, calls))
        parts += ["", f"## {kind.__name__}", "", "| method | outcome | remark |", "|---|---|---|"]
        parts += map(_line, found)
        total.update(row.outcome for row in found)
    in_all = [f"In all: {_counts(total)}."]
    if only in (None, "hops"):
        commands = _commands(world)
        parts += ["", "## The command line, `hops`", "", "| command | outcome | remark |"]
        parts += ["|---|---|---|", *map(_line, commands)]
        outcomes = Counter(row.outcome for row in commands)
        in_all.append(f"Of {len(commands)} commands that read: {_counts(outcomes)}.")
    return "\n".join([*_HEAD, *in_all, *parts, ""])


def _line(row: Row) -> str:
    return f"| `{row.name}` | {row.outcome} | {row.remark[:200].replace('|', '/')} |"


def _counts(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())


def _commands(world: World) -> list[Row]:
    with contextlib.redirect_stdout(io.StringIO()):
        return list(hops_commands.rows(world))


_HEAD = [
    "# What the embedded Hopsworks covers",
    "",
    "Every public method of the SDK's main classes, called on a running server, and every command "
    "of its command line,",
    "`hops`, that reads. `make coverage` writes this page, and a test fails when it is out of "
    "date. *Refused*: the server",
    "answers 501 and names the call.",
    "*Refused by the SDK*: it does not even ask the server, mostly because it needs Spark "
    "or an online store.",
    "",
]

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()
    out = sys.stdout
    print(page(sys.argv[2] if sys.argv[1:2] == ["--only"] else None), file=out)
