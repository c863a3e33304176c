"""The model registry, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.models.check import faults
from local_hopsworks.models.routes import routes
from local_hopsworks.models.saving import MODEL

SERVICE = ServiceDescription(
    routes=routes,
    refuses={r"/modelregistries/.*/huggingface": "models from Hugging Face"},
    check=faults,
    writes=[MODEL],
)
