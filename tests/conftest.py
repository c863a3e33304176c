"""What all tests share: a fresh home and store, no network, an embedded Hopsworks with the real SDK logged in."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
OFFLINE = Path(__file__).resolve().parent / "offline"
exec(compile((OFFLINE / "sitecustomize.py").read_text(), str(OFFLINE / "sitecustomize.py"), "exec"))  # here too

for _variable in [name for name in os.environ if name.startswith(("HOPSWORKS_", "LOCAL_HOPSWORKS_"))]:
    del os.environ[_variable]  # whoever runs the tests may have an account; no test may touch it

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables for programs that tests start: fresh home, fresh store, this machine only."""
    home = tmp_path_factory.mktemp("home")
    return {
        **os.environ,
        "HOME": str(home),
        "LOCAL_HOPSWORKS_HOME": str(home / "store"),
        "PYTHONPATH": os.pathsep.join([str(OFFLINE), str(REPOSITORY)]),
        "MPLCONFIGDIR": str(home / "matplotlib"),
    }


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Run:
    """Start a program, wait for it, and return its exit status and output as text; `env` adds to `environment`."""

    def start(
        *command: str | Path, env: dict[str, str] | None = None, timeout: float = 180, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command], env={**environment, **(env or {})}, timeout=timeout,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip

    return start


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One embedded Hopsworks for all tests of a worker that are content with names of their own."""
    from local_hopsworks import Server

    with Server(tmp_path_factory.mktemp("store"), project="tests") as running:
        yield running


@pytest.fixture(scope="session")
def project(server: Any) -> Iterator[Any]:
    """The real SDK, logged in."""
    import hopsworks

    yield hopsworks.login(host="127.0.0.1", port=server.port, project=server.project, api_key_value=server.api_key)
    hopsworks.logout()


@pytest.fixture(scope="session")
def feature_store(project: Any) -> Any:
    return project.get_feature_store()


@pytest.fixture
def name() -> str:
    """A name that no other test uses, for a feature group, view, model or folder."""
    return f"t_{uuid.uuid4().hex[:12]}"
