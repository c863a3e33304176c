"""Dataset storage: files and folders of a project, uploaded in chunks, downloaded as a stream."""

from __future__ import annotations

import contextlib
import datetime
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from local_hopsworks import disk, unfinished
from local_hopsworks.datasets import folder_names
from local_hopsworks.datasets.errors import (
    DATASET_EXISTS,
    DATASET_NOT_FOUND,
)
from local_hopsworks.datasets.replacements import Replacements
from local_hopsworks.datasets.uploads import Chunk, Uploads
from local_hopsworks.errors import DATASET_REQUEST_INVALID, HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import USER, Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.intents import Intents
from local_hopsworks.http.routing import Routes
from local_hopsworks.models import routes as models
from local_hopsworks.models.saving import MODEL

routes = Routes()
PATH = "/project/{project}/dataset"


def _target(call: Call, name: str) -> Path:
    """Where something about to be made will lie, which is in a dataset of the project."""
    path = call.store.dataset(call.project.name, name)
    root = call.store.project(call.project.name)
    inside = path.relative_to(root).parts
    if not inside or not (root / inside[0]).is_dir():
        raise NotFound(
            f"{name[:200]!r} is in no dataset of the project {call.project.name}.",
            DATASET_NOT_FOUND,
        )
    return path


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
    # Only a dataset itself has a type: the SDK refuses to replace whatever has one
    if len(inside.parts) == 1:
        document |= {"id": info.st_ino, "name": path.name, "datasetType": "DATASET"}
    return document


@routes.add("GET", PATH + "/download/with_auth/{path:path}", options=["type"])
def download(call: Call) -> Answer:
    """The bytes of a file, as a stream."""
    path = _existing(call, call.path["path"])
    if not path.is_file():
        raise HopsworksError(
            f"{call.path['path'][:200]!r} is a folder; download its files.", DATASET_REQUEST_INVALID
        )
    return _Download(path)


