"""Log in to an account of Hopsworks; what can go wrong there is told in one sentence."""

from __future__ import annotations

import os
from typing import Any

_DEFAULT_HOST, _DEFAULT_PORT = "eu-west.cloud.hopsworks.ai", "443"  # the SDK's
_UNEXPECTED = (ValueError, KeyError, TypeError, AttributeError)  # at answers the SDK does not know
_LOCALLY = "or unset HOPSWORKS_API_KEY to work with the embedded Hopsworks on this machine"


def login() -> Any:
    """The project of the account that the environment names; SystemExit with a sentence if the SDK
    cannot log in."""
    import hopsworks
    import requests
    from hopsworks.client.exceptions import HopsworksSSLClientError, ProjectException, RestAPIError

    expected = (
        HopsworksSSLClientError,
        ProjectException,
        RestAPIError,
        requests.exceptions.RequestException,
        EOFError,
        PermissionError,
        *_UNEXPECTED,
    )
    try:
        project = hopsworks.login()
    except expected as error:
        raise _explained(error) from None
    if project is None:
        raise _exit("the account has no project", _NAME_PROJECT)
    return project


def _explained(error: BaseException) -> SystemExit:
    """What went wrong, and what to do; the first that fits."""
    import requests
    from hopsworks.client.exceptions import HopsworksSSLClientError, ProjectException, RestAPIError

    if isinstance(error, ProjectException) and isinstance(error.__cause__, RestAPIError):
        refused = _status(error.__cause__) in (401, 403)
        return _refused(error.__cause__) if refused else _exit(_no_project(), _CHECK_PROJECT)
    if isinstance(error, RestAPIError):
        return _refused(error)
    cause = _cause(error)
    reasons: list[tuple[type[BaseException], str, str]] = [
        (HopsworksSSLClientError, f"no TLS connection came about ({cause})", _CHECK_ADDRESS),
        (requests.exceptions.SSLError, f"no TLS connection came about ({cause})", _CHECK_ADDRESS),
        (requests.exceptions.ProxyError, f"the proxy does not lead there ({cause})", _CHECK_PROXY),
        (requests.exceptions.ConnectionError, f"it cannot be reached ({cause})", _CHECK_ADDRESS),
        (ProjectException, "the account has no project", _NAME_PROJECT),
        # the SDK asks on standard input which one
        (EOFError, "the account has several projects", _NAME_PROJECT),
        (PermissionError, f"the certificates cannot be kept ({error})", _NAME_FOLDER),
    ]
    for kind, what, remedy in reasons:
        if isinstance(error, kind):
            return _exit(what, remedy)
    return _exit(f"what answers there is no Hopsworks ({cause})", _CHECK_ADDRESS)


_CHECK_ADDRESS = "Check HOPSWORKS_HOST and HOPSWORKS_PORT"
_CHECK_PROXY = "Check HTTPS_PROXY, or add the host to NO_PROXY"
_CHECK_KEY = "Make a new API key in your account settings and put it into HOPSWORKS_API_KEY"
_CHECK_PROJECT = "Check HOPSWORKS_PROJECT"
_NAME_PROJECT = "Create one in the account, and name it in HOPSWORKS_PROJECT"
_NAME_FOLDER = "Name a folder of your own in HOPSWORKS_CERT_FOLDER"


def _exit(what: str, remedy: str) -> SystemExit:
    return SystemExit(
        f"local_hopsworks: Cannot log in to {_address()}: {what}. {remedy}, {_LOCALLY}."
    )


def _address() -> str:
    host = os.environ.get("HOPSWORKS_HOST", _DEFAULT_HOST)
    port = os.environ.get("HOPSWORKS_PORT", _DEFAULT_PORT)
    return f"https://{host}:{port}"


def _refused(error: Any) -> SystemExit:
    status = _status(error)
    if status in (401, 403):
        return _exit(f"the API key was refused (HTTP {status})", _CHECK_KEY)
    return _exit(f"it answered with HTTP {status}", _CHECK_ADDRESS)


def _status(error: Any) -> int:
    return int(error.response.status_code)


def _no_project() -> str:
    return f"there is no project {os.environ.get('HOPSWORKS_PROJECT', '')!r} for this API key"


def _cause(error: BaseException) -> str:
    """The innermost reason, in the words of the library that noticed it."""
    seen = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    text = getattr(seen, "strerror", None) or str(seen) or type(seen).__name__
    return " ".join(str(text).split())[:200]
