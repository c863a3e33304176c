"""`make deploy` against a local stand-in of the Hub and a real embedded Hopsworks, both over the
wire."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from local_hopsworks import Server
from tests import ports
from tests.deployment.fake_hub import FakeHub, Space

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = {
    "olga/titanic": "huggingface-spaces-titanic",
    "olga/titanic-monitor": "huggingface-spaces-titanic-monitor",
}
TOKEN = "hf_WriteTokenOfOlgaWhoDeploys"
READ_TOKEN = "hf_ReadTokenOfOlgaWhoOnlyLooks"

Deploy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub() -> Iterator[Any]:
    with FakeHub({TOKEN: ("olga", "write"), READ_TOKEN: ("olga", "read")}) as running:
        yield running


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What deployment reads of this repository, free to change, with things lying about that are
    nobody's business."""
    shutil.copytree(REPOSITORY / "tools", tmp_path / "tools")
    for folder in FOLDERS.values():
        shutil.copytree(
            REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
        for stray in ("__pycache__/app.cpython-312.pyc", ".env", "notes.ipynb"):
            (tmp_path / folder / stray).parent.mkdir(exist_ok=True)
            (tmp_path / folder / stray).write_text("private")
    return tmp_path


@pytest.fixture
def deploy(run: Any, hub: Any, server: Any, checkout: Path) -> Deploy:
    """Runs the script as olga with the embedded Hopsworks; what it prints never holds a credential
    or a stack trace."""

    def start(command: tuple[str | Path, ...] = (), **env: str) -> subprocess.CompletedProcess[str]:
        env = {"HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, **server.environment, **env}
        done = run(*(command or (sys.executable, checkout / "tools" / "deploy_spaces.py")), env=env)
        for credential in (
            env["HF_TOKEN"],
            env["HOPSWORKS_API_KEY"],
            TOKEN,
            READ_TOKEN,
            server.api_key,
        ):
            assert not credential.strip() or credential.strip() not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr and "Warning" not in done.stderr
        return done

    return start


def files_of(folder: str) -> list[str]:
    """The files of an app, as git knows them."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."]
    listed = subprocess.run(
        git, cwd=REPOSITORY / folder, capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal is."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_make_deploy_creates_both_spaces(deploy: Deploy, hub: Any, server: Any) -> None:
    environment_is_there = ["-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}"]
    done = deploy(("make", "-C", REPOSITORY, *environment_is_there, "deploy"))
    assert (done.returncode, done.stderr) == (0, "")
    assert set(hub.spaces) == set(FOLDERS)
    for repo_id, folder in FOLDERS.items():
        assert f"{hub.address}/spaces/{repo_id}\n" in done.stdout
        space = hub.spaces[repo_id]
        assert space.sdk == "gradio"
        for name in files_of(folder):
            assert space.files[name] == (REPOSITORY / folder / name).read_bytes()
        assert {name: secret["value"] for name, secret in space.secrets.items()} == {
            "HOPSWORKS_API_KEY": server.api_key
        }
        variables = {name: variable["value"] for name, variable in space.variables.items()}
        variables.pop("REPOSITORY_URL", None)  # where this clone comes from, if from anywhere
        assert variables == {
            "HOPSWORKS_HOST": "127.0.0.1",
            "HOPSWORKS_PORT": str(server.port),
            "HOPSWORKS_PROJECT": "tests",
            "PREDICT_URL": f"{hub.address}/spaces/olga/titanic",
            "MONITOR_URL": f"{hub.address}/spaces/olga/titanic-monitor",
        }


def test_all_of_the_apps_own_files_are_uploaded_and_no_others(deploy: Deploy, hub: Any) -> None:
    assert deploy().returncode == 0
    for repo_id, folder in FOLDERS.items():
        assert sorted(hub.spaces[repo_id].files) == sorted([".gitattributes", *files_of(folder)])


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://github.com/olga/titanic.git", "https://github.com/olga/titanic"),
        ("git@github.com:olga/titanic.git", "https://github.com/olga/titanic"),
        (
            "https://x-access-token:secret@github.com/olga/titanic",
            "https://github.com/olga/titanic",
        ),
        ("/srv/git/titanic", None),
    ],
)
def test_spaces_link_to_the_repository_they_come_from(
    deploy: Deploy, run: Any, hub: Any, checkout: Path, remote: str, url: str | None
) -> None:
    run("git", "init", checkout)
    run("git", "-C", checkout, "remote", "add", "origin", remote)
    assert deploy().returncode == 0
    for space in hub.spaces.values():
        assert space.variables.get("REPOSITORY_URL", {"value": None})["value"] == url


def test_second_deployment_changes_nothing(deploy: Deploy, hub: Any) -> None:
    assert deploy().returncode == 0
    assert len(hub.changes) == 2 * (1 + 3 + 2 + 1 + 1)  # created, variables, links, secret, commit
    hub.changes.clear()
    done = deploy()
    assert (done.returncode, done.stderr) == (0, "")
    assert hub.changes == []
    assert done.stdout.count("nothing to change") == 2


def test_edited_file_makes_one_commit_of_that_file(
    deploy: Deploy, hub: Any, checkout: Path
) -> None:
    deploy()
    hub.changes.clear()
    (checkout / "huggingface-spaces-titanic" / "style.css").write_text("body { color: red }")
    assert deploy().returncode == 0
    assert hub.changes == ["olga/titanic commit style.css"]
    assert hub.spaces["olga/titanic"].files["style.css"] == b"body { color: red }"


def test_file_of_an_earlier_version_of_the_app_is_deleted_and_no_others(
    deploy: Deploy, hub: Any
) -> None:
    deploy()
    hub.changes.clear()
    others = {"notes.md": b"mine", "templates/deep/old.html": b"mine", "data/old.py": b"mine"}
    stored = hub.spaces["olga/titanic"].files
    stored.update({"old.py": b"ours", "templates/old.html": b"ours", **others})
    done = deploy()
    assert hub.changes == ["olga/titanic commit old.py templates/old.html"]
    assert "old.py deleted, templates/old.html deleted" in done.stdout
    assert "old.py" not in stored and others.items() <= stored.items()


def test_changed_settings_are_put_right_and_no_others_touched(deploy: Deploy, hub: Any) -> None:
    """A name that is both secret and variable would keep the Space from starting."""
    deploy()
    space = hub.spaces["olga/titanic"]
    space.secrets["HOPSWORKS_PROJECT"] = {"value": "by hand"}
    space.secrets["MY_OWN"] = {"value": "kept"}
    space.variables["HOPSWORKS_PROJECT"]["value"] = "another"
    space.variables["HOPSWORKS_API_KEY"] = {"value": "for all to read"}
    space.variables["MY_OWN_TOO"] = {"value": "kept"}
    hub.changes.clear()
    assert deploy().returncode == 0
    assert sorted(hub.changes) == [
        "olga/titanic DELETE secrets HOPSWORKS_PROJECT",
        "olga/titanic DELETE variables HOPSWORKS_API_KEY",
        "olga/titanic POST variables HOPSWORKS_PROJECT",
    ]
    assert space.variables["HOPSWORKS_PROJECT"]["value"] == "tests"


def test_another_key_replaces_the_secret(
    deploy: Deploy, hub: Any, server: Any, tmp_path: Path
) -> None:
    deploy()
    description = hub.spaces["olga/titanic"].secrets["HOPSWORKS_API_KEY"]["description"]
    parts = [server.api_key[start : start + 10] for start in range(len(server.api_key) - 9)]
    assert not [part for part in parts if part in description]
    with Server(tmp_path / "store", "tests") as other:
        assert deploy(**other.environment).returncode == 0
    for space in hub.spaces.values():
        assert space.secrets["HOPSWORKS_API_KEY"]["value"] == other.api_key


def test_variable_that_is_not_set_any_more_is_deleted(hub: Any) -> None:
    """Else the Space would go on with the new key at the old address."""
    configure = runpy.run_path(str(REPOSITORY / "tools" / "deploy_spaces.py"))["configure"]
    space = hub.spaces["olga/titanic"] = Space(
        variables={"HOPSWORKS_HOST": {"value": "old.example.org"}}
    )
    configure(HfApi(hub.address, TOKEN), "olga/titanic", "key", {"HOPSWORKS_PROJECT": "tests"})
    assert {name: variable["value"] for name, variable in space.variables.items()} == {
        "HOPSWORKS_PROJECT": "tests"
    }


def test_project_is_found_when_the_key_opens_one(deploy: Deploy, hub: Any) -> None:
    """Set for good, or the app would ask at a keyboard once the account has a second project."""
    assert deploy(HOPSWORKS_PROJECT="").returncode == 0
    assert hub.spaces["olga/titanic"].variables["HOPSWORKS_PROJECT"]["value"] == "tests"


def test_empty_space_made_by_hand_is_filled(deploy: Deploy, hub: Any) -> None:
    hub.spaces["olga/titanic"] = Space(sdk="gradio")
    hub.creation_refused = 402
    assert "paid plan" in deploy().stderr  # of the other one
    assert "app.py" in hub.spaces["olga/titanic"].files


def test_other_app_of_the_same_name_is_not_overwritten(deploy: Deploy, hub: Any) -> None:
    hub.spaces["olga/titanic-monitor"] = Space(files={"app.py": b"print('the film')"})
    assert "olga/titanic-monitor is another app" in refused(deploy())
    assert hub.changes == []


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        (
            {"HF_TOKEN": ""},
            "HF_TOKEN is not set: make one of the type 'Write' at https://huggingface.co/settings/tokens",
        ),
        ({"HOPSWORKS_API_KEY": " "}, "HOPSWORKS_API_KEY is not set: make one"),
        ({"HF_TOKEN": "hf_two\nlines"}, "HF_TOKEN holds a blank, a line break"),
        (
            {"HOPSWORKS_API_KEY": "schlüssel"},
            "HOPSWORKS_API_KEY holds a blank, a line break or a letter",
        ),
        ({"HF_TOKEN": "hf_NobodyHasThisToken"}, "does not know HF_TOKEN (401)"),
        ({"HF_TOKEN": READ_TOKEN}, "HF_TOKEN may only read"),
        ({"HOPSWORKS_API_KEY": "0123456789abcdef.wrong"}, "does not accept HOPSWORKS_API_KEY"),
        ({"HOPSWORKS_PROJECT": "nowhere"}, "(tests): there is no 'nowhere'; set HOPSWORKS_PROJECT"),
        # This machine, but not by its name
        ({"HOPSWORKS_HOST": "0.0.0.0"}, "is not trusted: set REQUESTS_CA_BUNDLE"),
        (
            {"HF_ENDPOINT": "https://huggingface.co", "HOPSWORKS_PORT": "443"},
            "A Space cannot reach 127.0.0.1:443",
        ),
        (
            {
                "HF_ENDPOINT": "https://huggingface.co",
                "HOPSWORKS_HOST": "example.org",
                "HOPSWORKS_PORT": "8443",
            },
            "A Space cannot reach example.org:8443",
        ),
    ],
)
def test_what_cannot_work_gets_a_sentence_before_anything_is_created(
    deploy: Deploy, hub: Any, env: dict[str, str], sentence: str
) -> None:
    assert sentence in refused(deploy(**env))
    assert hub.changes == []


def test_one_of_several_projects_must_be_named(deploy: Deploy, hub: Any, tmp_path: Path) -> None:
    with Server(tmp_path / "store", "first") as first, Server(tmp_path / "store", "second"):
        several = {**first.environment, "HOPSWORKS_PROJECT": ""}
        assert "(first, second): the Spaces need to know which; set HOPSWORKS_PROJECT" in refused(
            deploy(**several)
        )
        assert hub.changes == []


@pytest.mark.parametrize("service", ["HF_ENDPOINT", "HOPSWORKS_PORT"])
def test_unreachable_service_gets_a_sentence(deploy: Deploy, hub: Any, service: str) -> None:
    with ports.refusing() as port:
        address = str(port) if service == "HOPSWORKS_PORT" else f"http://127.0.0.1:{port}"
        sentence = refused(deploy(**{service: address}))
    assert f"127.0.0.1:{port}" in sentence and "check" in sentence
    assert hub.changes == []


def test_wrong_front_matter_gets_a_sentence(deploy: Deploy, hub: Any, checkout: Path) -> None:
    (checkout / "huggingface-spaces-titanic" / "README.md").write_text("# No front matter")
    assert "Invalid metadata in README.md" in refused(deploy())
    assert "olga/titanic-monitor" not in hub.spaces


@pytest.mark.parametrize("status", [402, 403])
def test_refused_creation_says_that_a_space_needs_a_paid_plan(
    deploy: Deploy, hub: Any, status: int
) -> None:
    hub.creation_refused = status
    assert "a new Gradio Space needs a paid plan" in refused(deploy())
    assert hub.changes == []
