"""An embedded Hopsworks: runs the unmodified `hopsworks` SDK on a laptop, with no account.

    from local_hopsworks import login
    project = login()

With HOPSWORKS_API_KEY set that is `hopsworks.login()`; without, an embedded Hopsworks in this
process.

`Server` is the same to start and stop yourself, `python -m local_hopsworks` the command line.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from local_hopsworks import environment, forks

if TYPE_CHECKING:
    from local_hopsworks.server import Server

__version__ = "1.0.0"
__all__ = ["Server", "login"]
# One per process is enough; it ends with the process
_server: Server | None = None
_project: Any = None  # that login() has returned
_login_lock = threading.Lock()


def login() -> Any:
    """The `hopsworks.project.Project` to work in.

    With HOPSWORKS_API_KEY set it is the account's (HOPSWORKS_HOST, HOPSWORKS_PROJECT as the SDK
    reads them), and so it is inside a cluster of Hopsworks. Without, a Hopsworks is started inside
    this process over the store in LOCAL_HOPSWORKS_HOME (default `.hopsworks/`), with the project
    HOPSWORKS_PROJECT (default `local`). Exits with one sentence if that account or store cannot be
    used. Threads may call it at once; forks of a program that has called it get an error that says
    what to do.
    """
    with _login_lock:
        if os.environ.get("HOPSWORKS_API_KEY") or environment.is_inside_hopsworks():
            from local_hopsworks import account

            return account.login()
        return _log_in_here()


def _log_in_here() -> Any:
    import hopsworks

    from local_hopsworks.home import StoreError
    from local_hopsworks.looking import last_line
    from local_hopsworks.server import Server
    from local_hopsworks.store import DEFAULT_PROJECT

    global _server, _project
    if _server is None:
        _project = None
        try:
            _server = Server(project=os.environ.get("HOPSWORKS_PROJECT") or DEFAULT_PROJECT).start()
        except StoreError as error:
            raise SystemExit(f"local_hopsworks: {error}") from None
        forks.watch()
        if sys.stdout.isatty():  # its links end with the program
            atexit.register(print, last_line())
    if _server.process != os.getpid():
        raise RuntimeError(forks.SENTENCE)
    if _project is None or not _is_current(_project):  # else another thread would be logged out
        with environment.in_this_process(_server.environment):
            _project = hopsworks.login()
    return _project


def _is_current(project: Any) -> bool:
    """Whether the SDK is still logged in to this project."""
    import hopsworks

    try:
        hopsworks.get_secrets_api()
    except hopsworks.NoHopsworksConnectionError:
        return False
    return hopsworks.get_current_project() is project


def __getattr__(name: str) -> Any:
    if name == "Server":  # imports the web server, which a program on a real account never needs
        from local_hopsworks.server import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
