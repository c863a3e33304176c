"""The suite with the newest patch of the last three minor versions of the SDK: make
test-sdk-versions.

Not part of `make test`: each version is downloaded into an environment of its own. Prints a table.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local_hopsworks.projects.routes import SPOKEN_VERSION

SUITE = Path(__file__).with_name("suite.py")
MINORS = ["5.2", "5.1", "5.0"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("minor", MINORS)
def test_workflow_works_with_this_sdk(run, server, tmp_path, capsys, minor):
    python = tmp_path / "venv" / "bin" / "python"
    for command in (
        ["venv", "--python", sys.executable, tmp_path / "venv"],
        ["pip", "install", "--python", python, f"hopsworks[python]=={minor}.*", "pytest"],
    ):
        # With this process's own environment: unlike all else in the tests, uv may ask the package
        # index
        subprocess.run([Path(sys.prefix, "bin", "uv"), "--quiet", *command], check=True)
    pytest_options = [
        "--noconftest",
        "-c",
        "/dev/null",
        "--rootdir",
        SUITE.parent,
        "-p",
        "no:cacheprovider",
    ]
    result = run(
        python, "-m", "pytest", *pytest_options, SUITE, env=server.environment, timeout=600
    )
    version = run(python, "-c", "import hopsworks; print(hopsworks.__version__)").stdout.strip()
    told = re.search(r"client version \S+ may not be compatible", result.stdout) is not None
    with capsys.disabled():
        passed = re.search(r"\d+ passed", result.stdout)
        outcome = passed[0] if passed else "fails"
        warned = "warned at login" if told else "same version"
        print(f"\n| {version} | {outcome} | {warned} |")
    assert result.returncode == 0, result.stdout[-3000:]
    assert version.startswith(f"{minor}.") and told == (not SPOKEN_VERSION.startswith(f"{minor}."))
