"""Files that `upload(overwrite=True)` has removed, kept aside until the new ones are whole.

A removal that was answered is done: the file is gone for all programs, and for good as soon as

    the new file is whole,
    its client lives on and sends nothing for WAIT_SECONDS, or
    the program that is its client and has this server in it ends without an error.

The old file comes back only if an overwrite is broken off: at once if the upload fails or this
server stops; when the next program logs in, or after WAIT_SECONDS, if the client is gone; and when
the next server starts if this one was killed (see unfinished.py).

One case cannot be told from another. A client that ends between the removal and the first byte of
the upload was killed in the middle of an overwrite, or has sent the same four requests by hand and
meant the removal: in both cases a server sees the same bytes and then the end of a connection. The
SDK takes milliseconds between the two, and only `upload(overwrite=True)` sends these four, so the
file comes back.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from local_hopsworks import unfinished
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.intents import Intents
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")
# From the removal to the first byte of the upload, which the SDK sends at once. After that long
# the removal was meant as one.
WAIT_SECONDS = 10


def put_back(store: Store, file: Path, aside: Path) -> None:
    """Put back a file that waits in `aside`, unless something else has its place by now."""
    if not aside.exists():
        return
    if file.exists():
        store.remove(aside)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.rename(aside, file)
        _log.warning("An overwrite of %s was broken off; the earlier file is back.", file.name)


# A file is removed, and the new one not uploaded: the old one comes back
REPLACE = unfinished.Write(
    "replace",
    lambda db, store, path, facts: put_back(store, path, store.home / facts["aside"]),
    by_client=True,
)


@dataclass
class _Replacement:
    client: str
    note: int  # see unfinished.py
    aside: Path
    timer: threading.Timer
    is_uploading: bool = False


class Replacements:
    """The files of one server that are being replaced."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._hopsworks = hopsworks
        self._lock = threading.Lock()
        self._pending: dict[Path, _Replacement] = {}
        self._process = os.getpid()

    def begin(self, call: Call, file: Path) -> None:
        """Move a file aside that the client is about to replace, once the transaction is kept."""
        atexit.unregister(self.stop)
        atexit.register(self.stop)  # before the store's, which clears the drafts of this server
        aside = call.store.new_draft()
        note = call.begin(REPLACE, file, aside=str(aside.relative_to(call.store.home)))

        def move_aside() -> None:
            with contextlib.suppress(FileNotFoundError):  # another thread was faster
                os.rename(file, aside)
            timer = self._timer(file, note)
            with self._lock:
                earlier = self._pending.get(file)
                self._pending[file] = _Replacement(call.client, note, aside, timer)
            if earlier is not None:  # what lay there meanwhile came by another way
                self._forget(earlier)
            timer.start()

        call.after_commit.append(move_aside)

    def upload_begins(self, client: str, file: Path) -> None:
        """The first bytes of a file are there."""
        with self._lock:
            found = self._pending.get(file)
            if found is None or found.client != client or found.is_uploading:
                return
            found.is_uploading = True
            found.timer.cancel()
            others = [
                (other, replacement.note)
                for other, replacement in self._pending.items()
                if replacement.client == client and not replacement.is_uploading
            ]
        if self._hopsworks.part(Intents).overwrites(client, file):
            for other, note in others:
                self._finish(other, note)

    def finish(self, file: Path) -> None:
        """The new file is whole."""
        self._finish(file)

    def undo(self, file: Path) -> None:
        """The upload has failed, so the old file comes back."""
        found = self._take(file)
        if found is not None:
            self._put_back(file, found)

    def stop(self) -> None:
        """The server stops, or the process that it is in ends. What other programs are in the
        middle of can't go on."""
        if os.getpid() != self._process:  # a fork of it ends
            return
        atexit.unregister(self.stop)
        with self._lock:
            pending = list(self._pending.items())
        for file, replacement in pending:
            if replacement.is_uploading or _ends_by_an_error():
                is_over = False
            else:
                is_over = self._hopsworks.clients.is_in_this_process(replacement.client)
            if is_over:
                self._finish(file, replacement.note)
            else:
                self.undo(file)

    def _timer(self, file: Path, note: int) -> threading.Timer:
        timer = threading.Timer(WAIT_SECONDS, self._has_waited, [file, note])
        timer.daemon = True
        return timer

    def _has_waited(self, file: Path, note: int) -> None:
        """The upload has not begun, as far as is known."""
        with self._lock:
            found = self._pending.get(file)
            if found is None or found.note != note or found.is_uploading:
                return
            if self._hopsworks.clients.is_asking(found.client):
                # Perhaps for the upload: its first bytes count when the first chunk is there
                found.timer = self._timer(file, note)
                found.timer.start()
                return
        if self._hopsworks.clients.is_alive(found.client):
            self._finish(file, note)
        else:
            self.undo(file)

    def _take(self, file: Path, note: int | None = None) -> _Replacement | None:
        """What is pending for a file, or with this note; from now on it is not."""
        with self._lock:
            found = self._pending.get(file)
            if found is None or note not in (None, found.note):
                return None
            del self._pending[file]
        found.timer.cancel()
        return found

    def _finish(self, file: Path, note: int | None = None) -> None:
        found = self._take(file, note)
        if found is not None:
            self._forget(found)

    def _forget(self, replacement: _Replacement) -> None:
        """The old file is not needed any more."""
        replacement.timer.cancel()
        with self._hopsworks.metadata.transaction(write=True) as db:
            unfinished.end_one(db, replacement.note)
        self._hopsworks.store.remove(replacement.aside)

    def _put_back(self, file: Path, replacement: _Replacement) -> None:
        with self._hopsworks.metadata.transaction(write=True) as db:
            put_back(self._hopsworks.store, file, replacement.aside)
            unfinished.end_one(db, replacement.note)


def _ends_by_an_error() -> bool:
    """Whether an error, such as Ctrl-C, ends this program or the block that the server is for."""
    return sys.exc_info()[0] is not None or getattr(sys, "last_type", None) is not None
