"""Where the files of a deployment lie in dataset storage, as on Hopsworks.

Deployments/{name}/resources/            what the SDK uploads: scripts, configuration, request
schemas
Deployments/{name}/{version}/            what a version runs: {role}-{file}, copied when it is saved
Logs/Serving/{name}/                     see logs.py
"""

from __future__ import annotations

from pathlib import Path

from local_hopsworks.store import Store, checked_component

ROLES = ("predictor", "transformer", "configfile")


class Place:
    """The folders of one version of a deployment."""

    def __init__(self, store: Store, project: str, name: str, version: int) -> None:
        self._store = store
        root = store.project(project)
        self.deployment = root / "Deployments" / checked_component(name)
        self.artifacts = self.deployment / str(version)
        self.schemas = self.deployment / "resources" / "schema"
        self.logs = root / "Logs" / "Serving" / name

    def keep(self, role: str, file: Path) -> None:
        """Copy a file into the version, in this role."""
        content = file.read_bytes()
        self.artifacts.mkdir(parents=True, exist_ok=True)
        target = self.artifacts / f"{role}-{file.name}"
        self._store.replace_file(target, content)
        self._forget_others(role, target)

    def forget(self, role: str) -> None:
        """Take a role's file out of the version."""
        self._forget_others(role, None)

    def script(self, role: str) -> str | None:
        """The path on disk of the version's file in this role; None if it has none."""
        found = sorted(self.artifacts.glob(f"{role}-*"))
        return str(found[0]) if found else None

    def _forget_others(self, role: str, newest: Path | None) -> None:
        for file in self.artifacts.glob(f"{role}-*"):
            if file != newest:
                file.unlink()
