"""Who uses a store: every program that does holds a lock on its folder.

A program that only works with a store shares the lock. One that deletes, repairs or migrates the
store wants it alone, and is refused while others have it. A lock ends with its process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from local_hopsworks.home import StoreError

WAIT_SECONDS = 30  # for a program that has the store alone
_POLL_SECONDS = 0.05


class Use:
    """A lock on the store in `home`, shared or `alone`, until `end()`.

    Waits while another program has the store alone, up to `seconds`. Raises StoreError if it is in
    use after that, and at once if it is wanted alone and a server runs.
    """

    def __init__(self, home: Path, *, alone: bool, seconds: float = WAIT_SECONDS) -> None:
        self._home = home
        self._descriptor = -1
        end = time.monotonic() + seconds
        while not self._begin(alone):
            if time.monotonic() > end or (alone and any(_held(home))):
                raise StoreError(f"The store {home} is in use{_by(home)}; stop that program first.")
            time.sleep(_POLL_SECONDS)

    def _begin(self, alone: bool) -> bool:
        """Whether the lock is ours now."""
        descriptor = os.open(self._home, os.O_RDONLY)
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not self._is_there(descriptor) or (alone and any(_held(self._home))):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _is_there(self, descriptor: int) -> bool:
        """Whether what is locked is still the store: it may have been deleted and made anew."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._home.stat())
        except FileNotFoundError:
            return False

    def share(self) -> None:
        """Let other programs use the store too."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def end(self) -> None:
        """Let go of the lock. A fork of this process may go on holding it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _held(home: Path) -> Iterator[Path]:
    """The locks of running servers; those of earlier versions have no other."""
    for lock in (*home.glob("servers/*/lock"), *home.glob("runners/*")):
        try:
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield lock
        except OSError:
            continue  # it has just gone


def _by(home: Path) -> str:
    """The processes that use the store, as far as they say."""
    numbers = {lock.read_text().strip() for lock in _held(home)} - {""}
    if not numbers:
        return ""
    return f" by process{'' if len(numbers) == 1 else 'es'} {', '.join(sorted(numbers))}"


def delete(home: Path) -> None:
    """Delete a store with everything in it. Raises StoreError, and deletes nothing, if it is in use
    or a folder in it cannot be written."""
    try:
        use = Use(home, alone=True, seconds=0)
        try:
            _check_deletable(home)
            _delete_content(home)
            with contextlib.suppress(OSError):  # a mounted disk, or another user's: it stays, empty
                home.rmdir()
        finally:
            use.end()
    except OSError as error:
        raise StoreError(
            f"The store {home} cannot be deleted: {error.filename}: {error.strerror}. Mend "
            "that, and reset it again."
        ) from error


def _check_deletable(home: Path) -> None:
    for folder, _, _ in os.walk(home):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                f"The store {home} cannot be deleted: {folder} cannot be written. Nothing "
                "was deleted."
            )


def _delete_content(home: Path) -> None:
    names = sorted(os.listdir(home))
    names.sort(key="format".__eq__)  # it goes last: a folder without it is no store any more
    for name in names:
        path = home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
