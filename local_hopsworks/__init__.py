"""An embedded Hopsworks: runs the unmodified `hopsworks` SDK on a laptop, with no account.

    from local_hopsworks import login
    project = login()

With HOPSWORKS_API_KEY set that is `hopsworks.login()`; without, an embedded Hopsworks in this
process.

`Server` is the same for whoever wants to start and stop it, `python -m local_hopsworks` for the
command line.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_hopsworks.server import Server

__version__ = "1.0.0"
__all__ = ["Server", "login"]
_server: Server | None = None  # one per process is enough; it ends with the process


def login() -> Any:
    """The `hopsworks.project.Project` to work in.

    With HOPSWORKS_API_KEY set it is the account's (HOPSWORKS_HOST, HOPSWORKS_PROJECT as the SDK
    reads them). Without, a Hopsworks is started inside this process over the store in
    LOCAL_HOPSWORKS_HOME (default `.hopsworks/`), with the project HOPSWORKS_PROJECT (default
    `local`). Exits with one sentence if that store cannot be used.
    """
    import hopsworks

    if os.environ.get("HOPSWORKS_API_KEY"):
        return hopsworks.login()
    from local_hopsworks.home import StoreError
    from local_hopsworks.looking import last_line
    from local_hopsworks.server import Server
    from local_hopsworks.store import DEFAULT_PROJECT

    global _server
    try:
        if _server is None:
            _server = Server(project=os.environ.get("HOPSWORKS_PROJECT") or DEFAULT_PROJECT).start()
            if sys.stdout.isatty():  # its links end with the program
                atexit.register(print, last_line())
    except StoreError as error:
        raise SystemExit(f"local_hopsworks: {error}") from None
    host, port = _server.address.removeprefix("https://").split(":")
    return hopsworks.login(
        host=host, port=int(port), project=_server.project, api_key_value=_server.api_key
    )


def __getattr__(name: str) -> Any:
    if name == "Server":  # imports the web server, which a program on a real account never needs
        from local_hopsworks.server import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
