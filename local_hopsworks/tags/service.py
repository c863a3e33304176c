"""Tags, as a service: their routes stand below the things that bear them."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription

SERVICE = ServiceDescription()
