"""Deleting feature groups and feature views, and all that goes with them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks import metadata
from local_hopsworks.errors import HopsworksError
from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.feature_store import feature_views as views
from local_hopsworks.feature_store.errors import ILLEGAL_FEATURE_GROUP_UPDATE
from local_hopsworks.feature_store.tables import feature_groups, feature_views, training_datasets
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.online import feature_groups as online
from local_hopsworks.store import cleared
from local_hopsworks.tags import routes as tags

routes = Routes()


@routes.add("DELETE", groups.PATH + "/{id}", options=["force", "deleteFeatureViews"])
def delete_group(call: Call) -> Answer:
    """A feature group that views read stays, unless they go too or the client insists."""
    row = groups.find(call, call.integer("id"))
    readers = _views_of(call, row)
    if readers and call.flag("deleteFeatureViews"):
        for view in readers:
            _delete_view(call, view)
    elif readers and not call.flag("force"):
        names = ", ".join(f"{view.name} version {view.version}" for view in readers)
        raise HopsworksError(
            f"Feature group {row.name} is used by feature view {names}; delete that first, "
            "or use force=True.",
            ILLEGAL_FEATURE_GROUP_UPDATE,
        )
    online.delete(call, groups.document(call, row))
    call.db.execute(feature_groups.delete().where(feature_groups.c.id == row.id))
    metadata.forget(call.db, tags.owner(feature_groups, row.id))
    table = groups.table(call, row)
    for folder in (table, cleared(table)):
        call.remove(folder)
    return None


@routes.add("DELETE", views.VERSION, options=["force"])
def delete_view(call: Call) -> Answer:
    """One version of a feature view."""
    _delete_view(call, views.find(call))
    return None


@routes.add("DELETE", views.PATH + "/{name}", options=["force"])
def delete_views(call: Call) -> Answer:
    """All versions of a feature view."""
    for row in views.versions(call):
        _delete_view(call, row)
    return None


def _views_of(call: Call, group: sa.Row[Any]) -> list[sa.Row[Any]]:
    """The feature views that read a feature group."""
    rows = call.db.execute(call.in_project(feature_views)).all()
    return [view for view in rows if group.id in groups.group_ids(view.document["query"])]


def _delete_view(call: Call, row: sa.Row[Any]) -> None:
    """Delete a feature view with its training data."""
    query = training_datasets.select().where(training_datasets.c.parent_id == row.id)
    for dataset in call.db.execute(query):
        metadata.forget(call.db, tags.owner(training_datasets, dataset.id))
        call.remove(call.store.dataset(call.project.name, dataset.document["location"]))
    metadata.forget(call.db, tags.owner(feature_views, row.id))
    call.db.execute(feature_views.delete().where(feature_views.c.id == row.id))
