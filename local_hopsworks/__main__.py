"""The command line: `python -m local_hopsworks serve | run -- COMMAND | check | reset`."""

from __future__ import annotations

import ipaddress
import os
import shlex
import signal
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from local_hopsworks import __version__, environment, use
from local_hopsworks.home import StoreError, default_home, resolved
from local_hopsworks.looking import last_line
from local_hopsworks.security import LOOPBACK
from local_hopsworks.store import DEFAULT_PROJECT

if TYPE_CHECKING:
    from local_hopsworks.server import Server

NETWORK = """(from this machine or any that reaches it: the key lets its holder do all that you can.
From another machine feature groups can be read but not written, because the SDK writes their tables
to the disk of the machine that it runs on)

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    try:
        status = command_line.main(
            arguments, prog_name="python -m local_hopsworks", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except StoreError as error:
        print(f"local_hopsworks: {error}", file=sys.stderr)
        return 1
    except click.Abort:  # Ctrl-C
        return 128 + signal.SIGINT
    return int(status or 0)


# --------------------------------------------------------------------------------------------------
# commands and their options


def _checked_port(context: click.Context, option: click.Parameter, text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise click.BadParameter(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _checked_address(
    context: click.Context, option: click.Parameter, text: str
) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not an IPv4 address") from error


_home = click.option(
    "--home",
    metavar="DIR",
    callback=lambda context, option, text: resolved(text) if text else default_home(),
    help="The store. Default: $LOCAL_HOPSWORKS_HOME, else .hopsworks/",
)
_project = click.option(
    "--project",
    metavar="PROJECT",
    envvar="HOPSWORKS_PROJECT",
    default=DEFAULT_PROJECT,
    show_default=True,
    help="The project to offer. It is made if it is missing.",
)
_port = click.option(
    "--port",
    metavar="PORT",
    default="0",
    callback=_checked_port,
    help="The HTTPS port. Default: a free one.",
)


@click.group(
    epilog="Scripts that use local_hopsworks.login() need none of this: each starts its own "
    "Hopsworks over the same store."
)
@click.version_option(__version__, prog_name="local-hopsworks", message="%(prog)s %(version)s")
def command_line() -> None:
    """An embedded Hopsworks: feature store, model registry and dataset storage on this machine."""


@command_line.command("serve")
@_home
@_project
@_port
@click.option(
    "--host",
    metavar="ADDRESS",
    default=LOOPBACK,
    show_default=True,
    callback=_checked_address,
    help="The address of this machine to listen on. Any but a loopback one needs --allow-network.",
)
@click.option(
    "--allow-network",
    is_flag=True,
    help="Let other machines in. The API key lets its holder do all that you can.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open its pages in your browser.")
def _serve(
    home: Path,
    project: str,
    port: int,
    host: ipaddress.IPv4Address,
    allow_network: bool,
    open_browser: bool,
) -> int:
    """Keep a Hopsworks running for other programs until Ctrl-C.

    It prints the environment variables with which a plain hopsworks.login(), in any other program
    on this machine, comes here.
    """
    _check_host(host, allow_network)
    # Programs go on with them when this is started again
    certificates = home / "certificates"
    server = _server(home, project, port, str(host), certificates)
    return serve(server, open_browser=open_browser)


@command_line.command(
    "run",
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@_home
@_project
@_port
@click.argument("command", nargs=-1, required=True, metavar="COMMAND [ARGUMENT ...]")
def _run(home: Path, project: str, port: int, command: tuple[str, ...]) -> int:
    """Run one command with a Hopsworks beside it.

    For example: python -m local_hopsworks run -- python my_pipeline.py

    A plain hopsworks.login() in the command comes here. Ends with the command's own exit status.
    """
    return run(_server(home, project, port), list(command))


@command_line.command("check")
@_home
@click.option(
    "--repair",
    is_flag=True,
    help="Repair what can be repaired. What is in doubt is moved into the folder aside/ of the "
    "store, not deleted.",
)
def _check(home: Path, repair: bool) -> int:
    """Look whether everything in the store is in order.

    It names every fault: what, where, and what you can do. It changes nothing without --repair, and
    you may use it while other programs use the store; to repair it wants the store alone. The exit
    status is 1 if there are faults, or with --repair if some are left.
    """
    return check(home, repair=repair)


@command_line.command("reset")
@_home
@click.option("--yes", is_flag=True, help="Do not ask.")
def _reset(home: Path, yes: bool) -> int:
    """Delete the store with everything in it, after asking."""
    return reset(home, sure=yes)


def _server(
    home: Path, project: str, port: int, host: str = LOOPBACK, certificates: Path | None = None
) -> Server:
    from local_hopsworks.server import Server  # the web server: --help need not wait for it

    return Server(home, project, port, host, certificates)


def _check_host(host: ipaddress.IPv4Address, allow_network: bool) -> None:
    """Raises StoreError for an address that other machines reach, unless the user has allowed
    it."""
    if host.is_unspecified:
        raise StoreError(
            f"--host {host} is every address of this machine; name the one that others call it by."
        )
    if not host.is_loopback and not allow_network:
        raise StoreError(
            f"--host {host} lets other machines in: with the API key they can read, change and "
            "delete everything in the store, and run programs here as you. If you mean that, add "
            "--allow-network."
        )


# --------------------------------------------------------------------------------------------------
# what they do


def serve(server: Server, *, open_browser: bool) -> int:
    """Answer until Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        server.run_schedules()
        print(f"The embedded Hopsworks serves {server.store.home}\n\nIn another terminal:\n")
        for name, value in server.environment.items():
            print(f"  export {name}={shlex.quote(value)}")
        print(
            f"\n{'' if server.host.startswith('127.') else NETWORK}"
            f"then start any program that calls hopsworks.login().\nLook around at {server.page}\n"
            "(the browser will warn of a certificate that this machine made itself)\n\n"
            "Ctrl-C stops it.",
            flush=True,
        )
        if open_browser and not webbrowser.open(server.page):
            print("No browser could be opened; the address above leads there.", flush=True)
        stopped.wait()
    return 0


