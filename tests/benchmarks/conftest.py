"""What the benchmarks share: doing one thing in two ways in turns, and the table that `make bench`
ends with."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.figure import FIELD_PICTURE, PICTURE, draw, draw_field

SIZES = [int(float(size)) for size in os.environ.get("BENCH_SIZES", "1e3 1e4 1e5 1e6").split()]
PEERS = Path(__file__).parent / "programs" / "peers.py"
ROWS = pytest.StashKey[list[tuple[Any, ...]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


@pytest.fixture(params=SIZES, ids=lambda size: f"{size:.0e}".replace("e+0", "e"), scope="module")
def size(request: Any) -> int:
    return request.param


@pytest.fixture
def compare(request: Any) -> Callable[..., None]:
    """Do ours and another's in turns; a line of the table has the medians of both in seconds, and
    their ratio."""

    def run(
        work: str,
        ours: Callable[[], Any],
        other: Callable[[], Any],
        rows: int | None = None,
        name: str = "bare",
        rounds: int | None = None,
    ) -> None:
        seconds: dict[Callable[[], Any], list[float]] = {ours: [], other: []}
        for _ in range(rounds or (1 if rows and rows > 1e6 else 3 if rows and rows > 1e5 else 7)):
            for function in (other, ours):
                start = time.perf_counter()
                function()
                seconds[function].append(time.perf_counter() - start)
        row = (
            work,
            rows,
            statistics.median(seconds[ours]),
            name,
            statistics.median(seconds[other]),
        )
        request.config.stash[ROWS].append(row)

    return run


@pytest.fixture
def report(request: Any) -> Callable[..., None]:
    """Add a line to the table: work, number of rows, ours, name of the other, its; last, a unit
    other than seconds."""
    return lambda *line: request.config.stash[ROWS].append(line)


class Peer:
    """Feast and MLflow in an environment of their own, and what peers.py measures of them there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        uv = Path(sys.prefix, "bin", "uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        self.python = folder / "bin" / "python"
        packages = ["feast[duckdb]>=0.60,<1", "mlflow>=3.5,<4", "scikit-learn"]
        install = [uv, "pip", "install", "--quiet", "--python", self.python, *packages]
        subprocess.run(install, check=True)
        # With this process's own environment: both would like to report home, and need not
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "FEAST_USAGE": "False",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def __call__(self, *arguments: object) -> Any:
        """Run peers.py with these arguments and return what it measured."""
        command = [self.python, PEERS, *map(str, arguments)]
        # DuckDB, which Feast reads with, spills into the directory it is started in
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.split("MEASURED")[1])


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    return Peer(tmp_path_factory.mktemp("peers"))


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on Model.save of the SDK does not sleep five seconds before it looks for the
    model."""
    without = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    return lambda: monkeypatch.setattr("hsml.engine.model_engine.time", without)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash[ROWS]
    if not rows:
        return
    write = terminalreporter.write_line
    write(f"\n{'work':66} {'rows':>10} {'embedded':>13} {'other':>13}  ratio")
    for work, number, ours, name, other, *unit in rows:
        size = "" if number is None else f"{number:,}"
        of = (unit or ["s"])[0]
        figures = f"{ours:9.3f} {of:3} {other:9.3f} {of:3} {ours / other:6.2f}"
        write(f"{work:66} {size:>10} {figures}  of {name}")
    write(f"medians, in turns, on {os.cpu_count()} CPUs with a load of {os.getloadavg()[0]:.1f}")
    if draw(rows):
        write(f"drawn in {PICTURE}")
    if draw_field(rows):
        write(f"drawn in {FIELD_PICTURE}")
