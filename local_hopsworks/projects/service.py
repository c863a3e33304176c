"""Projects and the login, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.projects.check import faults
from local_hopsworks.projects.routes import routes
from local_hopsworks.security import DOMAIN

SERVICE = ServiceDescription(
    routes=routes,
    variables={
        "service_discovery_domain": lambda hopsworks, client: DOMAIN,
    },
    check=faults,
)
