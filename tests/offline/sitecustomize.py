"""No test talks to any machine but this one: an audit hook stops every other connection and
look-up.

Python imports this file at start-up where this folder is on PYTHONPATH, so programs that the tests
start obey it too.
"""

import ipaddress
import sys

_HERE = ("localhost", "", "0.0.0.0", "::", None)


def _is_this_machine(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in _HERE:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _guard(event: str, arguments: tuple) -> None:
    if event == "socket.connect":
        address = arguments[1]
        # A str is a Unix socket
        if isinstance(address, tuple) and not _is_this_machine(address[0]):
            raise PermissionError(
                f"Tests stay on this machine, but something connects to {address[0]}."
            )
    elif event == "socket.getaddrinfo" and not _is_this_machine(arguments[0]):
        raise PermissionError(
            f"Tests stay on this machine, but something looks up {arguments[0]!r}."
        )


sys.addaudithook(_guard)
