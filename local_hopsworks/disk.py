"""Files and folders of a store: only their owner can read them, and what is flushed survives a
power cut.

Modes are set, never inherited: from no umask, and from no folder that was there before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHERS = 0o077  # the bits of a mode that let other users in


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing; nothing changes if it is there."""
    if not path.parent.is_dir():
        make_folder(path.parent)
    try:
        path.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        return
    path.chmod(FOLDER_MODE)  # a umask may have taken bits away


def make_file(path: Path) -> None:
    """Make an empty file; nothing changes if it is there."""
    with contextlib.suppress(FileExistsError):
        os.close(_new(path))


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, and flush it."""
    with os.fdopen(_new(path), "wb") as file:
        file.write(content)
        file.flush()
        _flush_descriptor(file.fileno())


def _new(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    os.fchmod(descriptor, FILE_MODE)  # a umask may have taken bits away
    return descriptor


def flush_tree(path: Path) -> None:
    """Return when a file, or a folder with all that is in it, is on the disk."""
    for each in [*path.rglob("*"), path]:
        if not each.is_symlink():
            flush(each)


def flush(path: Path) -> None:
    """Return when a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flush_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _flush_descriptor(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync leaves it in the drive's own memory
    if full is None:
        os.fsync(descriptor)
        return
    try:
        fcntl.fcntl(descriptor, full)
    except OSError:  # a file system that has no such call, such as a network share
        os.fsync(descriptor)


def replace(draft: Path, target: Path) -> None:
    """Give a flushed draft its name, for good. Both are on one file system."""
    os.replace(draft, target)
    flush(target.parent)


def open_to_others(paths: Iterator[Path]) -> Iterator[tuple[Path, int]]:
    """Of these files and folders, those that other users can get at, with their modes."""
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue  # it has just gone
        if mode & OTHERS and not stat.S_ISLNK(mode):
            yield path, stat.S_IMODE(mode)


def close_to_others(path: Path) -> None:
    """Let only its owner at a file or folder."""
    path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
