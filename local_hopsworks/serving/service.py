"""Model serving, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.serving import deployments, details, files, inference, instances
from local_hopsworks.serving.check import faults

SERVICE = ServiceDescription(
    routes=[*deployments.routes, *details.routes, *inference.routes],
    refuses={
        r"/serving/\d+/(versions|rollback)": "versions of a deployment",
        r"/serving|/inference": "this with a deployment",
    },
    variables={
        "enable_data_science_profile": lambda hopsworks, client: "true",
        "kube_kserve_installed": lambda hopsworks, client: "true",
        "kube_serving_min_num_instances": lambda hopsworks, client: "1",
        "kube_serving_max_num_instances": lambda hopsworks, client: "1",
        "kube_knative_domain_name": lambda hopsworks, client: "",
    },
    check=faults,
    writes=[files.EXCHANGE],
    on_serve=instances.start_all,
)
