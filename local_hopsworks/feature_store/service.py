"""The feature store, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.feature_store import (
    batch_queries,
    commits,
    deletion,
    feature_groups,
    feature_stores,
    feature_views,
    materialisation,
    provenance,
    query_tickets,
    statistics,
    training_datasets,
    transformation_functions,
)
from local_hopsworks.feature_store.check import faults
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.services import ServiceDescription

_SHARE = "/project/{project}/featurestores/share"
_refused = Routes()
for _path in (_SHARE, _SHARE + "/{rest:path}"):
    _refused.refuse(_path, "sharing feature stores and feature groups")

SERVICE = ServiceDescription(
    routes=[
        *_refused,
        *feature_stores.routes,
        *feature_groups.routes,
        *commits.routes,
        *feature_views.routes,
        *deletion.routes,
        *batch_queries.routes,
        *training_datasets.routes,
        *materialisation.routes,
        *transformation_functions.routes,
        *query_tickets.routes,
        *statistics.routes,
        *provenance.routes,
    ],
    refuses={
        r"/featureview/.*/log(/|$)": "feature logging",
        r"/restrictedaccess|/featurestores/.*share|/featurestores/share": (
            "sharing feature groups and restricting access"
        ),
        r"/featurestores/\d+/trainingdatasets": "training datasets without a feature view",
    },
    check=faults,
    writes=[commits.OVERWRITE, training_datasets.TRAINING],
)
