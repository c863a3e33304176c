"""One suite, wherever Hopsworks is: in the program itself, served by another process, by one that
is killed and started again before every test, and on an account: UNIVERSAL_API_KEY (and
UNIVERSAL_HOST, UNIVERSAL_PROJECT) name it."""

import os
import sys
from pathlib import Path

import pytest

from tests import ports

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SUITE = Path(__file__).with_name("suite.py")
ACCOUNT = {
    name.replace("UNIVERSAL_", "HOPSWORKS_"): value
    for name, value in os.environ.items()
    if name in ("UNIVERSAL_API_KEY", "UNIVERSAL_HOST", "UNIVERSAL_PROJECT")
}
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "--noconftest",
    "-c",
    os.devnull,
    "--rootdir",
    SUITE.parent,
    "-q",
]


@pytest.mark.parametrize("way", ["embedded", "served", "restarted", *["account"][: len(ACCOUNT)]])
def test_the_workflow_works(run, server, environment, tmp_path, way):
    env = {"LOCAL_HOPSWORKS_HOME": str(tmp_path / "store"), "UNIVERSAL_WAY": way}
    env |= {"UNIVERSAL_PORT": str(ports.steady())}
    env |= {"served": server.environment, "account": ACCOUNT | {"PYTHONPATH": ""}}.get(way, {})
    result = run(*PYTEST, "-p", "no:cacheprovider", SUITE, env=env, timeout=580)
    assert result.returncode == 0, result.stdout[-3000:]
