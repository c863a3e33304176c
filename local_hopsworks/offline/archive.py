"""The older part of a Delta table's log, in `_delta_log_archive` beside it: the log itself stays
short.

After every insert the SDK reads each file of `_delta_log`. So files that are not needed to read the
present rows are moved here, and reads of the past go to a table of links that has both parts of the
log. A log that begins with the first commit has no archive: a folder of that name is left from an
earlier table in the same place, and is not read.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local_hopsworks.disk import Lock

FOLDER = "_delta_log_archive"  # a vacuum leaves folders alone that begin with an underscore
_LINKS = ".whole-"
_FIRST = f"{0:020}.json"
_COMMIT = re.compile(r"\d{20}\.json")
_OF_A_VERSION = re.compile(r"\d{20}\.(json|crc|checkpoint\..*)")
_CHECKPOINT = re.compile(r"\d{20}\.checkpoint\..*")
# Others have parts, and may lack some
_WHOLE_CHECKPOINT = re.compile(r"\d{20}\.checkpoint\.parquet")


@contextlib.contextmanager
def held(table: Path) -> Iterator[None]:
    """Nothing is compacted or moved meanwhile; waits until what is under way is done."""
    with Lock(table, shared=True):
        yield


def put_away(table: Path) -> None:
    """Move what is older than the last checkpoint but one, which a reader may still begin with. The
    caller holds the table alone. Oldest first: wherever this is killed, archive and log are the
    whole history without a hole."""
    names = _names(table / "_delta_log")
    checkpoints = [name for name in names if _WHOLE_CHECKPOINT.fullmatch(name)]
    if len(checkpoints) < 2 or is_of_another(table):
        return
    (table / FOLDER).mkdir(exist_ok=True)
    # Of a server that was killed: the table has no reader now
    for links in (table / FOLDER).glob(_LINKS + "*"):
        shutil.rmtree(links)
    for name in names:
        if _OF_A_VERSION.fullmatch(name) and name[:20] < checkpoints[-2][:20]:
            os.rename(table / "_delta_log" / name, table / FOLDER / name)


def is_of_another(table: Path) -> bool:
    """Whether the archive is of a table that was in this folder before: a first commit is the first
    to be archived."""
    return (table / "_delta_log" / _FIRST).exists() and any(
        map(_COMMIT.fullmatch, _names(table / FOLDER))
    )


def first_version(table: Path) -> int:
    """The first version that can be had without the archive."""
    names = _names(table / "_delta_log")
    checkpoints = [int(name[:20]) for name in names if _CHECKPOINT.fullmatch(name)]
    return 0 if _FIRST in names else min(checkpoints, default=0)


def commits(table: Path) -> Iterator[Path]:
    """The files of the commits in the log and its archive, newest first; the caller holds the
    table."""
    log = table / "_delta_log"
    for folder in [log] if (log / _FIRST).exists() else [log, table / FOLDER]:
        yield from (folder / name for name in reversed(_names(folder)) if _COMMIT.fullmatch(name))


@contextlib.contextmanager
def whole(table: Path, *, rows: bool) -> Iterator[Path]:
    """The table with all of its log, to be read only, and with its rows if need be; the caller
    holds the table."""
    log = _names(table / "_delta_log")
    archived = (
        []
        if _FIRST in log
        else [name for name in _names(table / FOLDER) if _OF_A_VERSION.fullmatch(name)]
    )
    if not archived:
        yield table
        return
    with tempfile.TemporaryDirectory(dir=table / FOLDER, prefix=_LINKS) as links:
        (Path(links) / "_delta_log").mkdir()
        for name in log:
            _link(table / "_delta_log" / name, Path(links) / "_delta_log" / name)
        for name in set(archived) - set(log):
            _link(table / FOLDER / name, Path(links) / "_delta_log" / name)
        for name in _names(table) if rows else []:
            if name not in ("_delta_log", FOLDER):
                _link(table / name, Path(links) / name)
        yield Path(links)


def _link(source: Path, target: Path) -> None:
    """A file has hard links, which are fast, as Delta itself needs them; a writer's draft may be
    gone by now."""
    with contextlib.suppress(FileNotFoundError):
        os.symlink(source, target) if source.is_dir() else os.link(source, target)


def _names(folder: Path) -> list[str]:
    """Of its entries, in order; none if it is not there."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
