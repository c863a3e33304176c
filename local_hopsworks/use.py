"""Who uses a store: every program that does holds a lock on its folder.

A program that only works with a store shares the lock. One that deletes, repairs or migrates the
store wants it alone, and is refused while others have it. A lock ends with its process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from local_hopsworks.disk import Lock
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
        end = time.monotonic() + seconds
        while (lock := self._locked(alone)) is None:
            if time.monotonic() > end or (alone and any(_held(home))):
                raise StoreError(f"The store {home} is in use{_by(home)}; stop that program first.")
            time.sleep(_POLL_SECONDS)
        self._lock = lock

    def _locked(self, alone: bool) -> Lock | None:
        """The lock, if it is ours now."""
        try:
            lock = Lock(self._home, shared=not alone, wait=False)
        except BlockingIOError:
            return None
        if lock.is_in_place and not (alone and any(_held(self._home))):
            return lock
        lock.close()
        return None

    def share(self) -> None:
        """Let other programs use the store too."""
        self._lock.share()

    def end(self) -> None:
        """Let go of the lock. A fork of this process may go on holding it."""
        self._lock.close()


def _held(home: Path) -> Iterator[Path]:
    """The locks of running servers; those of earlier versions have no other."""
    for lock in (*home.glob("servers/*/lock"), *home.glob("runners/*")):
        try:
            Lock(lock, shared=True, wait=False).close()
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
            f"The store {home} cannot be deleted: {error.filename}: {error.strerror}. Fix "
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
