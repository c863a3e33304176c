"""Provenance: what was made from what, up and down from feature groups over views and training data
to models."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.feature_store import feature_views as views
from local_hopsworks.feature_store import training_datasets as training
from local_hopsworks.feature_store.tables import feature_groups, feature_views, training_datasets
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.models import routes as registry
from local_hopsworks.models.tables import models

routes = Routes()
_OPTIONS = ("upstreamLvls", "downstreamLvls")
Node = dict[str, Any]


def _node(
    kind: str,
    artifact: dict[str, Any],
    upstream: list[Node] | None = None,
    downstream: list[Node] | None = None,
) -> Node:
    found = {"artifact_type": kind, "accessible": True, "deleted": False, "artifact": artifact}
    return {"node": found, "upstream": upstream or [], "downstream": downstream or []}


def _all(call: Call, table: sa.Table) -> list[sa.Row[Any]]:
    return list(call.db.execute(call.in_project(table).order_by(table.c.id)))


def _models(call: Call, view: sa.Row[Any]) -> list[sa.Row[Any]]:
    return [
        model
        for model in _all(call, models)
        if model.document["featureView"] == [view.name, view.version]
    ]


@routes.add("GET", groups.PATH + "/{id}/provenance/links", options=_OPTIONS)
def of_feature_group(call: Call) -> Answer:
    """Up the groups that its maker named as parents, down the groups that name it and the views
    that read it."""
    row = groups.find(call, call.integer("id"))
    others = {other.id: other for other in _all(call, feature_groups)}
    upstream = [
        _node("FEATURE_GROUP", groups.document(call, others[parent["id"]]))
        if parent["id"] in others
        else _gone("FEATURE_GROUP", call, parent["name"], parent["version"])
        for parent in _parents(row)
    ]
    downstream = [
        _node("FEATURE_GROUP", groups.document(call, other))
        for other in others.values()
        if row.id in [parent["id"] for parent in _parents(other)]
    ]
    made = [
        view
        for view in _all(call, feature_views)
        if row.id in groups.group_ids(view.document["query"])
    ]
    downstream += [_node("FEATURE_VIEW", views.document(call, view)) for view in made]
    return {"upstream": upstream, "downstream": downstream}


def _parents(row: sa.Row[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = row.document.get("parents") or []
    return found


def _gone(kind: str, call: Call, name: str, version: int) -> Node:
    """Something that was deleted: its name is all that is left."""
    artifact = {"project": call.project.name, "name": name, "version": version}
    found = {"artifact_type": kind, "accessible": False, "deleted": True, "artifact": artifact}
    return {"node": found, "upstream": [], "downstream": []}


@routes.add("GET", views.VERSION + "/provenance/links", options=_OPTIONS)
def of_feature_view(call: Call) -> Answer:
    """Down from a view come its training datasets, and from each the models that were trained on
    it."""
    row = views.find(call)
    sources = [
        groups.document(call, groups.find(call, key))
        for key in sorted(groups.group_ids(row.document["query"]))
    ]
    datasets = call.db.execute(
        training_datasets.select().where(training_datasets.c.parent_id == row.id)
    ).all()
    trained: dict[int | None, list[Node]] = {}
    for model in _models(call, row):
        node = _node("MODEL", registry.document(call, model))
        trained.setdefault(model.document["trainingDatasetVersion"], []).append(node)
    downstream = [
        _node(
            "TRAINING_DATASET",
            training.document(call, dataset),
            downstream=trained.pop(dataset.version, []),
        )
        for dataset in datasets
    ]
    downstream += [node for nodes in trained.values() for node in nodes]
    return {
        "upstream": [_node("FEATURE_GROUP", source) for source in sources],
        "downstream": downstream,
    }


@routes.add("GET", registry.PATH + "/{id}/provenance/links", options=_OPTIONS)
def of_model(call: Call) -> Answer:
    """Up from a model: the training data or the view that it was trained on."""
    row = registry.find(call)
    if not row.document["featureView"]:
        return {"upstream": [], "downstream": []}
    name, version = row.document["featureView"]
    view = call.find_version(feature_views, name, version)
    if view is None:
        return {"upstream": [_gone("FEATURE_VIEW", call, name, version)], "downstream": []}
    source = _node("FEATURE_VIEW", views.document(call, view))
    query = training_datasets.select().where(
        training_datasets.c.parent_id == view.id,
        training_datasets.c.version == row.document["trainingDatasetVersion"],
    )
    dataset = call.db.execute(query).one_or_none()
    return {
        "upstream": [
            source
            if dataset is None
            else _node("TRAINING_DATASET", training.document(call, dataset), [source])
        ],
        "downstream": [],
    }
