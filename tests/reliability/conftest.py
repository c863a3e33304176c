"""What the tests of reliability count: the table that `make test-reliability` ends with."""

from __future__ import annotations

import base64
import json
import sys
import urllib.parse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_hopsworks.http.calls import API
from tests.reliability.siege import Request

KILL_POINTS = Path(__file__).with_name("kill_points.py")
WELL = ("before", "after", "row by row")  # the verdicts of kill_points.py
COUNTED = ("faults_injected", "survived", "inputs_tried", "rows_written", "rows_lost")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add to the totals: `record(faults_injected=1)` before a fault, `record(survived=1)` when all
    was well after it.

    What a test counts must not depend on chance or on the machine, so that totals are comparable.
    """

    def add(**counts: int) -> None:
        if unknown := set(counts) - set(COUNTED):
            raise TypeError(f"{min(unknown)} is not counted, only {', '.join(COUNTED)}")
        # pytest-xdist brings no numpy from its workers
        plain = {name: int(count) for name, count in counts.items()}
        request.node.user_properties.append(("reliability", plain))

    return add


@pytest.fixture(scope="session")
def store_in_use(tmp_path_factory: pytest.TempPathFactory, run: Any) -> SimpleNamespace:
    """A store (`home`) in which everything was used once, the requests that the SDK `sent` for it,
    and all that was logged (`log`)."""
    base = tmp_path_factory.mktemp("used")
    program, home = Path(__file__).with_name("every_request.py"), base / "store"
    # -s, so that it is started cold: a warm program logs as the SDK has it
    command = [sys.executable, "-s", program, base / "sent.json"]
    made = run(*command, env={"LOCAL_HOPSWORKS_HOME": str(home)})
    assert made.returncode == 0, made.stderr[-2000:]
    sent = []
    for entry in json.loads((base / "sent.json").read_text()):
        target = urllib.parse.urlsplit(entry["target"])
        query = tuple(
            (name, value)
            for name, _, value in (pair.partition("=") for pair in target.query.split("&"))
        )
        body = base64.b64decode(entry["body"]) if entry["body"] else None
        options = query if target.query else ()
        sent.append(
            Request(entry["method"], API + target.path, options, body, entry["content_type"])
        )
    return SimpleNamespace(home=home, sent=sent, log=made.stderr)


@pytest.fixture
def kill(run: Any, record: Any, tmp_path: Path) -> Any:
    """Strike operations at their steps; every step must leave the store as it was before the
    operation or after."""

    def strike(who: str, signal: str, *operations: str) -> None:
        done = run(
            sys.executable, KILL_POINTS, tmp_path, who, signal, *operations,
            env={"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}, timeout=1500,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        survived = [result for result in results if result["verdict"] in WELL]
        record(faults_injected=len(results), survived=len(survived))
        lost = [result for result in results if result not in survived]
        assert results and not lost, json.dumps(lost, indent=1)
        assert {result["operation"] for result in results} == {
            name.partition("@")[0] for name in operations
        }

    return strike


def _table(reports: list[Any]) -> str:
    """A row for each file of tests that counts, and one for all of them."""
    rows: dict[str, Counter[str]] = {}
    for report in reports:
        if getattr(report, "when", None) != "call":
            continue
        file = Path(report.nodeid.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")
        for name, found in report.user_properties:
            if name == "reliability":
                rows.setdefault(file, Counter()).update(found)
    total: Counter[str] = Counter()
    for counts in rows.values():
        total.update(counts)
    lines = [["", *(name.replace("_", " ") for name in COUNTED)], ["---"] * (len(COUNTED) + 1)]
    for name, counts in [*sorted(rows.items()), ("all", total)]:
        lines.append([name, *(f"{counts[counted]:,}" for counted in COUNTED)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _reports(config: pytest.Config) -> list[Any]:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return [
        report for outcome in ("passed", "failed") for report in reporter.stats.get(outcome, [])
    ]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the totals."""
    terminalreporter.section("reliability")
    terminalreporter.write_line(_table(_reports(config)))
