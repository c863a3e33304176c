"""The names that Hopsworks refuses when a folder is made; from its FolderNameValidator and
Settings. Files may have any name."""

from __future__ import annotations

from local_hopsworks.datasets.errors import FOLDER_NAME_INVALID
from local_hopsworks.errors import HopsworksError

LONGEST = 88  # characters
_FORBIDDEN = "/\\?*:|'\"<>%()&;#öäåÖÅÄàáéèâîïüÜ@${}[]+~^`"


def check(name: str, is_dataset: bool) -> None:
    """Raises HopsworksError for a name that a new folder, or a new dataset, cannot have."""
    if len(name) > LONGEST:
        raise _refusal(name, f"has {len(name)} characters, of at most {LONGEST}")
    if name.endswith("."):
        raise _refusal(name, "ends with a dot")
    for each in ("__", *_FORBIDDEN, *(" " if is_dataset else "")):
        if each in name:
            raise _refusal(name, f"contains {each!r}")


def _refusal(name: str, problem: str) -> HopsworksError:
    return HopsworksError(
        f"{name[:LONGEST]!r} {problem}, so it cannot be the name of a folder.", FOLDER_NAME_INVALID
    )
