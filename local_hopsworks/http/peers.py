"""Which process of this machine has the other end of a connection."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = Path("/proc")


def process_at(host: str, port: int) -> int | None:
    """The number of the process whose socket has this IPv4 address; None if there is none, or if
    it is another user's or another machine's."""
    if (_SYSTEM / "net" / "tcp").exists():
        inode = _inode(host, port)
        return None if inode is None else _holder(inode)
    return _by_lsof(host, port)


def _inode(host: str, port: int) -> str | None:
    """The inode of the socket with this local address, from the kernel's table of connections."""
    address = bytes(map(int, host.split(".")))[::-1].hex().upper()
    for line in (_SYSTEM / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, inode = fields[1], fields[9]
        if local == f"{address}:{port:04X}" and inode != "0":
            return inode
    return None


def _holder(inode: str) -> int | None:
    for process in _processes():
        with contextlib.suppress(OSError):  # it has ended, or it is another user's
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink().name == f"socket:[{inode}]":
                        return int(process.name)
    return None


def _processes() -> Iterator[Path]:
    """This process first: most clients are in the process of their Hopsworks."""
    yield (_SYSTEM / "self").resolve()
    yield from (entry for entry in _SYSTEM.iterdir() if entry.name.isdigit())


def _by_lsof(host: str, port: int) -> int | None:
    """On macOS. Its output has a line p1234 for a process, then a line n… for each connection."""
    command = ["lsof", "-nP", f"-iTCP@{host}:{port}", "-sTCP:ESTABLISHED", "-Fpn"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    process = None
    for line in found.stdout.splitlines():
        if re.fullmatch(r"p\d+", line):
            process = int(line[1:])
        elif line.startswith(f"n{host}:{port}->"):
            return process
    return None
