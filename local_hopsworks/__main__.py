"""The command line: `python -m local_hopsworks serve | run -- COMMAND | check | reset`."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from local_hopsworks import use
from local_hopsworks.home import StoreError, default_home, resolved
from local_hopsworks.looking import last_line
from local_hopsworks.security import LOOPBACK
from local_hopsworks.store import DEFAULT_PROJECT

if TYPE_CHECKING:
    from local_hopsworks.server import Server


NETWORK = """(on this machine or any that reaches it: whoever has this key can do all that you can. From another machine
feature groups can be read but not written, as the SDK writes their tables to the disk of where it runs)

"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        home = resolved(options.home) if options.home else default_home()
        if options.action == "reset":
            return reset(home, sure=options.yes)
        if options.action == "check":
            return check(home, repair=options.repair)
        from local_hopsworks.server import (
            Server,  # the web server: a second that --help and reset need not wait for
        )

        if options.action == "run":
            return run(Server(home, options.project, options.port), options.command)
        _check_host(options.host, options.allow_network)
        server = Server(home, options.project, options.port, str(options.host))
        return serve(server, open_browser=options.open)
    except StoreError as error:
        print(f"local_hopsworks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local_hopsworks",
        description="An embedded Hopsworks: feature store, model registry and dataset storage on this machine.",
        epilog="Scripts that use local_hopsworks.login() need none of this: they start their own over the same store.",
    )
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument(
        "--home", metavar="DIR", help="the store (default: $LOCAL_HOPSWORKS_HOME, else .hopsworks/)"
    )
    served = argparse.ArgumentParser(add_help=False, parents=[store])
    served.add_argument(
        "--project",
        default=os.environ.get("HOPSWORKS_PROJECT") or DEFAULT_PROJECT,
        help="the project to offer; made if missing (default: %(default)s)",
    )
    served.add_argument(
        "--port", type=_port, default=0, help="the HTTPS port (default: any free one)"
    )
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="serve | run | check | reset"
    )
    serving = actions.add_parser(
        "serve",
        parents=[served],
        help="keep a Hopsworks running for other programs until Ctrl-C",
        description="Keep a Hopsworks running until Ctrl-C. It prints the environment variables with which a plain "
        "hopsworks.login(), in any other program on this machine, comes here.",
    )
    serving.add_argument(
        "--host",
        type=ipaddress.IPv4Address,
        metavar="ADDRESS",
        default=ipaddress.IPv4Address(LOOPBACK),
        help="the address of this machine to listen on; any but a loopback one needs --allow-network too",
    )
    serving.add_argument(
        "--allow-network",
        action="store_true",
        help="let other machines in: whoever has the API key can do all you can",
    )
    serving.add_argument(
        "--open", action="store_true", help="open its pages in your browser, signed in"
    )
    command = actions.add_parser(
        "run",
        parents=[served],
        help="run one command with a Hopsworks beside it",
        description="Run one command with a Hopsworks beside it: a plain hopsworks.login() in the command comes here. "
        "Ends with the command's own exit status.",
        usage="python -m local_hopsworks run [--home DIR] [--project PROJECT] [--port PORT] -- COMMAND [ARGUMENT ...]",
    )
    command.add_argument(
        "command", nargs="+", metavar="COMMAND", help="e.g. -- python my_pipeline.py"
    )
    looked = actions.add_parser(
        "check",
        parents=[store],
        help="look whether everything in the store is in order",
        description="Look whether everything in the store is in order, and name every fault: what, where, and what can "
        "be done. Changes nothing without --repair, and may be used while other programs use the store. "
        "The exit status is 1 if there are faults, or with --repair if some are left.",
    )
    looked.add_argument(
        "--repair",
        action="store_true",
        help="repair what can be repaired; what is in doubt is moved into the folder aside/ of the store, not deleted",
    )
    clear = actions.add_parser(
        "reset",
        parents=[store],
        help="delete the store, after asking",
        description="Delete the store with everything in it, after asking.",
    )
    clear.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _check_host(host: ipaddress.IPv4Address, allow_network: bool) -> None:
    """Raises StoreError for an address that other machines reach, unless that was said to be
    meant."""
    if host.is_unspecified:
        raise StoreError(
            f"--host {host} is every address of this machine; name the one that others call it by."
        )
    if not host.is_loopback and not allow_network:
        raise StoreError(
            f"--host {host} lets other machines in: whoever has the API key there can read, change and delete "
            "everything in the store, and run programs here as you. If that is meant, add --allow-network."
        )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def serve(server: Server, *, open_browser: bool) -> int:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        server.run_schedules()
        print(f"The embedded Hopsworks serves {server.store.home}\n\nIn another terminal:\n")
        for name, value in server.environment.items():
            print(f"  export {name}={value}")
        print(
            f"\n{'' if server.host.startswith('127.') else NETWORK}"
            f"then start any program that calls hopsworks.login().\nLook around at {server.page}\n"
            "(the browser will warn of a certificate that this machine made itself)\n\nCtrl-C stops it.",
            flush=True,
        )
        if open_browser and not webbrowser.open(server.page):
            print("No browser could be opened; the address above leads there.", flush=True)
        stopped.wait()
    return 0


def run(server: Server, command: list[str]) -> int:
    # what the command prints may be read by another program; a person sees standard error
    is_watched = sys.stderr.isatty()
    with server:
        # Ctrl-C reaches the child too, which decides what it means (and would inherit SIG_IGN);
        # SIGTERM does not.
        signal.signal(signal.SIGINT, lambda *_: None)
        try:
            child = subprocess.Popen(command, env={**os.environ, **server.environment})
        except OSError as error:
            print(
                f"local_hopsworks: {command[0]} cannot be started: {error.strerror}.",
                file=sys.stderr,
            )
            return 127
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        if is_watched:
            print(f"Look around at {server.page}", file=sys.stderr, flush=True)
        status = child.wait()
    if is_watched:
        print(last_line(), file=sys.stderr)
    return status if status >= 0 else 128 - status


def check(home: Path, *, repair: bool) -> int:
    from local_hopsworks import (
        check as checking,  # SQLAlchemy and Delta: a second that --help need not wait for
    )

    repaired, left = checking.check(home, repair=repair)
    for sentences in repaired:
        print(f"Repaired: {sentences}")
    for fault in left:
        print(fault)
    if not left:
        print(f"The store {home} is in order.")
    elif not repair:
        print(f"Faults: {len(left)}. Nothing was changed; add --repair to repair what can be.")
    return 1 if left else 0


def reset(home: Path, *, sure: bool) -> int:
    if not home.exists():
        print(f"There is no store at {home}.")
        return 0
    if not (home / "format").is_file():
        raise StoreError(
            f"{home} is not a store (it has no file named format), so nothing was deleted."
        )
    if not sure:
        question = f"Delete the store {home} with all feature groups, models and files? [y/N] "
        try:
            sure = input(question).strip().lower() in ("y", "yes")
        except EOFError:
            print()
    if not sure:
        print("Nothing was deleted.")
        return 1
    use.delete(home)
    print(f"Deleted {home}.")
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A connected client would keep the query service's destructor waiting until it leaves;
    # everything else is done.
    os._exit(status)
