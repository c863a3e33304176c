"""Where the files of a deployment lie in dataset storage, as on Hopsworks.

Deployments/{name}/resources/            what the SDK uploads: scripts, configuration, request
schemas
Deployments/{name}/{version}/            what a version runs: {role}-{file}, copied when it is saved
                                         (the folder is exchanged as a whole)
Logs/Serving/{name}/                     see logs.py
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import sqlalchemy as sa

from local_hopsworks import disk, unfinished
from local_hopsworks.http.calls import Call
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store, checked_component

ROLES = ("predictor", "transformer", "configfile")


def _settle(db: sa.Connection, store: Store, path: Path, facts: unfinished.Facts) -> None:
    draft = store.home / facts["draft"]
    if draft.exists():
        store.remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.replace(draft, path)


# The row of a deployment is changed, and its files not yet: the new ones take their place
EXCHANGE = unfinished.Write("exchange", _settle)


class Place:
    """The folders of one version of a deployment."""

    def __init__(self, store: Store, project: str, name: str, version: int) -> None:
        self._store = store
        root = store.project(project)
        self.deployment = root / "Deployments" / checked_component(name)
        self.artifacts = self.deployment / str(version)
        self.schemas = self.deployment / "resources" / "schema"
        self.logs = root / "Logs" / "Serving" / name

    def exchange(self, call: Call, files: dict[str, Path | None]) -> None:
        """Let the version have these files in their roles (None: no file) once the transaction is
        kept, even if this server is killed right after it. Other roles keep theirs."""
        for note in unfinished.of(call.db, self._store, EXCHANGE, self.artifacts):
            unfinished.settle(call.db, self._store, note, EXCHANGE)
        if not any(file or self.script(role) for role, file in files.items()):
            return
        draft = self._store.new_draft()
        disk.make_folder(draft)
        for role in ROLES:
            file, kept = files.get(role), self.script(role)
            if file is not None:
                disk.write_new(draft / f"{role}-{file.name}", file.read_bytes())
            elif role not in files and kept is not None:
                disk.write_new(draft / Path(kept).name, Path(kept).read_bytes())
        disk.flush(draft)
        inside = str(draft.relative_to(self._store.home))
        unfinished.begin(call.db, self._store, EXCHANGE, self.artifacts, draft=inside)
        call.after_commit.append(partial(self.finish_exchange, call.hopsworks.metadata))

    def finish_exchange(self, metadata: Metadata) -> None:
        """See that the version has the files that were saved last."""
        unfinished.finish(self._store, metadata, EXCHANGE, self.artifacts)

    def script(self, role: str) -> str | None:
        """The path on disk of the version's file in this role; None if it has none."""
        found = sorted(self.artifacts.glob(f"{role}-*"))
        return str(found[0]) if found else None
