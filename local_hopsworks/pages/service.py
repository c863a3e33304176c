"""What is no call of the API, as a service: it belongs to the pages."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.pages import door

SERVICE = ServiceDescription(pages=door.routes)
