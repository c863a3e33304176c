"""Dataset storage: files and folders of a project, uploaded in chunks, downloaded as a stream."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse

from local_hopsworks import unfinished
from local_hopsworks.datasets.errors import (
    DATASET_EXISTS,
    DATASET_NOT_FOUND,
)
from local_hopsworks.errors import DATASET_REQUEST_INVALID, HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import USER, Answer
from local_hopsworks.http.bodies import LARGEST_CHUNK
from local_hopsworks.http.calls import Call
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.routing import Routes
from local_hopsworks.models import routes as models
from local_hopsworks.store import checked_component

routes = Routes()
PATH = "/project/{project}/dataset"


def _existing(call: Call, name: str) -> Path:
    path = call.store.dataset(call.project.name, name)
    if not path.exists():
        raise NotFound(
            f"There is no {name[:200]!r} in the project {call.project.name}.", DATASET_NOT_FOUND
        )
    return path


def _document(call: Call, path: Path) -> dict[str, Any]:
    root, info = call.store.project(call.project.name), path.stat()
    inside = path.relative_to(root)
    document: dict[str, Any] = {
        "attributes": {
            "id": info.st_ino,
            "name": path.name if inside.parts else call.project.name,
            "path": "/".join(("", "Projects", call.project.name, *inside.parts)),
            "dir": path.is_dir(),
            "size": info.st_size,
            "owner": USER["username"],
            "permission": "rwxrwx---",
            "modificationTime": datetime.datetime.fromtimestamp(
                info.st_mtime, datetime.timezone.utc
            ).isoformat(),
            "underConstruction": False,
        },
        "href": call.href(f"/project/{call.project.id}/dataset/{'/'.join(inside.parts)}"),
        "zipState": "NONE",
    }
    if (
        len(inside.parts) == 1
    ):  # only a dataset itself has a type: the SDK refuses to replace whatever has one
        document |= {"id": info.st_ino, "name": path.name, "datasetType": "DATASET"}
    return document


@routes.add("GET", PATH + "/download/with_auth/{path:path}", options=["type"])
def download(call: Call) -> Answer:
    path = _existing(call, call.path["path"])
    if not path.is_file():
        raise HopsworksError(
            f"{call.path['path'][:200]!r} is a folder; download its files.", DATASET_REQUEST_INVALID
        )
    return _Download(path)


class _Download(FileResponse):
    chunk_size = (
        1 << 20
    )  # each costs a hop to another thread; with Starlette's 64 KiB that was half of the CPU time


@dataclass
class _Upload:
    """The chunks of one file that have arrived in this server, and the file they are collected
    in."""

    client: str
    draft: Path
    begun: set[int] = field(default_factory=set)
    arrived: set[int] = field(default_factory=set)


_uploads: dict[
    tuple[str, str, str], _Upload
] = {}  # by target, client, and the client's identifier, size and name
_uploads_lock = threading.Lock()


@routes.add("POST", PATH + "/upload/{path:path}", reads_only=True)
def upload(call: Call) -> Answer:
    """One chunk; three arrive at once, in any order. The file appears under its name when the last
    one is there."""
    form = call.body
    content = form.get("file") if isinstance(form, FormData) else None
    if not isinstance(form, FormData) or not isinstance(content, UploadFile):
        raise HopsworksError("An upload is a form with a file.", DATASET_REQUEST_INVALID)
    number, size, chunks, total = (
        _number(form, f"flow{key}")
        for key in ("ChunkNumber", "ChunkSize", "TotalChunks", "TotalSize")
    )
    end = (number - 1) * size + (content.size or 0)
    if (
        not 1 <= number <= max(chunks, 1)
        or not (content.size or 0) <= size <= LARGEST_CHUNK
        or end > total
    ):
        raise HopsworksError(
            f"Chunk {number} of {chunks} does not fit a file of {total} bytes.",
        )
    folder = call.store.dataset(call.project.name, call.path["path"])
    if folder.exists() and not folder.is_dir():
        raise HopsworksError(
            f"{call.path['path'][:200]!r} is a file, so nothing can be uploaded into it.",
        )
    version = _model_version(call, folder)
    if (
        version and not version.exists()
    ):  # it was begun and broken off, and what there was of it put aside
        raise NotFound(
            f"Nobody has begun version {version.name} of model {version.parent.name}.",
            DATASET_NOT_FOUND,
        )
    target = folder / checked_component(str(form.get("flowFilename") or ""))
    if target.is_dir():
        raise HopsworksError(
            f"{target.name!r} is a folder there, so no file of that name can be uploaded.",
            DATASET_EXISTS,
        )
    key = (str(target), call.client, str(form.get("flowIdentifier")))
    with _uploads_lock:
        current = _uploads.get(key)
        if (
            current is None or number in current.begun
        ):  # a chunk that comes again begins the upload anew
            current = _uploads[key] = _Upload(call.client, call.store.new_draft())
            current.draft.touch()
        current.begun.add(number)
    try:
        with current.draft.open("r+b") as file:
            file.seek((number - 1) * size)
            shutil.copyfileobj(content.file, file, 1 << 20)
    # a full disk: the client gives up, and its next attempt must not find the remains of this one
    except OSError:
        with _uploads_lock:
            if _uploads.get(key) is current:
                del _uploads[key]
        current.draft.unlink(missing_ok=True)
        raise
    with _uploads_lock:
        current.arrived.add(number)
        whole = len(current.arrived) >= chunks
        if whole and _uploads.get(key) is current:
            del _uploads[key]
    if whole:
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(current.draft, target)
        _replaced.discard((call.client, target))
    return None


# upload(overwrite=True) of the SDK looks at the file, asks for the upload policy, removes the file,
# and uploads the new one. Here the removal waits for the upload, so that who is killed in between,
# or reads meanwhile, has the old file.
_looked_at: dict[str, Path] = {}  # by client, the path last
_about_to_overwrite: dict[str, Path] = {}
_replaced: set[tuple[str, Path]] = set()


def announce_overwrite(client: str) -> None:
    """The client has asked for the upload policy."""
    if client in _looked_at:
        _about_to_overwrite[client] = _looked_at[client]


def forget_broken_uploads(hopsworks: Hopsworks) -> None:
    """Remove the drafts of clients that went away in the middle of an upload."""
    with _uploads_lock:
        broken = [
            key
            for key, upload in _uploads.items()
            if upload.draft.is_relative_to(hopsworks.store.home)
            and not hopsworks.clients.is_connected(upload.client)
        ]
        for key in broken:
            _uploads.pop(key).draft.unlink(missing_ok=True)


def _number(form: FormData, name: str) -> int:
    text = str(form.get(name))
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise HopsworksError(
            f"{name} must be a whole number, not {text[:40]!r}.", DATASET_REQUEST_INVALID
        )
    return int(text)


@routes.add("GET", PATH + "/{path:path}", options=["action", "offset", "limit", "sort_by", "type"])
def get(call: Call) -> Answer:
    path = _existing(call, call.path["path"])
    action = call.option("action")
    if action is None or action == "stat":
        if call.client:
            _looked_at[call.client] = path
        return _document(call, path)
    if action != "listing":
        raise NotEmbedded(f"the dataset action {action[:40]!r}")
    if not path.is_dir():
        raise HopsworksError(
            f"{call.path['path'][:200]!r} is a file and has no listing.", DATASET_REQUEST_INVALID
        )
    entries = sorted(
        path.iterdir(), key=lambda entry: entry.name, reverse=call.option("sort_by") == "NAME:desc"
    )
    start, limit = call.number("offset") or 0, call.number("limit")
    page = entries[start : None if limit is None else start + limit]
    return {"count": len(entries), "items": [_document(call, entry) for entry in page]}


@routes.add(
    "POST",
    PATH + "/{path:path}",
    options=[
        "action",
        "destination_path",
        "destination_type",
        "searchable",
        "generate_readme",
        "type",
    ],
    reads_only=True,
)
def change(call: Call) -> Answer:
    name, action = call.path["path"], call.option("action")
    if action == "create":
        return _create(call, call.store.dataset(call.project.name, name))
    if action not in ("copy", "move"):
        raise NotEmbedded(f"the dataset action {str(action)[:40]!r}")
    source, target = (
        _existing(call, name),
        call.store.dataset(call.project.name, call.option("destination_path") or ""),
    )
    if target.exists():
        raise HopsworksError(
            f"{str(call.option('destination_path'))[:200]!r} exists already.", DATASET_EXISTS
        )
    if source.resolve() in (target.parent.resolve(), *target.parent.resolve().parents):
        raise HopsworksError(f"{name[:200]!r} cannot be put into itself.", DATASET_REQUEST_INVALID)
    if not target.parent.is_dir():
        raise NotFound(
            f"There is no folder {call.option('destination_path')!r} could lie in.",
            DATASET_NOT_FOUND,
        )
    if action == "move":
        os.rename(source, target)
        return None
    draft = call.store.new_draft()
    shutil.copytree(source, draft) if source.is_dir() else shutil.copy2(source, draft)
    os.rename(draft, target)
    return None


# Folders of models that a client wanted to make, but another had made already, by the client's
# connection. Model.save makes a folder for its version and removes it when anything fails, even if
# that was because the folder was another's.
_not_theirs: set[tuple[str, Path]] = set()


def _create(call: Call, path: Path) -> Answer:
    path.parent.mkdir(parents=True, exist_ok=True)
    if (call.client, path) in _replaced:  # a folder is to take the place of the file
        _replaced.discard((call.client, path))
        call.store.remove(path)
    with _noted(call, path):
        try:
            path.mkdir()
        except FileExistsError as error:
            if path.is_relative_to(call.store.project(call.project.name) / "Models"):
                _not_theirs.add((call.peer, path))
            raise HopsworksError(
                f"{call.path['path'][:200]!r} exists already.", DATASET_EXISTS
            ) from error
    _not_theirs.discard((call.peer, path))
    return _document(call, path)


@contextlib.contextmanager
def _noted(call: Call, path: Path) -> Iterator[None]:
    """While Model.save makes the folder of a version: it is broken off if the version is not
    registered in the end."""
    saved = (call.client, f"{path.parent.name}_{path.name}")
    if path != _model_version(call, path) or saved not in models.asked_for:
        yield
        return
    models.asked_for.discard(saved)
    kept = call.hopsworks.metadata
    with kept.transaction(write=True) as db:
        note = unfinished.begin(db, call.store, unfinished.MODEL, path, call.client, inode=None)
    try:
        yield
    except HopsworksError:
        with kept.transaction(write=True) as db:
            unfinished.end_one(db, note)
        raise
    with kept.transaction(write=True) as db:
        unfinished.change(db, note, inode=unfinished.inode(path))


def _model_version(call: Call, path: Path) -> Path | None:
    """The folder of the model's version that a path is in."""
    root = call.store.project(call.project.name) / "Models"
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    return root.joinpath(*parts[:2]) if len(parts) > 1 and parts[1].isdecimal() else None


@routes.add("DELETE", PATH + "/{path:path}", options=["type"])
def delete(call: Call) -> Answer:
    path = _existing(call, call.path["path"])
    if path == call.store.project(call.project.name):
        raise HopsworksError("The project's own folder cannot be deleted.", DATASET_REQUEST_INVALID)
    if (call.peer, path) in _not_theirs:
        _not_theirs.discard((call.peer, path))
        raise HopsworksError(
            f"{call.path['path'][:200]!r} was made by another program and stays.",
        )
    if _about_to_overwrite.pop(call.client, None) == path and path.is_file():
        _replaced.add((call.client, path))
        return None
    models.unregister_below(call, path)
    unfinished.end(call.db, call.store, unfinished.MODEL, path)
    call.remove(path)
    return None
