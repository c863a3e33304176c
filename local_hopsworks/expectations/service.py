"""Expectation suites and validation reports, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.expectations import routes, validation
from local_hopsworks.http.services import ServiceDescription

SERVICE = ServiceDescription(routes=[*routes.routes, *validation.routes])
