"""The calls about statistics of feature groups and training data: those the client computed and
those of computed_statistics.py."""

from __future__ import annotations

import operator
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.feature_store import computed_statistics as computed
from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.feature_store import shapes
from local_hopsworks.feature_store import training_datasets as training
from local_hopsworks.feature_store.computed_statistics import CONTENT, Document
from local_hopsworks.feature_store.errors import ILLEGAL_STATISTICS_WINDOW, STATISTICS_NOT_FOUND
from local_hopsworks.feature_store.tables import feature_groups, training_datasets
from local_hopsworks.feature_store.tables import statistics as table
from local_hopsworks.http import times
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.jobs import jobs
from local_hopsworks.tags import routes as tags

routes = Routes()
_GROUP = groups.PATH + "/{id}/statistics"
_TRAINING = training.VERSION + "/statistics"
_OPTIONS = (
    "offset",
    "limit",
    "fields",
    "sort_by",
    "filter_by",
    "feature_names",
    "training_dataset_version",
)
# What the SDK filters by: a field of the document, and how it compares
_FIELDS = {
    "computation_time": "computationTime",
    "row_percentage": "rowPercentage",
    "before_transformation": "beforeTransformation",
    "window_start_commit_time": "windowStartCommitTime",
    "window_end_commit_time": "windowEndCommitTime",
}
# What a client leaves out
_DEFAULTS = {"rowPercentage": 1.0, "beforeTransformation": False}
_COMPARISONS = {"eq": operator.eq, "ltoeq": operator.le, "gtoeq": operator.ge}


@dataclass(frozen=True)
class _Filter:
    """What statistics are chosen by: a field of the document, a comparison and a number."""

    field: str
    comparison: str
    number: float

    def holds(self, document: Document) -> bool:
        ours = document.get(self.field, _DEFAULTS.get(self.field))
        compare = _COMPARISONS[self.comparison]
        return ours is not None and bool(compare(float(ours), self.number))


def _filters(call: Call) -> list[_Filter]:
    found = []
    for entry in call.query.getlist("filter_by"):
        name, _, text = entry.partition(":")
        field, _, comparison = name.rpartition("_")
        if field not in _FIELDS or comparison not in _COMPARISONS:
            raise NotEmbedded(f"statistics chosen by {name[:80]!r}")
        try:
            number = float({"true": 1, "false": 0}.get(text.lower(), text))
        except ValueError as error:
            raise HopsworksError(
                f"Statistics are chosen by numbers, {name[:80]!r} not by {text[:80]!r}."
            ) from error
        found.append(_Filter(_FIELDS[field], comparison, number))
    return found


def _register(call: Call, owner: str) -> Answer:
    document = {"computationTime": int(time.time() * 1000), **call.document}
    if not any(document.get(key) for key in CONTENT):
        raise HopsworksError("The statistics have no content.")
    call.db.execute(table.insert().values(owner=owner, document=document))
    return document


def _keep(call: Call, owner: str, document: Document) -> None:
    """In a transaction of its own: the one of a GET only reads."""
    with call.hopsworks.metadata.transaction(write=True) as db:
        db.execute(table.insert().values(owner=owner, document=document))


def _stored(call: Call, owner: str) -> list[Document]:
    """Newest first."""
    query = sa.select(table.c.document).where(table.c.owner == owner).order_by(table.c.id.desc())
    return list(call.db.scalars(query))


def _chosen(call: Call, documents: list[Document], filters: list[_Filter]) -> list[Document]:
    """Those that the call asks for, the newest first; raises NotFound if there are none."""
    found = [each for each in documents if all(filter_.holds(each) for filter_ in filters)]
    found.sort(key=lambda document: -(document.get("computationTime") or 0))
    found = found[call.page()]
    if not found:
        raise NotFound("There are no such statistics.", STATISTICS_NOT_FOUND)
    return found


def _wants_content(call: Call) -> bool:
    return call.option("fields") == "content"


def _answer(call: Call, documents: list[Document]) -> Answer:
    if not _wants_content(call):
        return items([_without_content(document) for document in documents])
    names = set(call.query.getlist("feature_names"))
    return items([_about(document, names) for document in documents])


def _without_content(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in CONTENT}


