"""What all tests share: a fresh home and store, no network, an embedded Hopsworks with the real SDK
logged in."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import rest
from tests.pipelines import Scripts
from tests.warm import WarmPython, look_often

REPOSITORY = Path(__file__).resolve().parent.parent
OFFLINE = Path(__file__).resolve().parent / "offline"
# Here too
exec(compile((OFFLINE / "sitecustomize.py").read_text(), str(OFFLINE / "sitecustomize.py"), "exec"))

# Whoever runs the tests may have an account, toggles, and make around them: none of it is for the
# tests.
_NOT_FOR_TESTS = ("HOPSWORKS_", "LOCAL_HOPSWORKS_", "HF_", "GRADIO_", "MAKE", "MFLAGS")
_TOGGLES = (
    "BACKFILL",
    "PASSENGERS",
    "SEED",
    "TITANIC_CSV",
    "ASSETS_URL",
    "VERBOSE",
    "LOCAL",
    "SCHEDULE",
    "YES",
    "SPACE_ID",
    "PREDICT_URL",
    "MONITOR_URL",
    "REPOSITORY_URL",
)
for _variable in [
    name for name in os.environ if name.startswith(_NOT_FOR_TESTS) or name in _TOGGLES
]:
    del os.environ[_variable]

# Nor is it for them, or for what they start, that a shell ignores signals for what it runs in the
# background, as nohup does.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Packages that `make test` puts into folders of their own in the environment; pyproject.toml says
# why
_ASIDE = {"great_expectations": "expectations", "polars": "polars"}

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take long first, so that at the end no worker is left alone with one of
    them."""
    items.sort(key=lambda item: item.path.parent.name in ("local_hopsworks", "reliability"))


def _shared(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of all workers of this run."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables for programs that tests start: fresh home, fresh store, this machine
    only."""
    home = tmp_path_factory.mktemp("home")
    return {
        **os.environ,
        "HOME": str(home),
        "LOCAL_HOPSWORKS_HOME": str(home / "store"),
        "PYTHONPATH": os.pathsep.join([str(OFFLINE), str(REPOSITORY)]),
        "MPLCONFIGDIR": str(_shared(tmp_path_factory) / "matplotlib"),
        "GRADIO_TEMP_DIR": str(home / "gradio"),
        # Where an app begins to look for a free port: not where those of other workers do
        "GRADIO_SERVER_PORT": str(random.randrange(20_000, 30_000)),
        # as here; the SDK's own are of other kinds
        "PYTHONWARNINGS": "error::FutureWarning,error::RuntimeWarning",
        # Our modules are compiled once, not by every program that is started; packages are by make
        "PYTHONDONTWRITEBYTECODE": "",
    }


@pytest.fixture(scope="session")
def reach(environment: dict[str, str]) -> Callable[..., dict[str, str]]:
    """Environment variables for a program that imports these packages; skips where one is not
    installed."""

    def variables(*packages: str) -> dict[str, str]:
        folders = {package: Path(sys.prefix) / _ASIDE[package] for package in packages}
        for package, folder in folders.items():
            if not folder.is_dir() and importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed; `make test` does that")
        paths = os.pathsep.join([environment["PYTHONPATH"], *map(str, folders.values())])
        return {"PYTHONPATH": paths, "GX_ANALYTICS_ENABLED": "False"}

    return variables


@pytest.fixture(scope="session")
def warm(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WarmPython]:
    """Starts Python programs without the seconds that their imports take; see warm.py."""
    with (_shared(tmp_path_factory) / "warm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker's compiles the packages for the others'
        python = WarmPython(environment)
        python.run([sys.executable, "-c", ""], timeout=180, env=environment)
    yield python
    python.close()


@pytest.fixture(scope="session")
def run(environment: dict[str, str], warm: WarmPython) -> Run:
    """Start a program, wait for it, and return its exit status and output as text; `env` adds to
    `environment`."""

    def start(
        *command: str | Path,
        env: dict[str, str] | None = None,
        timeout: float = 180,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        return warm.run(command, timeout, env={**environment, **(env or {})}, **options)

    return start


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker to ask for it makes, for all of them."""
    folder = _shared(factory) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            (draft := folder.with_suffix(".draft")).mkdir()
            make(draft)
            draft.rename(folder)
    return folder


@pytest.fixture(scope="session")
def backfilled(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A folder with a store that has the historical passengers; to be copied."""

    def make(folder: Path) -> None:
        done = Scripts(run, folder)("feature", BACKFILL="True")
        assert done.returncode == 0, done.stderr

    return _made_once(tmp_path_factory, "backfilled", make)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, run: Run, backfilled: Path) -> Path:
    """A folder with a store that has the historical passengers and a model; to be copied."""

    def make(folder: Path) -> None:
        shutil.copytree(backfilled, folder, dirs_exist_ok=True)
        done = Scripts(run, folder)("training")
        assert done.returncode == 0, done.stderr

    return _made_once(tmp_path_factory, "trained", make)


@pytest.fixture
def serve(environment: dict[str, str], warm: WarmPython) -> Iterator[Any]:
    """Start `python -m local_hopsworks serve` with these arguments, and wait until it serves;
    returns the process and the environment variables it prints for clients. Those still running at
    the end are stopped."""
    processes = []

    def start(*arguments: str | Path) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = warm.start(
            [sys.executable, "-m", "local_hopsworks", "serve", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        processes.append(process)
        exported = {}
        for line in process.stdout or ():
            if line.startswith("  export "):
                exported.update([line.removeprefix("  export ").strip().split("=", 1)])
            if "Ctrl-C" in line:
                break
        return process, exported

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=60)


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

    look_often()
    yield hopsworks.login(
        host="127.0.0.1", port=server.port, project=server.project, api_key_value=server.api_key
    )
    hopsworks.logout()


@pytest.fixture(scope="session")
def feature_store(project: Any) -> Any:
    return project.get_feature_store()


@pytest.fixture(scope="session")
def api(server: Any) -> Iterator[Any]:
    """The REST interface without the SDK: `api("GET", "/project")`; as strict about certificates as
    a browser."""
    with rest.session(server, server.api_key) as session:

        def ask(method: str, path: str, **options: Any) -> Any:
            address = f"{server.address}/hopsworks-api/api{path}"
            return session.request(method, address, timeout=60, **options)

        assert ask("GET", "/project").ok  # a client is known from its second request on
        yield ask


@pytest.fixture
def name() -> str:
    """A name that no other test uses, for a feature group, view, model or folder."""
    return f"t_{uuid.uuid4().hex[:12]}"
