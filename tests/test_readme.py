"""The commands of both READMEs, run as a newcomer would: in a fresh copy of the repository with a
fresh home and store."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()
PACKAGE_README = (REPOSITORY / "local_hopsworks" / "README.md").read_text()
# The environment is the one that runs the tests: `make` finds it complete and installs nothing.
ENVIRONMENT = Path(sys.executable).parent.parent


def commands() -> list[str]:
    """Every command of the shell blocks, without its comment."""
    blocks = re.findall(r"```sh\n(.*?)```", README + PACKAGE_README, re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone of the working tree would hold."""
    target = tmp_path_factory.mktemp("clone") / "serverless_ml_titanic"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    return target


@pytest.fixture(scope="module")
def newcomer(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A fresh home, the store where it is by default, `python` that of the environment."""
    fresh = {name: value for name, value in environment.items() if name != "LOCAL_HOPSWORKS_HOME"}
    home = str(tmp_path_factory.mktemp("newcomer"))
    return {**fresh, "HOME": home, "PATH": f"{ENVIRONMENT / 'bin'}:{fresh['PATH']}"}


def make_run(clone: Path, newcomer: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`make run`, which finds its environment complete."""
    command = ["make", "run", f"VENV={ENVIRONMENT}"]
    return subprocess.run(
        command, cwd=clone, env=newcomer, capture_output=True, text=True, timeout=280
    )


@pytest.fixture(scope="module")
def main_job(clone: Path, newcomer: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`make run` in a fresh clone."""
    return make_run(clone, newcomer)


def stored(clone: Path) -> dict[str, int]:
    """How many of each thing lie in the clone's store."""
    from local_hopsworks.offline import history

    store = clone / ".hopsworks"
    tables = sorted((store / "featurestore" / "local").iterdir())
    return {
        **{
            table.name: sum(c["rowsInserted"] for c in history.commits(table.as_uri()))
            for table in tables
        },
        "models": sum(1 for _ in (store / "projects" / "local" / "Models" / "titanic").iterdir()),
    }


def test_every_command_is_one_that_a_test_runs():
    known = re.compile(
        r"make (run|apps|deploy|schedule|clean-hopsworks)|export \w+=\.\.\."
        r"|source \.venv/bin/activate|pip install local-hopsworks"
        r"|(BACKFILL=True )?python titanic_\w+_pipeline\.py"
        r"|python -m local_hopsworks (run -- (python my_pipeline\.py|jupyter lab)|serve --open)"
    )
    assert commands()
    assert [command for command in commands() if not known.fullmatch(command)] == []


def test_every_make_target_exists_and_is_in_the_help():
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", README + PACKAGE_README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    done = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for target in ("run", "demo", "apps", "look", "test"):
        assert re.search(rf"^{target} ", done.stdout, re.MULTILINE), done.stdout


def test_readme_is_short():
    assert len(README.split()) <= 900


def test_numbers_of_what_is_covered_are_those_of_the_coverage_page():
    page = (REPOSITORY / "local_hopsworks" / "COVERAGE.md").read_text()
    methods = re.search(r"In all: (\d+) works, (\d+) refused, (\d+) refused by the SDK", page)
    commands = re.search(r"Of (\d+) commands that read: (\d+) works", page)
    works, refused, by_the_sdk = map(int, methods.groups())
    sentence = (
        f"Of the SDK's {works + refused + by_the_sdk} public methods, {works} work, {refused} are "
        f"refused by name, and {by_the_sdk} the SDK itself refuses; "
        f"of the {commands[1]} commands, {commands[2]} work."
    )
    assert sentence in " ".join(PACKAGE_README.split())


@pytest.mark.long
def test_main_job_says_in_a_few_lines_what_it_did(main_job):
    printed = main_job.stdout
    assert main_job.returncode == 0, printed[-2000:] + main_job.stderr[-2000:]
    lines = printed.splitlines()
    assert len(lines) <= 18, printed
    assert lines[0] == "Stored 891 historical passengers. Next: make train"
    assert "Registered titanic version 1." in printed
    assert "Predicted 200 new passengers." in printed
    assert lines[-1] == "Both outcomes have been predicted. Now: make apps"


@pytest.mark.long
def test_figures_of_the_model_are_those_that_the_main_job_prints(main_job):
    printed = main_job.stdout
    accuracy = re.search(r"unseen passengers: ([\d.]+)% right \(([\d.]+)% to ([\d.]+)%\)", printed)
    test = re.search(r"test passengers: ([\d.]+)% right \(([\d.]+)% to ([\d.]+)%\)", printed)
    slope = re.search(r"calibration slope ([\d.]+)", printed)
    for found in (accuracy, test):
        assert f"| {found[1]} % | {found[2]} to {found[3]} % |" in README
    assert f"| calibration slope (1 is perfect) | {slope[1]} |" in README


@pytest.mark.long
def test_main_job_run_again_stores_nothing_twice(main_job, clone, newcomer):
    before = stored(clone)
    again = make_run(clone, newcomer)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "Predicted 0 new passengers." in again.stdout
    assert stored(clone) == before
    assert before["titanic_1_1"] > 891


@pytest.mark.long
def test_scripts_run_one_by_one_from_any_directory(main_job, clone, newcomer, tmp_path):
    scripts = [command for command in commands() if "titanic_" in command]
    assert len(scripts) == 4
    for command in scripts:
        line = command.replace("titanic_", f"{shlex.quote(str(clone))}/titanic_")
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=newcomer,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-1000:]}{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_any_program_runs_beside_an_embedded_hopsworks(clone, newcomer):
    (clone / "my_pipeline.py").write_text("import hopsworks\nprint('in', hopsworks.login().name)\n")
    command = next(command for command in commands() if "my_pipeline" in command)
    done = subprocess.run(
        shlex.split(command), cwd=clone, env=newcomer, capture_output=True, text=True, timeout=180
    )
    assert "in local" in done.stdout, done.stderr[-1000:]


@pytest.mark.long
def test_serve_says_how_to_reach_it_and_stops_with_ctrl_c(clone, newcomer):
    served = subprocess.Popen(
        ["python", "-m", "local_hopsworks", "serve"],
        cwd=clone,
        env=newcomer,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert served.stdout is not None
    with served.stdout:
        said = ""
        while "Ctrl-C" not in said:
            line = served.stdout.readline()
            assert line, f"it ended after saying {said!r}"
            said += line
        assert "HOPSWORKS_API_KEY=" in said
        served.send_signal(signal.SIGINT)
        assert served.wait(60) == 0


@pytest.mark.long
def test_check_finds_the_store_of_the_main_job_in_order(main_job, clone, newcomer):
    assert "`python -m local_hopsworks check`" in PACKAGE_README
    done = subprocess.run(
        ["python", "-m", "local_hopsworks", "check"],
        cwd=clone,
        env=newcomer,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0 and "is in order." in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_reset_deletes_the_store_after_asking(main_job, clone, newcomer):
    # Last in this file: the others want the store
    command = ["python", "-m", "local_hopsworks", "reset"]
    kept = subprocess.run(
        command, cwd=clone, env=newcomer, input="n\n", capture_output=True, text=True, timeout=180
    )
    assert (kept.returncode, (clone / ".hopsworks" / "format").exists()) == (1, True), kept.stdout
    done = subprocess.run(
        command, cwd=clone, env=newcomer, input="y\n", capture_output=True, text=True, timeout=180
    )
    assert (done.returncode, (clone / ".hopsworks").exists()) == (0, False), done.stdout
