"""Queries over the offline store, as a service: Arrow Flight beside the REST API."""

from __future__ import annotations

import atexit
import socket

from local_hopsworks.feature_store import materialisation, queries
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.offline.run import Engine


class Queries:
    """The query service of one Hopsworks. It starts when a client first asks for it, so that a
    program that only downloads files never pays for it."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        from local_hopsworks.offline.query_service import QueryService  # pyarrow's Flight: slow

        self._service = QueryService(
            hopsworks.host,
            _port_after(hopsworks.host, hopsworks.port),
            hopsworks.security,
            hopsworks.part(Engine),
            lambda ticket: queries.plan_ticket(hopsworks, ticket),
            hopsworks.store.file,
            lambda ticket, view, view_version, version: materialisation.materialise_ticket(
                hopsworks, ticket, view, view_version, version
            ),
        )
        self.address = f"{hopsworks.host}:{self._service.port}"
        atexit.register(self._service.close)

    def stop(self) -> None:
        """Stop answering; see query_service.py."""
        atexit.unregister(self._service.close)
        self._service.close()


def _port_after(host: str, port: int) -> int:
    """The next port, where a client of before a restart looks for it; 0, any, if that is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port + 1))
            probe.listen()
        except (OSError, OverflowError):
            return 0
    return port + 1


def _address(hopsworks: Hopsworks, client: str) -> str:
    """What the SDK asks for before it connects."""
    return f"{hopsworks.part(Queries).address}/"


SERVICE = ServiceDescription(
    variables={
        "enable_flyingduck": lambda hopsworks, client: "true",
        # The SDK appends ":5005"; after a slash that is a path, so the port before it counts.
        "loadbalancer_external_domain_feature_query": _address,
    },
)
