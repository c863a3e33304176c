"""What a real Hopsworks does and this one does not, by the name that its users know it under."""

from __future__ import annotations

import re

from local_hopsworks.errors import NotEmbedded
from local_hopsworks.http.routing import Answer, Call, Routes

routes = Routes()  # what other services' wider routes would take for something of theirs

# Paths below /project/{id}, the most telling first; whatever no service answers and is not here is
# named by its path.
_NAMES = [
    (r"/serving|/inference", "model deployments"),
    (r"/kafka", "Kafka topics and schemas"),
    (r"/storageconnectors/onlinefeaturestore|/online_ingestion", "the online feature store"),
    (r"/storageconnectors", "storage connectors, data sources and external feature groups"),
    (r"/featuremonitoring", "feature and model monitoring"),
    (r"/featureview/.*/log(/|$)", "feature logging"),
    (r"/alerts|/service/alerts|/alert", "alerts"),
    (
        r"/restrictedaccess|/featurestores/.*share|/featurestores/share",
        "sharing feature groups and restricting access",
    ),
    (r"/dataset/tags", "tags on files"),
    (r"/dataset/", "permissions, sharing and archives of files"),
    (r"/featurestores/\d+/trainingdatasets", "training datasets without a feature view"),
    (r"/projectMembers", "members of a project"),
    (r"/git", "Git repositories"),
    (r"/python", "Python environments and libraries"),
    (r"/elastic|/opensearch", "search"),
    (r"/apps", "Python apps"),
    (r"/charts|/dashboards|/superset", "charts and dashboards"),
    (r"/trino", "Trino"),
    (r"/modelregistries/.*/huggingface", "models from Hugging Face"),
    (r"/executions/\d+/", "this with an execution (starting, stopping, logs and deleting work)"),
    (r"/airflow", "Airflow"),
]


def name(method: str, path: str) -> str:
    """What a call is about, with the call itself in brackets."""
    call = f"{method} {path[:300]}"
    inside = re.sub(r"^/project/\d+", "", path)
    found = next((title for pattern, title in _NAMES if re.search(pattern, inside)), None)
    return f"{found} ({call})" if found else call


for _path, _title in (
    ("/featurestores/share", "sharing feature stores and feature groups"),
    ("/featurestores/share/{rest:path}", "sharing feature stores and feature groups"),
    ("/dataset/tags/{rest:path}", "tags on files"),
):
    for _method in ("GET", "POST", "PUT", "DELETE"):

        @routes.add(_method, "/project/{project}" + _path, options=("project", "targetProject"))
        def _refuse(call: Call, title: str = _title) -> Answer:
            raise NotEmbedded(title)