def run(server: Server, command: list[str]) -> int:
    """The exit status of a command that runs with the server's variables in its environment."""
    # what the command prints may be read by another program; a person sees standard error
    is_watched = sys.stderr.isatty()
    with server:
        # Ctrl-C reaches the child too, which decides what it means (and would inherit SIG_IGN);
        # SIGTERM does not.
        signal.signal(signal.SIGINT, lambda *_: None)
        ended = threading.Event()  # perhaps before it is known which process is to end
        for number in (signal.SIGTERM, signal.SIGHUP):  # of a closed terminal the child hears too
            signal.signal(number, lambda *_: ended.set())
        try:
            child = subprocess.Popen(command, env=environment.of_child(server.environment))
        except OSError as error:
            print(
                f"local_hopsworks: {command[0]} cannot be started: {error.strerror}.",
                file=sys.stderr,
            )
            return 127
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: child.terminate())
        if ended.is_set():
            child.terminate()
        if is_watched:
            print(f"Look around at {server.page}", file=sys.stderr, flush=True)
        status = child.wait()
    if is_watched:
        print(last_line(), file=sys.stderr)
    return status if status >= 0 else 128 - status


def check(home: Path, *, repair: bool) -> int:
    """Print the faults of a store; 1 if there are any."""
    # SQLAlchemy and Delta: a second that --help need not wait for
    from local_hopsworks import check as checking

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
    """Delete a store; 1 if the user does not want that."""
    if not home.exists():
        print(f"There is no store at {home}.")
        return 0
    if not (home / "format").is_file():
        raise StoreError(
            f"{home} is not a store (it has no file named format), so nothing was deleted."
        )
    if not sure:
        question = f"Delete the store {home} with all feature groups, models and files?"
        try:
            sure = click.confirm(question)
        except click.Abort:  # no answer
            print()
    if not sure:
        print("Nothing was deleted.")
        return 1
    use.delete(home)
    print(f"Deleted {home}.")
    return 0


def program() -> None:
    """The console command `local-hopsworks`, and `python -m local_hopsworks`."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A connected client would keep the query service's destructor waiting until it leaves;
    # everything else is done.
    os._exit(status)


if __name__ == "__main__":
    program()
