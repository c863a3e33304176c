"""Statistics of feature groups and training data: those the client computed, and on demand those of a feature group."""

from __future__ import annotations

import operator
import time
from typing import Any

from local_hopsworks import metadata
from local_hopsworks.errors import STATISTICS_NOT_FOUND, NotEmbedded, NotFound
from local_hopsworks.metadata import feature_groups, training_datasets
from local_hopsworks.query import delta
from local_hopsworks.rest import feature_groups as groups
from local_hopsworks.rest import jobs, queries, tags
from local_hopsworks.rest import training_datasets as training
from local_hopsworks.rest.routing import Answer, Call, Routes, items

routes = Routes()
_GROUP = groups.PATH + "/{id}/statistics"
_TRAINING = training.VERSION + "/statistics"
_OPTIONS = ("offset", "limit", "fields", "sort_by", "filter_by", "feature_names", "training_dataset_version")
# What the SDK filters by: a field of the document, and how it compares
_FIELDS = {
    "computation_time": "computationTime",
    "row_percentage": "rowPercentage",
    "before_transformation": "beforeTransformation",
    "window_start_commit_time": "windowStartCommitTime",
    "window_end_commit_time": "windowEndCommitTime",
}
_COMPARISONS = {"eq": operator.eq, "ltoeq": operator.le, "gtoeq": operator.ge}


def _register(call: Call, owner: str) -> Answer:
    table = metadata.statistics
    document = {"computationTime": int(time.time() * 1000), **call.document}
    call.db.execute(table.insert().values(owner=owner, document=document))
    return document


def _found(call: Call, owner: str) -> Answer:
    table = metadata.statistics
    documents: list[dict[str, Any]] = [
        row.document
        for row in call.db.execute(table.select().where(table.c.owner == owner).order_by(table.c.id.desc()))
    ]
    for entry in call.query.getlist("filter_by"):
        name, _, text = entry.partition(":")
        field, _, comparison = name.rpartition("_")
        if field not in _FIELDS or comparison not in _COMPARISONS:
            raise NotEmbedded(f"statistics chosen by {name[:80]!r}")
        asked = float({"true": 1, "false": 0}.get(text.lower(), text))
        documents = [document for document in documents if _matches(document, _FIELDS[field], comparison, asked)]
    documents.sort(key=lambda document: -(document.get("computationTime") or 0))
    start, limit = call.number("offset") or 0, call.number("limit")
    documents = documents[start : None if limit is None else start + limit]
    if not documents:
        raise NotFound("There are no such statistics.", STATISTICS_NOT_FOUND)
    names = set(call.query.getlist("feature_names"))
    return items(
        [_shortened(document, names, with_content=call.option("fields") == "content") for document in documents]
    )


def _matches(document: dict[str, Any], field: str, comparison: str, asked: float) -> bool:
    ours = document.get(field, {"rowPercentage": 1.0, "beforeTransformation": False}.get(field))
    return ours is not None and bool(_COMPARISONS[comparison](float(ours), asked))


def _shortened(document: dict[str, Any], names: set[str], *, with_content: bool) -> dict[str, Any]:
    if not with_content:
        return {
            key: value
            for key, value in document.items()
            if key not in ("featureDescriptiveStatistics", "splitStatistics")
        }
    features = document.get("featureDescriptiveStatistics")
    if not names or features is None:
        return document
    return {
        **document,
        "featureDescriptiveStatistics": [feature for feature in features if feature.get("featureName") in names],
    }


@routes.add("POST", _TRAINING)
def register_of_training_data(call: Call) -> Answer:
    return _register(call, tags.owner(training_datasets, training.find(call).id))


@routes.add("GET", _TRAINING, options=_OPTIONS)
def get_of_training_data(call: Call) -> Answer:
    return _found(call, tags.owner(training_datasets, training.find(call).id))


@routes.add("POST", _GROUP)
def register(call: Call) -> Answer:
    return _register(call, tags.owner(feature_groups, groups.find(call, call.integer("id")).id))


@routes.add("GET", _GROUP, options=_OPTIONS)
def get(call: Call) -> Answer:
    return _found(call, tags.owner(feature_groups, groups.find(call, call.integer("id")).id))


@routes.add("POST", _GROUP + "/compute")
def compute(call: Call) -> Answer:
    """Statistics of all rows as of the latest commit, computed before the answer."""
    from local_hopsworks.query import profile  # brings pyarrow and pandas

    row = groups.find(call, call.integer("id"))
    group = groups.document(call, row)
    query = {
        "leftFeatureGroup": {"id": row.id},
        "leftFeatures": [{"name": feature["name"]} for feature in group["features"]],
    }
    config = group.get("statisticsConfig") or {}
    if config.get("columns"):
        query["leftFeatures"] = [{"name": name} for name in config["columns"]]
    commits = delta.commits(group["location"])
    document = {
        "computationTime": int(time.time() * 1000),
        "rowPercentage": 1.0,
        "beforeTransformation": False,
        "windowEndCommitTime": commits[0]["commitid"] if commits else None,
        "featureDescriptiveStatistics": profile.describe(queries.plan(call.db, call.store, call.project, query)),
    }
    call.db.execute(metadata.statistics.insert().values(owner=tags.owner(feature_groups, row.id), document=document))
    return jobs.finished(call, f"{row.name}_{row.version}_compute_stats", "PYSPARK")
