"""What a real Hopsworks does and this one does not, by the name that its users know it under.

What belongs to a service that is embedded stands in that service's `service.py`; here is the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from local_hopsworks.http.services import ServiceDescription

# Patterns of paths below /project/{id}; a call that none of them fits is named by its path.
_NAMES = {
    r"/kafka": "this with Kafka (access lists, sharing topics)",
    r"/storageconnectors": "storage connectors, data sources and external feature groups",
    r"/featuremonitoring": "feature and model monitoring",
    r"/alerts|/service/alerts|/alert": "alerts",
    r"/projectMembers": "members of a project",
    r"/git": "Git repositories",
    r"/python": "Python environments and libraries",
    r"/opensearch": "vector search",
    r"/apps": "Python apps",
    r"/charts|/dashboards|/superset": "charts and dashboards",
    r"/trino": "Trino",
    r"/airflow": "Airflow",
}


def name(method: str, path: str, services: Iterable[ServiceDescription]) -> str:
    """What a call is about, with the call itself in brackets."""
    call = f"{method} {path[:300]}"
    inside = re.sub(r"^/project/\d+", "", path)
    for names in (*(service.refuses for service in services), _NAMES):
        for pattern, title in names.items():
            if re.search(pattern, inside):
                return f"{title} ({call})"
    return call