def _about(document: Document, names: set[str]) -> Document:
    """What the document, or each split of it, says about these features; empty: about all."""
    shortened = dict(document)
    features = document.get("featureDescriptiveStatistics")
    if names and features is not None:
        shortened["featureDescriptiveStatistics"] = [
            feature for feature in features if feature.get("featureName") in names
        ]
    splits = document.get("splitStatistics")
    if splits is not None:
        shortened["splitStatistics"] = [_about(split, names) for split in splits]
    return shortened


# --------------------------------------------------------------------------------------------------
# Training data


@routes.add("POST", _TRAINING, body=shapes.STATISTICS)
def register_of_training_data(call: Call) -> Answer:
    """Keep what the client has computed."""
    return _register(call, tags.owner(training_datasets, training.find(call).id))


@routes.add("GET", _TRAINING, options=_OPTIONS)
def get_of_training_data(call: Call) -> Answer:
    """The client computes those of training data in memory, this server those of files."""
    row = training.find(call)
    owner = tags.owner(training_datasets, row.id)
    documents, filters = _stored(call, owner), _filters(call)
    has_own = any(not document.get("beforeTransformation") for document in documents)
    if not has_own and computed.are_wanted(row):
        folder = training.files_of(call, row)
        if folder is not None:
            written = int(folder.stat().st_mtime * 1000)
            document = {**computed.document(written), **computed.of_files(folder, row)}
            _keep(call, owner, document)
            documents.append(document)
    return _answer(call, _chosen(call, documents, filters))


# --------------------------------------------------------------------------------------------------
# Feature groups


@routes.add("POST", _GROUP, body=shapes.STATISTICS)
def register(call: Call) -> Answer:
    """Keep what the client has computed."""
    return _register(call, tags.owner(feature_groups, groups.find(call, call.integer("id")).id))


@routes.add("GET", _GROUP, options=_OPTIONS)
def get(call: Call) -> Answer:
    """Statistics of the commits up to a time. As in Hopsworks each commit has some, computed at
    its time."""
    row = groups.find(call, call.integer("id"))
    owner = tags.owner(feature_groups, row.id)
    filters = _as_commits(call, row, _filters(call))
    documents = _stored(call, owner)
    if computed.are_wanted(row):
        known = {document.get("windowEndCommitTime") for document in documents}
        until = min((int(each.number) for each in filters if _is_bound(each)), default=None)
        newest_only = 1 if call.number("limit") == 1 else None
        for document in computed.of_commits(call, row, until, newest_only):
            if document["windowEndCommitTime"] not in known:
                documents.append(document)
    chosen = _chosen(call, documents, filters)
    for document in chosen if _wants_content(call) else []:
        if not any(key in document for key in CONTENT):
            document |= computed.of_group(call, row, document["windowEndCommitTime"])
            _keep(call, owner, document)
    return _answer(call, chosen)


def _is_bound(filter_: _Filter) -> bool:
    """Whether it says up to which time."""
    is_of_time = filter_.field in ("computationTime", "windowEndCommitTime")
    return is_of_time and filter_.comparison in ("eq", "ltoeq")


def _as_commits(call: Call, row: sa.Row[Any], filters: list[_Filter]) -> list[_Filter]:
    """The window that is asked for, as Hopsworks understands it: up to the last commit in it."""
    asked = {each.field for each in filters}
    if "windowStartCommitTime" in asked and "windowEndCommitTime" not in asked:
        raise HopsworksError(
            "A window of commits that has a start needs an end too.", ILLEGAL_STATISTICS_WINDOW
        )
    found = []
    for each in filters:
        number = each.number
        if each.field == "windowEndCommitTime":
            number = times.meant(int(number))
            if each.comparison == "eq":
                number = computed.commit_until(call, row, number) or 0
        found.append(_Filter(each.field, each.comparison, number))
    return found


@routes.add("POST", _GROUP + "/compute", options=["start_commit_time", "end_commit_time"])
def compute(call: Call) -> Answer:
    """Statistics of all rows as of the latest commit, or an earlier one, computed before the
    answer."""
    if call.option("start_commit_time"):
        raise NotEmbedded(
            "statistics of what changed since a commit", "Leave the start of the window out."
        )
    row = groups.find(call, call.integer("id"))
    commit = computed.commit_until(call, row, call.number("end_commit_time"))
    now = int(time.time() * 1000)
    document = {**computed.document(now, commit), **computed.of_group(call, row, commit)}
    owner = tags.owner(feature_groups, row.id)
    call.db.execute(table.insert().values(owner=owner, document=document))
    return jobs.finished(call, f"{row.name}_{row.version}_compute_stats", "PYSPARK")
