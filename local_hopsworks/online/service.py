"""The online feature store, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.online import (
    check,
    clearing,
    connector,
    feature_server,
    kafka_routes,
    prepared_statements,
    recovery,
    routes,
)

SERVICE = ServiceDescription(
    routes=[
        *routes.routes,
        *connector.routes,
        *prepared_statements.routes,
        *kafka_routes.routes,
    ],
    pages=feature_server.routes,
    variables={
        "loadbalancer_external_domain_mysqld": connector.sql_host,
        "loadbalancer_external_domain_online_store_rest_server": connector.feature_server,
    },
    check=check.faults,
    writes=[clearing.CLEAR],
    on_start=recovery.recover,
)
