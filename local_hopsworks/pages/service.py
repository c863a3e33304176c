"""The pages that belong to no service, as a service."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.pages import home

SERVICE = ServiceDescription(pages=home.pages)
