"""Each app's folder is all that its Space needs: copied away, installed from its own files, it
starts and answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from local_hopsworks import Server

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ["huggingface-spaces-titanic", "huggingface-spaces-titanic-monitor"]
START_SECONDS = 120  # in a new environment Python compiles every package, beside other tests


def front_matter(readme: Path) -> dict[str, str]:
    """The settings of a Space: `name: value` lines between the first two lines of dashes."""
    _, settings, _ = readme.read_text().split("---\n", 2)
    return {
        name: value.strip(" \"'")
        for name, value in re.findall(r"^(\w+):(.*)$", settings, re.MULTILINE)
    }


def uv(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run uv in this process's own environment: unlike all else in the tests it may ask the package
    index."""
    program = Path(sys.prefix, "bin", "uv")
    command = [str(program if program.exists() else "uv"), *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=280
    )


def interpreter(version: str) -> str:
    """A Python of this version if the machine has one, else the one that runs the tests; nothing is
    downloaded."""
    # pyenv's shims answer for versions that are not chosen, with an error
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(
        f"versions/{version}.*/bin"
    )
    path = [
        folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.endswith("/shims")
    ]
    found = uv(
        "python",
        "find",
        "--no-python-downloads",
        version,
        PATH=os.pathsep.join([*map(str, installed), *path]),
    )
    return found.stdout.strip() if found.returncode == 0 else sys.executable


@pytest.fixture(scope="module", params=FOLDERS)
def space(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of one app's folder outside the repository, and beside it an environment made as
    Hugging Face makes it."""
    folder = tmp_path_factory.mktemp("space") / "app"
    shutil.copytree(
        REPOSITORY / request.param, folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    settings = front_matter(folder / "README.md")
    python = folder.parent / "venv" / "bin" / "python"
    made = uv("venv", "--python", interpreter(settings["python_version"]), folder.parent / "venv")
    assert made.returncode == 0, made.stderr
    # What a Space's build log shows beside requirements.txt: these are installed in the same
    # breath, and so must agree
    added = [
        f"gradio[oauth,mcp]=={settings['sdk_version']}",
        "uvicorn>=0.14.0",
        "websockets>=10.4",
        "spaces",
    ]
    installed = uv("pip", "install", "--python", python, "-r", folder / "requirements.txt", *added)
    assert installed.returncode == 0, installed.stderr
    return folder


def ask(address: str) -> str:
    """What an opening page is told: the app's load event, asked for as Gradio's page in the browser
    does."""
    config = requests.get(f"{address}/config", timeout=60).json()
    values = {
        component["id"]: component["props"].get("value") for component in config["components"]
    }
    load = next(event for event in config["dependencies"] if event["targets"][0][1] == "load")
    data = [values[component] for component in load["inputs"]]
    question = {"fn_index": load["id"], "data": data, "session_hash": "a-visitor"}
    requests.post(f"{address}/gradio_api/queue/join", json=question, timeout=60).raise_for_status()
    return requests.get(f"{address}/gradio_api/queue/data?session_hash=a-visitor", timeout=60).text


def test_app_opens_and_says_what_to_do(
    space: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Of an empty Hopsworks it cannot know what to do without having logged in and looked: its
    packages suffice."""
    log = tmp_path / "log"
    offline, _ = environment["PYTHONPATH"].split(os.pathsep)  # without the repository
    with Server(tmp_path / "store") as server, log.open("w") as output:
        app = subprocess.Popen(
            [str(space.parent / "venv" / "bin" / "python"), "app.py"],
            cwd=space,
            env={**environment, **server.environment, "PYTHONPATH": offline},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline, told = time.monotonic() + START_SECONDS, ""
            while "make run" not in told:
                logged = log.read_text()
                assert app.poll() is None and time.monotonic() < deadline, f"{told}\n{logged}"
                assert "Traceback" not in logged, logged
                if address := re.search(r"app: (http://\S+)/\n", logged):
                    assert requests.get(address[1], timeout=60).status_code == 200
                    told = ask(address[1])
                time.sleep(0.2)
        finally:
            app.terminate()
            app.wait(60)
