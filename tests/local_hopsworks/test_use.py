"""Whatever deletes, repairs or migrates a store looks first whether a program uses it."""

import fcntl
import os
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest

import local_hopsworks
from local_hopsworks import Server
from local_hopsworks.__main__ import main
from local_hopsworks.disk import Lock
from local_hopsworks.home import StoreError
from local_hopsworks.store import Store
from local_hopsworks.use import Use

FORMAT_1 = Path(__file__).parents[1] / "reliability" / "stores" / "format_1.zip"
COMMAND = (sys.executable, "-m", "local_hopsworks")


def tree(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


@pytest.fixture
def home(tmp_path):
    with Server(tmp_path / "store"):
        pass
    return tmp_path / "store"


def test_store_that_is_served_is_not_reset(serve, run, home):
    process, _ = serve("--home", home)
    before = tree(home)
    refused = run(*COMMAND, "reset", "--yes", "--home", home)
    assert refused.returncode == 1
    sentence = f"The store {home} is in use by process {process.pid}; stop that program first."
    assert refused.stderr == f"local_hopsworks: {sentence}\n"
    assert tree(home) == before
    process.terminate()
    assert process.wait(60) == 0
    assert run(*COMMAND, "reset", "--yes", "--home", home).returncode == 0
    assert not home.exists()


def test_store_of_a_program_that_has_logged_in_is_not_reset(home, capsys):
    with Server(home):
        assert main(["reset", "--yes", "--home", str(home)]) == 1
        assert f"in use by process {os.getpid()};" in capsys.readouterr().err
    assert main(["reset", "--yes", "--home", str(home)]) == 0


def test_server_that_starts_while_a_store_is_deleted_waits_and_makes_a_new_one(home):
    (home / "aside").mkdir()
    use = Use(home, alone=True)
    opened = threading.Event()

    def start():
        Store(home).close()
        opened.set()

    thread = threading.Thread(target=start)
    thread.start()
    assert not opened.wait(0.3)
    os.rename(home, home.with_name("deleted"))
    use.end()
    thread.join(60)
    assert opened.is_set() and not (home / "aside").exists()


def test_nothing_is_repaired_while_a_server_runs(home, capsys):
    stray = home / "featurestore" / "local" / "gone_1_77"
    stray.mkdir(parents=True)
    command = ["check", "--repair", "--home", str(home)]
    with Server(home):
        assert main(command) == 1
        said = capsys.readouterr().out
        assert (
            f"The store {home} is in use by process {os.getpid()}; stop that program first." in said
        )
        assert "Nothing was repaired." in said and "Repaired:" not in said
        assert stray.exists()
    assert main(command) == 0
    assert not stray.exists() and list(home.glob("aside/*/featurestore/local/gone_1_77"))


def test_store_that_a_server_of_an_earlier_version_uses_is_not_migrated(tmp_path):
    home = tmp_path / "store"
    with zipfile.ZipFile(FORMAT_1) as archive:
        archive.extractall(home)
    before = tree(home)
    [runner] = (home / "runners").iterdir()
    with runner.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="is in use; stop that program first"):
            Server(home)
        assert main(["reset", "--yes", "--home", str(home)]) == 1
        assert tree(home) == before and (home / "format").read_text() == "1\n"
    with Server(home):
        assert (home / "format").read_text() == "2\n" and not (home / "runners").exists()


AS_STRANGER = Path(__file__).with_name("programs") / "as_stranger.py"


def test_store_that_cannot_be_written_is_not_reset_and_stays_whole(run):
    public = Path(tempfile.mkdtemp())  # every user can reach it, but not those below pytest's own
    try:
        with Server(public / "store"):
            pass
        for path in [public, *public.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = tree(public)
        done = run(sys.executable, AS_STRANGER, "reset", public / "store")
        assert done.returncode == 1
        assert done.stderr == (
            f"local_hopsworks: The store {public / 'store'} cannot be deleted: "
            f"{public / 'store'} cannot be "
            "written. Nothing was deleted.\n"
        )
        assert tree(public) == before
    finally:
        for path in [public, *public.rglob("*")]:
            path.chmod(0o700)
        main(["reset", "--yes", "--home", str(public / "store")])
        public.rmdir()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_lock_is_shared_by_many_or_held_alone(tmp_path, kind):
    path = tmp_path / "locked"
    path.mkdir() if kind == "folder" else path.touch()
    with Lock(path, shared=True), Lock(path, shared=True, wait=False):
        with pytest.raises(BlockingIOError):
            Lock(path, wait=False)
    with Lock(path, wait=False) as lock:
        with pytest.raises(BlockingIOError):
            Lock(path, shared=True, wait=False)
        lock.share()
        Lock(path, shared=True, wait=False).close()
        assert lock.is_in_place
        path.rename(tmp_path / "other")
        assert not lock.is_in_place


def test_only_one_module_locks_files():
    package = Path(local_hopsworks.__file__).parent
    modules = [path for path in package.rglob("*.py") if "import fcntl" in path.read_text()]
    assert modules == [package / "disk.py"]
