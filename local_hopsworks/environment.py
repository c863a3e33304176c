"""What the SDK finds in the environment: variables with which a plain `hopsworks.login()` reaches
an embedded Hopsworks, whatever else is set.

The SDK, requests and gRPC read more of the environment than one expects: proxies, an engine,
whether and by which authority certificates are verified, and where certificates are kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Inside a cluster of Hopsworks the SDK heeds this one, and no other
_INSIDE_HOPSWORKS = "REST_ENDPOINT"
# requests and urllib read the first two, gRPC the last two
_AROUND_PROXIES = ("NO_PROXY", "no_proxy", "no_grpc_proxy")


def variables(
    host: str, port: int, project: str, api_key: str, authority: Path, certificates: Path
) -> dict[str, str]:
    """The variables that lead to a server.

    `authority` is the file of the authority that signed its certificate; the SDK sends the API key
    to no other server that may listen there one day. `certificates` is a folder for the client's:
    the SDK's own choice, below /tmp, can be prepared by any user of this machine.
    """
    found = {
        "HOPSWORKS_HOST": host,
        "HOPSWORKS_PORT": str(port),
        "HOPSWORKS_PROJECT": project,
        "HOPSWORKS_API_KEY": api_key,
        "HOPSWORKS_ENGINE": "python",
        "HOPSWORKS_HOSTNAME_VERIFICATION": "false",
        **around_proxies(host),
    }
    if is_loopback(host):  # else the program may run on another machine, which has neither
        found |= {
            "HOPSWORKS_HOSTNAME_VERIFICATION": "true",
            "HOPSWORKS_TRUST_STORE_PATH": str(authority),
            "HOPSWORKS_CERT_FOLDER": str(certificates),
        }
    return found


def is_loopback(host: str) -> bool:
    """Whether this IPv4 address is reached from this machine only."""
    return host.startswith("127.")


def is_inside_hopsworks() -> bool:
    """Whether this program runs in a cluster of Hopsworks, where the SDK logs in by itself."""
    return _INSIDE_HOPSWORKS in os.environ


def around_proxies(host: str) -> dict[str, str]:
    """The variables that keep traffic to `host` away from proxies, and all that they kept away
    before."""
    found = {}
    for name in _AROUND_PROXIES:
        before = os.environ.get(name, os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")))
        hosts = [part.strip() for part in before.split(",") if part.strip()]
        found[name] = ",".join(dict.fromkeys([*hosts, "localhost", host]))
    return found


def of_child(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that is to reach the server with the variables `ours`."""
    inherited = {name: value for name, value in os.environ.items() if name != _INSIDE_HOPSWORKS}
    return {**inherited, **ours}


@contextmanager
def in_this_process(ours: Mapping[str, str]) -> Iterator[None]:
    """This process has the variables `ours` for a while. Those about proxies stay, as requests
    reads them for every request."""
    before = {name: os.environ.get(name) for name in ours if name not in _AROUND_PROXIES}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
