"""Feature stores: each project has one, with the project's id."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import NotFound
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.projects.errors import FEATURE_STORE_NOT_FOUND

routes = Routes()


@routes.add("GET", "/project/{project}/featurestores/{name}")
def get(call: Call) -> Answer:
    """By its name or its id, which is the project's."""
    project = call.project
    if call.path["name"] not in (feature_store_name(project), str(project.id)):
        raise NotFound(
            f"The feature store of this project is {feature_store_name(project)}.",
            FEATURE_STORE_NOT_FOUND,
        )
    return {
        "featurestoreId": project.id,
        "featurestoreName": feature_store_name(project),
        "created": project.created,
        "projectName": project.name,
        "projectId": project.id,
        "offlineFeaturestoreName": feature_store_name(project),
        "onlineFeaturestoreName": project.name,
        "onlineEnabled": True,
    }


def feature_store_name(project: sa.Row[Any]) -> str:
    """The name of a project's feature store."""
    return f"{project.name}_featurestore"
