"""The pages of dataset storage: folders, previews of files, downloads."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from local_hopsworks.datasets import previews
from local_hopsworks.datasets.errors import DATASET_NOT_FOUND
from local_hopsworks.errors import NotFound
from local_hopsworks.http.calls import Call
from local_hopsworks.pages.pages import HEADERS, Crumb, Listing, Page, Pages, address
from local_hopsworks.pages.paging import Window

pages = Pages()
ENTRIES = 100  # of a folder on a page
_FILES = "/{project}/files"
# A file with the name of a picture may have other content, which must not run in the browser
_PICTURE_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}


def file_address(project: int, *parts: object) -> str:
    """Where a file or folder is shown."""
    return address(project, "files", *parts)


def entry(call: Call, path: Path) -> dict[str, Any]:
    """A file or folder in a list."""
    parts = path.relative_to(call.store.project(call.project.name)).parts
    info = path.stat()
    is_folder = path.is_dir()
    return {
        "name": path.name,
        "is_folder": is_folder,
        "is_picture": not is_folder and path.suffix.lower() in previews.PICTURES,
        "size": info.st_size,
        "changed": info.st_mtime * 1000,
        "address": file_address(call.project.id, *parts),
        "download": address(call.project.id, "download", *parts),
        "picture": address(call.project.id, "pictures", *parts),
    }


@pages.section(
    "Files",
    _FILES,
    "datasets/templates/entries.html",
    empty="There are none.",
    place=6,
)
def datasets(call: Call, window: Window) -> Listing:
    """The top folders of a project."""
    return _listing(call, call.store.project(call.project.name), window)


def _listing(call: Call, folder: Path, window: Window) -> Listing:
    found = call.store.entries(call.project.name, folder)
    found.sort(key=lambda path: not path.is_dir())  # folders first; both stay sorted by name
    shown = []
    for path in window.of(found):
        with contextlib.suppress(FileNotFoundError):  # it has just been removed
            shown.append(entry(call, path))
    return Listing(shown, len(found))


@pages.add(_FILES + "/{path:path}")
def files(call: Call) -> Page:
    """A folder or a file."""
    path = _existing(call)
    parts = path.relative_to(call.store.project(call.project.name)).parts
    crumbs = [Crumb("Files", file_address(call.project.id))]
    for depth, part in enumerate(parts[:-1], 1):
        crumbs.append(Crumb(part, file_address(call.project.id, *parts[:depth])))
    title = path.name if parts else "Files"
    if path.is_dir():
        window = Window.asked(call.query, ENTRIES)
        listing = _listing(call, path, window)
        context = {"rows": listing.rows, "total": listing.total, "window": window}
        return Page(title, "datasets/templates/folder.html", context, "Folder", tuple(crumbs))
    shown = previews.preview(path, call.query)
    context = {"file": entry(call, path), "preview": shown, "path": "/".join(parts)}
    return Page(title, "datasets/templates/file.html", context, "File", tuple(crumbs))


@pages.add("/{project}/download/{path:path}")
def download(call: Call) -> Response:
    """A file as it is, to be kept."""
    path = _existing_file(call)
    return FileResponse(
        path, media_type="application/octet-stream", filename=path.name, headers=HEADERS
    )


@pages.add("/{project}/pictures/{path:path}")
def picture(call: Call) -> Response:
    """A picture, to be shown in a page."""
    path = _existing_file(call)
    kind = previews.PICTURES.get(path.suffix.lower())
    if kind is None:
        raise NotFound(f"{path.name[:200]!r} is no picture.", DATASET_NOT_FOUND)
    return FileResponse(path, media_type=kind, headers=_PICTURE_HEADERS)


def _existing(call: Call) -> Path:
    name = call.path["path"]
    path = call.store.dataset(call.project.name, name)
    if not path.exists():
        raise NotFound(f"There is no file or folder {name[:200]!r}.", DATASET_NOT_FOUND)
    return path


def _existing_file(call: Call) -> Path:
    path = _existing(call)
    if not path.is_file():
        raise NotFound(f"{path.name[:200]!r} is a folder.", DATASET_NOT_FOUND)
    return path
