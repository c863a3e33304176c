"""The pages for browsers, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.pages.pages import routes

SERVICE = ServiceDescription(pages=routes)
