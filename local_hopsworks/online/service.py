"""The online feature store, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.online import feature_groups, routes

SERVICE = ServiceDescription(
    routes=routes.routes,
    on_start=feature_groups.settle,
)
