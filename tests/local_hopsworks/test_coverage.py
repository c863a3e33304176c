"""COVERAGE.md says what is so: made anew and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "local_hopsworks" / "COVERAGE.md"


@pytest.fixture(scope="module")
def made_anew(run, reach, tmp_path_factory):
    home = tmp_path_factory.mktemp("coverage")
    command = [
        "-m",
        "local_hopsworks",
        "run",
        "--home",
        home,
        "--",
        sys.executable,
        HERE / "sdk_coverage",
    ]
    return run(sys.executable, *command, env=reach("great_expectations"), timeout=580)


def test_every_public_method_works_or_is_refused_with_a_sentence(made_anew):
    assert made_anew.returncode == 0, made_anew.stderr[-2000:]
    lines = made_anew.stdout.splitlines()
    assert [line for line in lines if "| fails |" in line] == []
    refused = [line.split(" | ") for line in lines if "| refused" in line]
    assert len(refused) > 100 and all(len(cells[2].rstrip(" |")) > 3 for cells in refused)


def test_page_is_up_to_date(made_anew):
    assert made_anew.stdout == PAGE.read_text(), "run `make coverage`"