class _Download(FileResponse):
    """A file as it was when it was asked for: one that grows, such as the log of a job, is sent
    without what was added meanwhile."""

    # each chunk costs a hop to another thread; with Starlette's 64 KiB that was half of the CPU
    # time
    chunk_size = 1 << 20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send no more than was announced."""
        left = 0

        async def send_announced(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                left = int(dict(message["headers"])[b"content-length"])
            elif message["type"] == "http.response.body":
                message["body"] = message["body"][:left]
                left -= len(message["body"])
            await send(message)

        await super().__call__(scope, receive, send_announced)


@routes.add("POST", PATH + "/upload/{path:path}", reads_only=True)
def upload(call: Call) -> Answer:
    """One chunk of a file."""
    chunk = Chunk.of(call.body)
    folder = _target(call, call.path["path"])
    if folder.exists() and not folder.is_dir():
        raise HopsworksError(
            f"{call.path['path'][:200]!r} is a file, so nothing can be uploaded into it.",
            DATASET_REQUEST_INVALID,
        )
    version = _model_version(call, folder)
    # saving it was broken off, and its files were put aside
    if version is not None and not version.exists():
        raise NotFound(
            f"Version {version.name} of model {version.parent.name} has no folder yet.",
            DATASET_NOT_FOUND,
        )
    target = folder / chunk.file_name
    if target.is_dir():
        raise HopsworksError(
            f"{target.name!r} is a folder there, so no file of that name can be uploaded.",
            DATASET_EXISTS,
        )
    if chunk.chunks > 1:
        _check_beginning(call, target)
        call.remember_client()
    call.hopsworks.part(Uploads).receive(call.client, target, chunk)
    return None


def _check_beginning(call: Call, target: Path) -> None:
    """The chunks that an earlier server at this address was sent are gone with it: those that
    follow never make a file, so they are refused."""
    clients, intents = call.hopsworks.clients, call.hopsworks.part(Intents)
    is_known = not call.client or clients.was_greeted_here(call.client)
    if not is_known and not intents.has_asked_about_files(call.client):
        raise NotFound(
            f"The upload of {target.name!r} was begun at a server that has ended; begin it again.",
            DATASET_NOT_FOUND,
        )


@routes.add("GET", PATH + "/{path:path}", options=["action", "offset", "limit", "sort_by", "type"])
def get(call: Call) -> Answer:
    """The attributes of a file or folder, or a page of what a folder has."""
    intents = call.hopsworks.part(Intents)
    intents.asked_about_files(call.client)
    path = _existing(call, call.path["path"])
    action = call.option("action")
    if action is None or action == "stat":
        intents.looked_at(call.client, path)
        return _document(call, path)
    if action != "listing":
        raise NotEmbedded(f"the dataset action {action[:40]!r}")
    if not path.is_dir():
        raise HopsworksError(
            f"{call.path['path'][:200]!r} is a file and has no listing.", DATASET_REQUEST_INVALID
        )
    entries = call.store.entries(call.project.name, path)
    if call.option("sort_by") == "NAME:desc":
        entries.reverse()
    items = []
    for entry in entries[call.page()]:
        with contextlib.suppress(FileNotFoundError):  # it has just been removed
            items.append(_document(call, entry))
    return {"count": len(entries), "items": items}


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
    """Make a folder; copy or move a file or folder. What lies there is never replaced."""
    name, action = call.path["path"], call.option("action")
    if action == "create":
        path = call.store.dataset(call.project.name, name)
        is_dataset = path.parent == call.store.project(call.project.name)
        folder_names.check(path.name, is_dataset)
        return _create(call, path if is_dataset else _target(call, name))
    if action not in ("copy", "move"):
        raise NotEmbedded(f"the dataset action {str(action)[:40]!r}")
    source, target = _existing(call, name), _target(call, call.option("destination_path") or "")
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
        disk.replace(source, target)
        disk.flush(source.parent)
        return None
    draft = call.store.new_draft()
    if source.is_dir():  # a link stays one: what it leads to may lie outside the project
        shutil.copytree(source, draft, symlinks=True)
    else:
        shutil.copy2(source, draft)
    disk.flush_tree(draft)
    disk.replace(draft, target)
    return None


def _create(call: Call, path: Path) -> Answer:
    if not path.parent.is_dir():
        raise NotFound(
            f"There is no folder {path.parent.name!r} for {call.path['path'][:200]!r} to lie in; "
            "make that first.",
            DATASET_NOT_FOUND,
        )
    intents = call.hopsworks.part(Intents)
    with _noted(call, path):
        try:
            path.mkdir()
        except FileExistsError as error:
            if path.is_relative_to(call.store.project(call.project.name) / "Models"):
                intents.found_folder_of_another(call.peer, path)
            raise HopsworksError(
                f"{call.path['path'][:200]!r} exists already.", DATASET_EXISTS
            ) from error
    disk.flush(path.parent)
    intents.made_folder(call.peer, path)
    replacements = call.hopsworks.part(Replacements)
    replacements.upload_begins(call.client, path)  # if a folder takes the place of a file
    replacements.finish(path)
    return _document(call, path)


@contextlib.contextmanager
def _noted(call: Call, path: Path) -> Iterator[None]:
    """While Model.save makes the folder of a version: it is broken off if the version is not
    registered in the end."""
    identifier = f"{path.parent.name}_{path.name}"
    is_version = path == _model_version(call, path)
    intents = call.hopsworks.part(Intents)
    if not is_version or not intents.is_about_to_save_model(call.client, identifier):
        yield
        return
    metadata = call.hopsworks.metadata
    with metadata.transaction(write=True) as db:
        note = replace(call, db=db).begin(MODEL, path, inode=None)
    try:
        yield
    except HopsworksError:
        with metadata.transaction(write=True) as db:
            unfinished.end_one(db, note)
        raise
    with metadata.transaction(write=True) as db:
        unfinished.change(db, note, inode=unfinished.inode(path))


def _model_version(call: Call, path: Path) -> Path | None:
    """The folder of the model's version that a path is in."""
    root = call.store.project(call.project.name) / "Models"
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    return root.joinpath(*parts[:2]) if len(parts) > 1 and parts[1].isdecimal() else None


@routes.add("DELETE", PATH + "/{path:path}", options=["type"])
def delete(call: Call) -> Answer:
    """Remove a file, or a folder with all in it."""
    path = _existing(call, call.path["path"])
    if path == call.store.project(call.project.name):
        raise HopsworksError("The project's own folder cannot be deleted.", DATASET_REQUEST_INVALID)
    intents = call.hopsworks.part(Intents)
    if intents.is_about_to_clear_folder_of_another(call.peer, path):
        raise HopsworksError(
            f"{call.path['path'][:200]!r} was made by another program and stays.",
        )
    if intents.is_about_to_overwrite(call.client, path):
        if path.is_file():
            call.hopsworks.part(Replacements).begin(call, path)
            return None
        intents.overwrites(call.client, path)
    models.unregister_below(call, path)
    unfinished.end(call.db, call.store, MODEL, path)
    call.remove(path)
    return None
