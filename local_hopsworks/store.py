"""Where everything lies on disk, and the one place that turns a name from outside into a path.

.hopsworks/                              locked by every program that uses it; see use.py
  format                                 the version of this layout, a number
  metadata.db                            SQLite; see metadata.py
  port                                   the HTTPS port that its servers prefer
  security/                              certificate authority, API key, signing key; see
  security.py
  projects/{project}/                    dataset storage: Resources, Models, Deployments, Logs,
                                         {project}_Training_Datasets
  featurestore/{project}/{name}_{version}_{id}/    one Delta table per feature group; see
  query/archive.py
                                         (.cleared beside it: its rows until an overwrite has
                                         written the new ones)
  online/{project}.db                    online feature groups, SQLite; see online/store.py
  servers/{id}/                          one running server: its lock, held as long as it lives, and
  its drafts
  aside/                                 what was taken out of the way because it is in doubt;
  nothing deletes it
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from local_hopsworks import disk
from local_hopsworks.errors import DATASET_REQUEST_INVALID, ILLEGAL_NAME, HopsworksError
from local_hopsworks.home import StoreError, check_home, resolved, written_format
from local_hopsworks.use import WAIT_SECONDS, Use

FORMATS = ("1", "2")  # that this version reads; a store of an older one becomes one of the last
DEFAULT_PROJECT = "local"
LONGEST_NAME = 255  # bytes; what ext4, APFS and NTFS allow for one component
LONGEST_PATH = os.pathconf("/", "PC_PATH_MAX") - 1  # bytes, without the final NUL
_FOLDERS = ("projects", "featurestore", "servers")
_PROJECT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_]{0,62}[A-Za-z0-9])?")
_FEATURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def is_name(name: object) -> bool:
    """Whether Hopsworks would take it for the name of something in the feature store."""
    return isinstance(name, str) and bool(_FEATURE_NAME.fullmatch(name))


def checked_name(name: object, what: str) -> str:
    """`name` if Hopsworks would take it for a feature group, feature view or column; raises
    HopsworksError if not."""
    if not isinstance(name, str) or not is_name(name):
        raise HopsworksError(
            f"The name of the {what} must be 1 to 63 lower-case letters, digits and "
            "underscores, the first a letter, "
            f"not {str(name)[:80]!r}.",
            ILLEGAL_NAME,
        )
    return name


def checked_project(name: object) -> str:
    """`name` if Hopsworks would take it for a project; raises StoreError if not."""
    if not isinstance(name, str) or not _PROJECT_NAME.fullmatch(name):
        raise StoreError(
            f"A project's name is 1 to 64 letters, digits or underscores, not {str(name)[:80]!r}."
        )
    return name


class Store:
    """The folders of one embedded Hopsworks; opening creates them where they are missing."""

    def __init__(self, home: Path, *, alone: bool = False) -> None:
        self.home = resolved(home)
        self.id = uuid.uuid4().hex  # of the server that opens it
        self._lock: disk.Lock | None = None
        self._process = os.getpid()
        self._mutex = threading.Lock()
        try:
            check_home(self.home)
            self._check_format()
            self._use = self._begin_use(alone)
            for name in _FOLDERS:
                disk.make_folder(self.home / name)
            if not (self.home / "format").exists():
                self.replace_file(self.home / "format", f"{FORMATS[-1]}\n".encode())
        except OSError as error:
            raise StoreError(
                f"The store {self.home} cannot be written: {error.strerror}."
            ) from error

    def _check_format(self) -> None:
        text = written_format(self.home)
        if text is not None and text not in FORMATS:
            raise StoreError(
                f"The store {self.home} has format {text[:20]!r}; this version of "
                "local_hopsworks reads format "
                f"{FORMATS[-1]}. Use the version that wrote it, or name another store in "
                "LOCAL_HOPSWORKS_HOME."
            )

    def _begin_use(self, alone: bool) -> Use:
        """Say that the store is in use, and make one of an older format one of this format."""
        while True:
            try:
                disk.make_folder(self.home)
                is_older = written_format(self.home) in FORMATS[:-1]
                use = Use(self.home, alone=alone or is_older, seconds=0 if alone else WAIT_SECONDS)
            except FileNotFoundError:
                continue  # another program has just deleted the store
            if is_older:
                self._migrate()
                if not alone:
                    use.share()
            return use

    def _migrate(self) -> None:
        """From format 1. Killed in the middle, it is done again."""
        # Format 1 kept the drafts of all servers in `uploads/`, and locks in `runners/`
        for old in ("uploads", "runners"):
            shutil.rmtree(self.home / old, ignore_errors=True)
        self.replace_file(self.home / "format", f"{FORMATS[-1]}\n".encode())

    def protect(self) -> None:
        """Let only its owner at the store, whatever was allowed before."""
        for path, mode in disk.open_to_others(private_paths(self.home)):
            try:
                disk.close_to_others(path)
            except PermissionError as error:
                raise StoreError(
                    f"The store {self.home} is open to other users ({path} has mode "
                    f"{mode:04o}) and belongs to "
                    "another user, so that cannot be changed. Name another store in "
                    "LOCAL_HOPSWORKS_HOME."
                ) from error

    @property
    def metadata_file(self) -> Path:
        """The SQLite database."""
        return self.home / "metadata.db"

    @property
    def security(self) -> Path:
        """The folder of keys and certificates."""
        return self.home / "security"

    @property
    def last_port(self) -> int | None:
        """The HTTPS port of this store's first server; its next ones try to get it again."""
        try:
            return int((self.home / "port").read_text())
        except (OSError, ValueError):
            return None

    @last_port.setter
    def last_port(self, port: int) -> None:
        if port != self.last_port:
            self.replace_file(self.home / "port", f"{port}\n".encode())

    def project(self, project: str) -> Path:
        """The folder of a project's dataset storage."""
        return self.home / "projects" / checked_project(project)

    def datasets(self, project: str) -> list[Path]:
        """The top-level datasets that every project has (the SDK refuses a model registry without
        `Models`)."""
        names = ("Resources", "Models", "Deployments", "Logs", f"{project}_Training_Datasets")
        return [self.project(project) / name for name in names]

    def create_project(self, project: str) -> None:
        """Make the folders of a project's datasets, where they are missing."""
        for dataset in self.datasets(project):
            disk.make_folder(dataset)

    def model(self, project: str, name: str, version: int) -> Path:
        """The folder with the files of a model's version."""
        return self.project(project) / "Models" / checked_component(name) / str(version)

    def model_versions(self) -> Iterator[Path]:
        """All folders that would be one's."""
        return (
            path
            for path in self.home.glob("projects/*/Models/*/*")
            if path.is_dir() and path.name.isdecimal()
        )

    def tables(self) -> Iterator[Path]:
        """All folders of feature groups, and of those that wait while they are overwritten."""
        return (path for path in self.home.glob("featurestore/*/*") if path.is_dir())

    def feature_group(self, project: str, name: str, version: int, identifier: int) -> Path:
        """The Delta table of a feature group; `identifier` is never used twice, so no table
        inherits another's rows."""
        return (
            self.home
            / "featurestore"
            / checked_project(project)
            / f"{checked_name(name, 'feature group')}_{version}_{identifier}"
        )

    def online(self, project: str) -> Path:
        """The online store of a project; see online/store.py."""
        return self.home / "online" / f"{checked_project(project)}.db"

    def dataset(self, project: str, name: str) -> Path:
        """The file or folder that `name` (`Resources/x` or `/Projects/{project}/Resources/x`) means
        in dataset storage.

        Raises HopsworksError for a name that leads outside the project, by whatever way: `..`, a
        link, a NUL byte.
        """
        root = self.project(project)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if parts[:2] == ["Projects", project]:
            parts = parts[2:]
        for part in parts:
            checked_component(part)
        path = root.joinpath(*parts)
        if len(os.fsencode(path)) > LONGEST_PATH:
            message = (
                f"The path {name[:80]!r}… is longer than the {LONGEST_PATH} bytes that this "
                "machine allows."
            )
            raise HopsworksError(message, DATASET_REQUEST_INVALID)
        if not _is_inside(root, path):
            raise HopsworksError(
                f"The path {name[:200]!r} leads out of the project {project}.",
                DATASET_REQUEST_INVALID,
            )
        return path

    def entries(self, project: str, folder: Path) -> list[Path]:
        """What a folder of dataset storage has, by name; without links that lead out of the project
        or nowhere, which no other call answers for either."""
        root = self.project(project)
        with os.scandir(folder) as found:
            paths = [
                Path(entry.path)
                for entry in found
                if not entry.is_symlink() or (_is_inside(root, entry) and os.path.exists(entry))
            ]
        return sorted(paths, key=lambda path: path.name)

    def file(self, path: str) -> Path:
        """The file or folder of dataset storage that `/Projects/{project}/…` means, of any project
        of the store. Raises HopsworksError if there is none."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if len(parts) > 1 and parts[0] == "Projects" and _PROJECT_NAME.fullmatch(parts[1]):
            found = self.dataset(parts[1], "/".join(parts[2:]))
            if found.exists():
                return found
        message = f"There is no {path[:200]!r} in dataset storage."
        raise HopsworksError(message, DATASET_REQUEST_INVALID, 404)

    @property
    def server(self) -> Path:
        """The folder of this server, once it is registered."""
        return self.home / "servers" / self.id

    def register(self) -> Path:
        """This server's own folder. From now until its process ends the server counts as alive."""
        folder = self.server
        with self._mutex:
            while self._lock is None:
                try:
                    disk.make_folder(folder)
                    (folder / "lock").write_text(f"{os.getpid()}\n")
                    lock = disk.Lock(folder / "lock")
                except FileNotFoundError:
                    continue  # swept by another server, before there was a lock
                if lock.is_in_place:
                    self._lock = lock
                else:
                    lock.close()
        return folder

    def is_alive(self, server: str) -> bool:
        """Whether the server with this id still lives, in whatever process."""
        try:
            lock = self.home / "servers" / server / "lock"
            disk.Lock(lock, shared=True, wait=False).close()
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def dead_servers(self) -> Iterator[Path]:
        """The folders of servers that were killed."""
        for folder in (self.home / "servers").iterdir():
            if not self.is_alive(folder.name):
                yield folder

    def has_other_servers(self) -> bool:
        """Whether a server other than this one lives."""
        names = os.listdir(self.home / "servers")
        return any(name != self.id and self.is_alive(name) for name in names)

    def sweep(self, folder: Path) -> None:
        """Remove the folder of a dead server with its drafts."""
        try:
            (folder / "lock").touch()  # there is none if its server was killed very early
            with disk.Lock(folder / "lock", wait=False):
                shutil.rmtree(folder)
        except OSError:
            return  # another server has just begun in it, or sweeps it too

    def close(self) -> None:
        """This server no longer counts as alive, and its drafts go."""
        with self._mutex:
            # A fork of it may end earlier
            if self._lock is not None and self._process == os.getpid():
                shutil.rmtree(self.server, ignore_errors=True)
                self._lock.close()
                self._lock = None
            self._use.end()

    def new_draft(self) -> Path:
        """A file or folder, not there yet, for what is not whole yet; on the same file system as
        its target."""
        return self.register() / uuid.uuid4().hex

    def replace_file(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all."""
        draft = self.new_draft()
        disk.write_new(draft, content)
        disk.replace(draft, path)

    def remove(self, path: Path) -> None:
        """Take a file or folder away at once: out of sight by one rename, then its bytes."""
        waste = self.new_draft()
        try:
            os.rename(path, waste)
        except FileNotFoundError:
            return
        shutil.rmtree(waste) if waste.is_dir() and not waste.is_symlink() else waste.unlink()

    def put_aside(self, path: Path) -> Path | None:
        """Take something in doubt out of the way, and keep it; where it is now, or None if it was
        gone."""
        folder = self.home / "aside" / uuid.uuid4().hex[:8]
        target = folder / path.relative_to(self.home)
        disk.make_folder(target.parent)
        try:
            os.rename(path, target)
        except FileNotFoundError:
            shutil.rmtree(folder)
            return None
        return target


def _is_inside(root: Path, path: os.PathLike[str]) -> bool:
    """Whether a path lies below `root`, wherever links lead."""
    try:
        real_root, real = root.resolve(), Path(path).resolve()
    except (OSError, RuntimeError):  # a circle of links
        return False
    return real == real_root or real_root in real.parents


def private_paths(home: Path) -> Iterator[Path]:
    """What of a store no other user may get at. Everything else lies below it."""
    yield home
    yield from home.iterdir()
    yield from (home / "security").rglob("*")


def cleared(table: Path) -> Path:
    """Where a feature group's rows wait while an overwrite writes the new ones."""
    return table.with_name(f"{table.name}.cleared")


def checked_component(part: str) -> str:
    """`part` if it may name one file or folder; raises HopsworksError if not."""
    if (
        part in ("", ".", "..")
        or any(ord(c) < 32 or c in "/\\\x7f" for c in part)
        or len(os.fsencode(part)) > LONGEST_NAME
    ):
        raise HopsworksError(
            f"{part[:80]!r} cannot be the name of a file or folder.", DATASET_REQUEST_INVALID
        )
    return part
