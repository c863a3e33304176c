"""Uploads: three chunks of a file arrive at once, in any order; the file appears under its name
when the last one is there."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile

from local_hopsworks import disk
from local_hopsworks.datasets.replacements import Replacements
from local_hopsworks.errors import DATASET_REQUEST_INVALID, HopsworksError
from local_hopsworks.http.bodies import LARGEST_CHUNK
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.store import checked_component

_COPIED_BYTES = 1 << 20  # at once, from the form to the disk


@dataclass(frozen=True)
class Chunk:
    """A part of a file, as flow.js of the Hopsworks UI and the SDK send it."""

    file_name: str
    identifier: str  # the client's own, of size and name
    number: int  # from 1
    size: int  # bytes of every chunk but the last
    chunks: int
    content: BinaryIO

    @classmethod
    def of(cls, form: object) -> Chunk:
        """The chunk in the body of a request; raises HopsworksError if there is none, or if it
        does not fit its file."""
        content = form.get("file") if isinstance(form, FormData) else None
        if not isinstance(form, FormData) or not isinstance(content, UploadFile):
            raise HopsworksError("An upload is a form with a file.", DATASET_REQUEST_INVALID)
        number, size, chunks, total = (
            _number(form, f"flow{name}")
            for name in ("ChunkNumber", "ChunkSize", "TotalChunks", "TotalSize")
        )
        length = content.size or 0
        is_in_file = 1 <= number <= max(chunks, 1) and (number - 1) * size + length <= total
        if not is_in_file or not length <= size <= LARGEST_CHUNK:
            raise HopsworksError(
                f"Chunk {number} of {chunks} does not fit a file of {total} bytes.",
                DATASET_REQUEST_INVALID,
            )
        name = checked_component(str(form.get("flowFilename") or ""))
        return cls(name, str(form.get("flowIdentifier")), number, size, chunks, content.file)


@dataclass
class _Upload:
    """The chunks of one file that have arrived, and the file they are collected in."""

    client: str
    draft: Path
    begun: set[int] = field(default_factory=set)
    arrived: set[int] = field(default_factory=set)


class Uploads:
    """The files that are being uploaded to one server."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        self._hopsworks = hopsworks
        self._lock = threading.Lock()
        # by target, client, and the client's identifier
        self._uploads: dict[tuple[Path, str, str], _Upload] = {}

    def receive(self, client: str, target: Path, chunk: Chunk) -> None:
        """Store a chunk of the file `target`, and the file if it is the last one missing."""
        key = (target, client, chunk.identifier)
        replacements = self._hopsworks.part(Replacements)
        replacements.upload_begins(client, target)
        upload = self._begun(key, chunk.number)
        try:
            _write(upload.draft, chunk)
        except OSError:
            # a full disk: the client gives up, and its next attempt must not find the remains
            self._end(key, upload)
            upload.draft.unlink(missing_ok=True)
            replacements.undo(target)
            raise
        with self._lock:
            upload.arrived.add(chunk.number)
            is_whole = len(upload.arrived) >= chunk.chunks
        if is_whole:
            self._end(key, upload)
            disk.make_folder(target.parent)
            disk.flush(upload.draft)
            disk.replace(upload.draft, target)
            replacements.finish(target)

    def forget_broken(self) -> None:
        """Remove the drafts of clients that have ended in the middle of an upload."""
        with self._lock:
            uploads = list(self._uploads.items())
        for key, upload in uploads:
            if not self._hopsworks.clients.is_alive(upload.client):
                self._end(key, upload)
                upload.draft.unlink(missing_ok=True)

    def _begun(self, key: tuple[Path, str, str], number: int) -> _Upload:
        """The upload that a chunk belongs to; a chunk that comes again begins it anew."""
        target, client, identifier = key
        with self._lock:
            # A client is known from its second request on, and the first may have been a chunk
            unknown = self._uploads.pop((target, "", identifier), None) if client else None
            if unknown is not None and key not in self._uploads:
                unknown.client = client
                self._uploads[key] = unknown
            upload = self._uploads.get(key)
            if upload is None or number in upload.begun:
                upload = _Upload(client, self._hopsworks.store.new_draft())
                disk.make_file(upload.draft)
                self._uploads[key] = upload
            upload.begun.add(number)
            return upload

    def _end(self, key: tuple[Path, str, str], upload: _Upload) -> None:
        with self._lock:
            if self._uploads.get(key) is upload:
                del self._uploads[key]


def _write(draft: Path, chunk: Chunk) -> None:
    with draft.open("r+b") as file:
        file.seek((chunk.number - 1) * chunk.size)
        shutil.copyfileobj(chunk.content, file, _COPIED_BYTES)


def _number(form: FormData, name: str) -> int:
    text = str(form.get(name))
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise HopsworksError(
            f"{name} must be a whole number, not {text[:40]!r}.", DATASET_REQUEST_INVALID
        )
    return int(text)
