"""The search, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.search.routes import routes

SERVICE = ServiceDescription(routes=routes)
