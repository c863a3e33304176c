"""Files that `upload(overwrite=True)` has removed, kept aside until the new ones are whole.

For everybody a removed file is gone. If its client ends before the new one is whole, the old one
comes back: at once if the upload fails, else when the next program logs in or the next server
starts (see unfinished.py). A client that lives on and does not upload wanted to remove the file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from local_hopsworks import unfinished
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.intents import Intents

_log = logging.getLogger("local_hopsworks")
# From the removal to the first byte of the upload, which the SDK sends at once. After that long
# the removal was meant as one.
WAIT_SECONDS = 10


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

    def begin(self, call: Call, file: Path) -> None:
        """Move a file aside that the client is about to replace, once the transaction is kept."""
        aside = call.store.new_draft()
        note = call.begin(unfinished.REPLACE, file, aside=str(aside.relative_to(call.store.home)))
        timer = threading.Timer(WAIT_SECONDS, self._drop, [file, note])
        timer.daemon = True

        def move_aside() -> None:
            with contextlib.suppress(FileNotFoundError):  # another thread was faster
                os.rename(file, aside)
            with self._lock:
                self._pending[file] = _Replacement(call.client, note, aside, timer)
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
                self._drop(other, note)

    def finish(self, file: Path) -> None:
        """The new file is whole."""
        with self._lock:
            found = self._pending.get(file)
        if found is not None:
            self._drop(file, found.note)

    def undo(self, file: Path) -> None:
        """The upload has failed, so the old file comes back."""
        with self._lock:
            found = self._pending.pop(file, None)
        if found is not None:
            found.timer.cancel()
            with self._hopsworks.metadata.transaction(write=True) as db:
                unfinished.put_back_file(self._hopsworks.store, file, found.aside)
                unfinished.end_one(db, found.note)

    def stop(self) -> None:
        """Leave what is pending to the next server."""
        with self._lock:
            for replacement in self._pending.values():
                replacement.timer.cancel()

    def _drop(self, file: Path, note: int) -> None:
        """The old file is not needed any more."""
        with self._lock:
            found = self._pending.get(file)
            if found is None or found.note != note:
                return
            del self._pending[file]
        found.timer.cancel()
        with self._hopsworks.metadata.transaction(write=True) as db:
            unfinished.end_one(db, note)
        self._hopsworks.store.remove(found.aside)
