"""Where everything lies on disk, and the one place that turns a name from outside into a path.

.hopsworks/
  format                                 the version of this layout, a number
  metadata.db                            SQLite; see metadata.py
  port                                   the HTTPS port that its servers prefer
  security/                              certificate authority, API key, signing key; see security.py
  projects/{project}/                    dataset storage: Resources, Models, Logs, {project}_Training_Datasets
  featurestore/{project}/{name}_{version}_{id}/    one Delta table per feature group
  uploads/                               chunks of uploads under way
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path

from local_hopsworks.errors import DATASET_REQUEST_INVALID, ILLEGAL_NAME, HopsworksError

FORMAT_VERSION = 1
DEFAULT_PROJECT = "local"
LONGEST_NAME = 255  # bytes; what ext4, APFS and NTFS allow for one component
LONGEST_PATH = os.pathconf("/", "PC_PATH_MAX") - 1  # bytes, without the final NUL
_PROJECT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_]{0,62}[A-Za-z0-9])?")
_FEATURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class StoreError(Exception):
    """The store as a whole cannot be used; the message says why and what to do."""


def default_home() -> Path:
    """`$LOCAL_HOPSWORKS_HOME`; else `.hopsworks/` in this checkout, or in the current folder if this is installed."""
    if home := os.environ.get("LOCAL_HOPSWORKS_HOME"):
        return Path(home).expanduser().resolve()
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".hopsworks"


def checked_name(name: object, what: str) -> str:
    """`name` if Hopsworks would take it for a feature group, feature view or column; raises HopsworksError if not."""
    if not isinstance(name, str) or not _FEATURE_NAME.fullmatch(name):
        raise HopsworksError(
            f"The name of the {what} must be 1 to 63 lower-case letters, digits and underscores, the first a letter, "
            f"not {str(name)[:80]!r}.",
            ILLEGAL_NAME,
        )
    return name


def checked_project(name: object) -> str:
    """`name` if Hopsworks would take it for a project; raises StoreError if not."""
    if not isinstance(name, str) or not _PROJECT_NAME.fullmatch(name):
        raise StoreError(f"A project's name is 1 to 64 letters, digits or underscores, not {str(name)[:80]!r}.")
    return name


class Store:
    """The folders of one embedded Hopsworks; opening creates them where they are missing."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in ("projects", "featurestore", "uploads"):
                (self.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._check_format()
        except OSError as error:
            raise StoreError(f"The store {self.home} cannot be written: {error.strerror}.") from error

    def _check_format(self) -> None:
        marker = self.home / "format"
        if not marker.exists():
            replace_file(marker, f"{FORMAT_VERSION}\n".encode())
        text = marker.read_text().strip()
        if text != str(FORMAT_VERSION):
            raise StoreError(
                f"The store {self.home} has format {text[:20]!r}; this version of local_hopsworks reads format "
                f"{FORMAT_VERSION}. Use the version that wrote it, or name another store in LOCAL_HOPSWORKS_HOME."
            )

    @property
    def metadata_file(self) -> Path:
        return self.home / "metadata.db"

    @property
    def security(self) -> Path:
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
            replace_file(self.home / "port", f"{port}\n".encode())

    def project(self, project: str) -> Path:
        return self.home / "projects" / checked_project(project)

    def create_project(self, project: str) -> None:
        """The top-level datasets that every project has (the SDK refuses a model registry without `Models`)."""
        for dataset in ("Resources", "Models", "Logs", f"{project}_Training_Datasets"):
            (self.project(project) / dataset).mkdir(parents=True, exist_ok=True)

    def feature_group(self, project: str, name: str, version: int, identifier: int) -> Path:
        """The Delta table of a feature group; `identifier` is never used twice, so no table inherits another's rows."""
        return (
            self.home
            / "featurestore"
            / checked_project(project)
            / f"{checked_name(name, 'feature group')}_{version}_{identifier}"
        )

    def dataset(self, project: str, name: str) -> Path:
        """The file or folder that `name` (`Resources/x` or `/Projects/{project}/Resources/x`) means in dataset storage.

        Raises HopsworksError for a name that leads outside the project, by whatever way: `..`, a link, a NUL byte.
        """
        root = self.project(project)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if parts[:2] == ["Projects", project]:
            parts = parts[2:]
        for part in parts:
            checked_component(part)
        path = root.joinpath(*parts)
        if len(os.fsencode(path)) > LONGEST_PATH:
            message = f"The path {name[:80]!r}… is longer than the {LONGEST_PATH} bytes that this machine allows."
            raise HopsworksError(message, DATASET_REQUEST_INVALID)
        real_root, real = root.resolve(), path.resolve()
        if real != real_root and real_root not in real.parents:
            raise HopsworksError(
                f"The path {name[:200]!r} leads out of the project {project}.", DATASET_REQUEST_INVALID
            )
        return path

    def new_upload(self) -> Path:
        """A file, not there yet, for an upload's bytes until it is whole; on the same file system as its target."""
        return self.home / "uploads" / uuid.uuid4().hex

    def remove(self, path: Path) -> None:
        """Take a file or folder away at once: out of sight by one rename, then its bytes."""
        waste = self.new_upload()
        try:
            os.rename(path, waste)
        except FileNotFoundError:
            return
        shutil.rmtree(waste) if waste.is_dir() and not waste.is_symlink() else waste.unlink()


def checked_component(part: str) -> str:
    """`part` if it may name one file or folder; raises HopsworksError if not."""
    if (
        part in ("", ".", "..")
        or any(ord(c) < 32 or c in "/\\\x7f" for c in part)
        or len(os.fsencode(part)) > LONGEST_NAME
    ):
        raise HopsworksError(f"{part[:80]!r} cannot be the name of a file or folder.", DATASET_REQUEST_INVALID)
    return part


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    draft.write_bytes(content)
    os.replace(draft, path)
