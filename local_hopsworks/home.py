"""Where a store may lie, before anything is written there."""

from __future__ import annotations

import os
import re
from pathlib import Path

# In the path of a Delta table these mean something to delta-rs, which the SDK writes with, even if
# they are percent-encoded in its URI. With # and ? it finds no history, which the SDK reads after
# each insert; with % and \ it looks in another folder; with [ ] | ^ it panics (deltalake 1.x).
_IMPOSSIBLE = re.compile(r"[\x00-\x1f\x7f#?%\[\]\\|^]")
LONGEST_HOME = 380  # bytes; SQLite opens no path of more than 512, its journals' endings included
_OWN = re.compile(
    r"format|port|metadata\.db.*|security|certificates|projects|featurestore|online|servers|aside"
    r"|uploads|runners"  # of format 1
)


class StoreError(Exception):
    """The store as a whole cannot be used; the message says why and what to do."""


def default_home() -> Path:
    """`$LOCAL_HOPSWORKS_HOME`; else `.hopsworks/` in this checkout, or in the current folder if
    this is installed."""
    home = os.environ.get("LOCAL_HOPSWORKS_HOME")
    if home:
        return resolved(home)
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".hopsworks"
    return resolved(".hopsworks")


def resolved(home: str | Path) -> Path:
    """The whole path of a store that may be named by a link, by ~, or from the current folder."""
    try:
        return Path(home).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"A store cannot be made at {str(home)[:200]!r}: {error}.") from error


def check_home(home: Path) -> None:
    """Raises StoreError if no store can lie in `home`, a path without links."""
    _check_path(home)
    if home.is_dir() and not (home / "format").exists():
        foreign = [entry.name for entry in home.iterdir() if _is_foreign(entry.name)]
        if foreign:
            raise StoreError(
                f"The folder {home} has other things in it, such as {min(foreign)!r}, and "
                "a store wants a folder of "
                f"its own: name a new one, such as {home / '.hopsworks'}, in "
                "LOCAL_HOPSWORKS_HOME or with --home."
            )


def written_format(home: Path) -> str | None:
    """The version of a store's layout, as its file `format` has it; None if there is no such file.
    Raises StoreError if it cannot be read."""
    try:
        return (home / "format").read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"The file {home / 'format'} cannot be read: {error.strerror}.") from error


def _check_path(home: Path) -> None:
    remedy = "Name another folder in LOCAL_HOPSWORKS_HOME or with --home."
    impossible = _IMPOSSIBLE.search(str(home))
    if impossible:
        raise StoreError(
            f"The store cannot lie in {str(home)!r}: Delta tables cannot be read below a "
            "folder with "
            f"{impossible[0]!r} in its name. {remedy}"
        )
    try:
        length = len(str(home).encode())
    except UnicodeEncodeError as error:
        raise StoreError(
            f"The store cannot lie in {str(home)!r}: its name is no UTF-8. {remedy}"
        ) from error
    if length > LONGEST_HOME:
        raise StoreError(
            f"The store cannot lie in {str(home)[:80]!r}…: the path has {length} bytes, "
            "and SQLite leaves room for "
            f"{LONGEST_HOME}. {remedy}"
        )


def _is_foreign(name: str) -> bool:
    is_systems = name.startswith(".") or name == "lost+found"  # .DS_Store, .nfs…, a mounted disk's
    return not is_systems and _OWN.fullmatch(name) is None
