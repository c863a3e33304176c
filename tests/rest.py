"""The REST interface and the pages of a running server, asked without the SDK."""

from __future__ import annotations

import html
import re
import urllib.parse
from typing import Any

import requests


def session(server: Any, key: str | None = None) -> requests.Session:
    """A session that trusts no authority but the server's; without a key, a stranger's."""
    made = requests.Session()
    made.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
    made.verify = str(server.store.security / "ca.pem")
    if key:
        made.headers["Authorization"] = f"ApiKey {key}"
    return made


def call(server: Any, method: str, path: str, port: object = None, **options: Any) -> Any:
    """The answer to one call with the server's key; `port`: of another server of the same store."""
    address = f"https://127.0.0.1:{port}" if port else server.address
    with session(server, server.api_key) as client:
        return client.request(method, f"{address}/hopsworks-api/api{path}", timeout=60, **options)


def succeed(server: Any, method: str, path: str, port: object = None, **options: Any) -> Any:
    """The answer to one call about the server's first project, which must not be an error."""
    answer = call(server, method, f"/project/1{path}", port, **options)
    assert answer.ok, answer.text
    return answer


def whole_list(visitor: requests.Session, address: str) -> str:
    """The HTML of all pages of a list: what other tests have made may fill the first one."""
    page = visitor.get(address, timeout=60).text
    onward = re.search(r'href="([^"]+)" rel="next"', page)
    if onward is None:
        return page
    return page + whole_list(visitor, urllib.parse.urljoin(address, html.unescape(onward[1])))
