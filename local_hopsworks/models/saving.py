"""A version of a model whose files are being uploaded: it is registered when they are there."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

from local_hopsworks import unfinished
from local_hopsworks.store import Store

_log = logging.getLogger("local_hopsworks")


def _settle(db: sa.Connection, store: Store, path: Path, facts: unfinished.Facts) -> None:
    made = facts["inode"]  # of the folder of the version; None before it was made
    if made is not None and unfinished.inode(path) != made:
        return  # it is something newer
    if not any(file.is_file() for file in path.rglob("*")):
        store.remove(path)
    elif made is not None and (target := store.put_aside(path)):
        name, version = path.parts[-2:]
        _log.warning(
            "Model %s version %s was never registered; its files are in %s.", name, version, target
        )


# Files are there, and the version not registered: the files are put aside
MODEL = unfinished.Write("model", _settle, by_client=True)
