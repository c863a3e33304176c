"""What can be wrong with a Delta table on disk: its log with the archive, file by file, and the
files they name."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_hopsworks import disk
from local_hopsworks.offline import archive, delta

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*")
# What writers leave beside commits: pointers, checksums, compacted commits, and drafts of those
# that were killed
_OTHERS = re.compile(
    r"_last_checkpoint|_commits|_sidecars|.*\.crc|.*\.compacted\.json|\..*|_commit_.*|.*\.tmp|.*#\d+"
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a table, and what can be done about it."""

    what: str
    remedy: str
    aside: Path | None = None  # what to put aside
    forget: bool = False  # whether the log can forget the files that are missing


def flush(table: Path, commits: int = 2) -> None:
    """Return when the newest commits and their files are on the disk: delta-rs leaves that to the
    system. An insert makes two commits at most, the first of which makes the table."""
    log = table / "_delta_log"
    newest = sorted(log.glob("*.json"))[-commits:]
    named = [path for commit in newest for path in _named(table, commit)]
    for path in [*named, *newest, *{path.parent for path in named}, log, table, table.parent]:
        with contextlib.suppress(FileNotFoundError):  # compacted, or deleted meanwhile
            disk.flush(path)


def _named(table: Path, commit: Path) -> list[Path]:
    """The files that a commit adds."""
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    added = [action.get("add") or action.get("cdc") for action in actions]
    return [table / urllib.parse.unquote(each["path"]) for each in added if each]


def problems(table: Path) -> Iterator[Problem]:
    """None for a table that has no commit yet."""
    with contextlib.suppress(FileNotFoundError):  # it is being deleted
        folder = table.stat().st_ino
        if delta.has_commits(table):
            with archive.held(table):
                found = [*_of_archive(table), *_of_log(table)]
            # Else it was deleted or cleared while it was looked at
            if table.stat().st_ino == folder:
                yield from found


def _of_archive(table: Path) -> Iterator[Problem]:
    folder = table / archive.FOLDER
    if archive.is_of_another(table):
        yield Problem(
            f"{folder} is of a table that was there before.", "it is moved aside.", aside=folder
        )


def _of_log(table: Path) -> Iterator[Problem]:
    log = _Log(table)
    found = [*_foreign_files(log), *_damaged_commits(log), *_missing_commits(log)]
    yield from found or _missing_files(table)


class _Log:
    """The files of a table's log by name, with those in its archive, if that is its own."""

    def __init__(self, table: Path) -> None:
        self.table = table
        folders = [table / archive.FOLDER, table / "_delta_log"]
        if archive.is_of_another(table) or not folders[0].is_dir():
            del folders[0]
        self.files = {path.name: path for folder in folders for path in folder.iterdir()}
        self.commits = sorted(self._versions(_COMMIT))
        self.checkpoints = self._versions(_CHECKPOINT)

    def _versions(self, kind: re.Pattern[str]) -> set[int]:
        return {int(match[1]) for name in self.files if (match := kind.fullmatch(name))}


def _foreign_files(log: _Log) -> Iterator[Problem]:
    for name, path in sorted(log.files.items()):
        if not any(kind.fullmatch(name) for kind in (_COMMIT, _CHECKPOINT, _OTHERS)):
            what = f"its log has a foreign file, {path}."
            yield Problem(what, "it is moved aside.", aside=path)


def _damaged_commits(log: _Log) -> Iterator[Problem]:
    """Commits that cannot be read, or that have the id of another table and none of their files."""
    identity = None
    for version in log.commits:
        path = log.files[_commit_name(version)]
        actions = _actions(path)
        ids = [action["metaData"].get("id") for action in actions or () if "metaData" in action]
        found = ids[0] if ids else identity
        is_of_another = identity not in (None, found)
        if actions is not None and not (is_of_another and not _has_files(log.table, actions)):
            identity = found
        elif version == log.commits[-1] and len(log.commits) > 1:
            remedy = "it is moved aside, and the table is as before that commit."
            what = f"its last commit is damaged or another table's, {path}."
            yield Problem(what, remedy, aside=path)
        else:
            what = f"a commit is damaged or another table's, {path}."
            yield Problem(what, "Put back a copy of that file.")


def _missing_commits(log: _Log) -> Iterator[Problem]:
    """Commits between the last checkpoint, or the table's beginning, and the last commit."""
    first = max(log.checkpoints) + 1 if log.checkpoints else 0
    last = max([*log.commits, *log.checkpoints, 0])
    for version in sorted({*range(first, last + 1)}.difference(log.commits)):
        path = log.table / "_delta_log" / _commit_name(version)
        yield Problem(f"its log lacks the commit {path}.", "Put back a copy of that file.")


def _commit_name(version: int) -> str:
    return f"{version:020}.json"


def _actions(path: Path) -> list[dict[str, Any]] | None:
    """What a commit does; None if it cannot be read."""
    try:
        actions = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError):
        return None
    return (
        actions
        if actions and all(isinstance(action, dict) and len(action) == 1 for action in actions)
        else None
    )


def _has_files(table: Path, actions: list[dict[str, Any]]) -> bool:
    """Whether the rows of a commit are here, if it has any. Programs that make a table at once give
    it several ids."""
    names = [urllib.parse.unquote(action["add"]["path"]) for action in actions if "add" in action]
    return not names or any((table / name).is_file() for name in names)


def _missing_files(table: Path) -> Iterator[Problem]:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        files = DeltaTable(table.as_uri()).get_add_actions()
    except (DeltaError, OSError, ValueError) as error:
        yield Problem(
            f"its log cannot be read: {' '.join(str(error).split())[:300]}.",
            "Put back a copy of the table.",
        )
        return
    missing = []
    for name, size in zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True):
        path = table / urllib.parse.unquote(name)
        if not path.is_file():
            missing.append(path)
        elif path.stat().st_size != size:
            what = f"the file {path} has {path.stat().st_size} bytes, not {size} as its log says."
            yield Problem(what, "Put back a copy of that file.")
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        remedy = (
            "the log forgets them, so that the other rows can be read; put back a copy first "
            "if you have one."
        )
        yield Problem(
            f"files that its log names are missing: {missing[0]}{others}.", remedy, forget=True
        )


def forget_missing(table: Path) -> None:
    """One more commit, in which the missing files are removed; earlier versions still name them."""
    from deltalake import DeltaTable

    DeltaTable(table.as_uri()).repair()
