"""Files and folders of a store: only their owner can read them, what is flushed survives a power
cut, and locks keep programs apart.

Modes are set, never inherited: from no umask, and from no folder that was there before.

Locks are own code, over flock(2). Folders are locked as well as files, by many readers or one
writer, and a lock must end with its process. filelock and fasteners lock no folders, and
fasteners' locks do not keep two servers of one process apart. portalocker passes on to flock(2):
it would add Windows, where no folder can be opened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHERS = 0o077  # the bits of a mode that let other users in
YOUNG_SECONDS = 3600  # what is newer, and known nowhere, may be under way


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


class Lock:
    """A lock on a file or folder, until `close()` or the end of the process and of its forks.

    It is shared with other shared ones, or this program's alone. With `wait=False` it raises
    BlockingIOError if another lock is in its way.
    """

    def __init__(self, path: Path, *, shared: bool = False, wait: bool = True) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._descriptor, kind if wait else kind | fcntl.LOCK_NB)
        except BaseException:
            self.close()
            raise

    def share(self) -> None:
        """Let others share it from now on."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    @property
    def is_in_place(self) -> bool:
        """Whether its path still leads to what is locked: that may have been made anew."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let go of it. A fork of this process may go on holding it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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


def is_old(path: Path) -> bool:
    """Whether nothing in a folder was changed in the last YOUNG_SECONDS."""
    newest = 0.0
    for each in [path, *path.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, each.stat(follow_symlinks=False).st_mtime)
    return newest < time.time() - YOUNG_SECONDS


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
