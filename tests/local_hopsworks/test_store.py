"""The store as a whole: who made it, who may use it, in what state it can be used, and several
servers over one."""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_hopsworks import Server
from local_hopsworks.home import StoreError
from tests.processes import at_once
from tests.rest import call

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture
def home(tmp_path):
    """A store that has been used once."""
    with Server(tmp_path / "store"):
        pass
    return tmp_path / "store"


# --------------------------------------------------------------------------------------- stores
# that cannot be used


def test_store_of_a_newer_format_is_refused_and_left_alone(home):
    (home / "format").write_text("3\n")
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    with pytest.raises(
        StoreError, match="has format '3'; this version of local_hopsworks reads format 2"
    ):
        Server(home)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_store_below_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StoreError, match=r"^The store .*/file/store cannot be written: Not a directory\.$"
    ):
        Server(tmp_path / "file" / "store")


@pytest.fixture
def stranger(run):
    """Open a store as a user whom its permissions stop."""
    return lambda folder: run(sys.executable, PROGRAMS / "as_stranger.py", "open", folder)


@pytest.fixture
def public():
    """A folder that every user can reach, which those below pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=True)
    shutil.rmtree(folder)


def test_folder_that_cannot_be_written_is_one_sentence(stranger, public):
    public.chmod(0o555)
    result = stranger(public / "store")
    assert (
        f"StoreError: The store {public / 'store'} cannot be written: Permission denied."
        in result.stderr
    )


@pytest.mark.parametrize("locked", [".", "format", "metadata.db", "security", "security/api_key"])
def test_store_of_another_user_is_one_sentence(stranger, public, locked):
    with Server(public / "store"):
        pass
    for path in [public / "store", *(public / "store").rglob("*")]:
        path.chmod(0o777)
    (public / "store" / locked).chmod(0)
    result = stranger(public / "store")
    assert result.returncode == 1, result.stdout
    assert result.stderr.splitlines()[-1].startswith("local_hopsworks.home.StoreError: The "), (
        result.stderr
    )


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough to be looked at" * 100]
)
def test_damaged_metadata_is_one_sentence(home, content):
    for leftover in home.glob("metadata.db-*"):
        leftover.unlink()
    (home / "metadata.db").write_bytes(content)
    if content:
        with pytest.raises(
            StoreError,
            match=r"The metadata in .*metadata\.db cannot be used: file is not a database\.$",
        ):
            Server(home)
    else:  # an empty file is an empty database, as SQLite sees it
        with Server(home) as server:
            assert call(server, "GET", "/project").ok


def test_missing_key_is_one_sentence(home):
    (home / "security" / "client.key").unlink()
    with pytest.raises(
        StoreError, match=r"lacks client\.key; delete that folder and new keys are made\.$"
    ):
        Server(home)


def test_new_keys_are_made_where_the_folder_was_deleted(home):
    with Server(home) as server:
        old = server.api_key
    shutil.rmtree(home / "security")
    with Server(home) as server:
        assert server.api_key != old


@pytest.mark.parametrize("project", ["", "../up", "a/b", "x" * 65, "ümlaut", "_x"])
def test_impossible_project_is_one_sentence(tmp_path, project):
    with pytest.raises(
        StoreError, match="A project's name is 1 to 64 letters, digits or underscores"
    ):
        Server(tmp_path / "store", project=project)


def test_port_in_use_is_one_sentence(home):
    with (
        Server(home) as server,
        pytest.raises(StoreError, match=f"Port {server.port} of 127.0.0.1 cannot be used"),
    ):
        Server(home, port=server.port)


# --------------------------------------------------------------------------------------------------
# what is kept


def test_keys_can_be_read_by_their_owner_only(home):
    keys = sorted((home / "security").iterdir())
    assert {oct(path.stat().st_mode & 0o777) for path in keys} == {"0o600"}
    assert (
        oct((home / "security").stat().st_mode & 0o777)
        == oct(home.stat().st_mode & 0o777)
        == "0o700"
    )


def test_server_started_again_is_the_same_to_its_clients(home):
    with Server(home) as first:
        certificate, key, page = (
            (home / "security" / "server.pem").read_bytes(),
            first.api_key,
            first.page,
        )
    with Server(home) as second:
        assert (home / "security" / "server.pem").read_bytes() == certificate
        # The port too: links printed yesterday open today
        assert (second.api_key, second.page) == (key, page)


def test_two_stores_share_no_key(tmp_path):
    with Server(tmp_path / "a") as a, Server(tmp_path / "b") as b:
        assert a.api_key != b.api_key
        for key in a.store.security.iterdir():
            assert key.read_bytes() != (b.store.security / key.name).read_bytes()


def test_opening_a_store_makes_no_stray_files(tmp_path):
    with Server(tmp_path / "store"):
        pass
    assert {path.name for path in (tmp_path / "store").iterdir()} <= {
        "format",
        "port",
        "metadata.db",
        "metadata.db-wal",
        "metadata.db-shm",
        "security",
        "projects",
        "featurestore",
        "servers",
    }


# ----------------------------------------------------------------------------------------------
# several over one store


def test_eight_programs_that_make_one_store_at_once_agree(environment, tmp_path, warm):
    program, store = PROGRAMS / "makes_store_when_told.py", tmp_path / "store"
    results = at_once(
        [[sys.executable, program, store, f"p{number}"] for number in range(8)],
        environment,
        start=warm.start,
    )
    assert [result.returncode for result in results] == [0] * 8, [
        result.stderr[-500:] for result in results
    ]
    assert len({result.stdout for result in results}) == 1
    with Server(tmp_path / "store", project="p0") as server:
        names = {entry["project"]["name"] for entry in call(server, "GET", "/project").json()}
    assert names == {f"p{number}" for number in range(8)}
    assert not [path for path in (tmp_path / "store").iterdir() if path.name.startswith(".")]


def test_server_whose_folder_is_swept_while_it_is_made_makes_it_again(home, monkeypatch):
    """Without a lock in it yet, it looks as if its server had been killed."""
    with Server(home) as other:
        make, made = Path.chmod, []

        def sweep_first(path, mode, **options):
            if path.parent.name == "servers" and not made:
                made.append(path)
                other.store.sweep(path)
            make(path, mode, **options)

        monkeypatch.setattr(Path, "chmod", sweep_first)
        with Server(home) as server:
            assert made == [server.store.server]
            assert server.store.is_alive(server.store.id)


@pytest.fixture
def two(home):
    with Server(home) as first, Server(home) as second:
        yield first, second


def group(name, version=None):
    features = [{"name": "id", "type": "bigint", "primary": True}]
    return {"type": "cachedFeaturegroupDTO", "name": name, "version": version, "features": features}


def test_what_one_server_was_told_the_other_knows(two):
    first, second = two
    assert first.port != second.port
    path = "/project/1/featurestores/1/featuregroups"
    created = call(first, "POST", path, json=group("shared")).json()
    (found,) = call(second, "GET", f"{path}/shared").json()
    assert (found["id"], found["location"]) == (created["id"], created["location"])
    call(second, "DELETE", f"{path}/{found['id']}")
    assert call(first, "GET", f"{path}/shared").status_code == 404


def test_versions_given_out_by_two_servers_at_once_are_all_different(two):
    path = "/project/1/featurestores/1/featuregroups"
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda turn: call(two[turn % 2], "POST", path, json=group("counted")), range(16)
            )
        )
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 17))


def test_deleted_id_is_never_given_out_again(two):
    path = "/project/1/featurestores/1/featuregroups"
    ids = []
    for server in (*two, *two):
        ids.append(call(server, "POST", path, json=group("again")).json()["id"])
        assert call(server, "DELETE", f"{path}/{ids[-1]}").status_code == 204
    assert len(set(ids)) == 4


# --------------------------------------------------------------------------------------------------
# modes


def open_to_others(home):
    """The files and folders that another user reaches: those open to others in open folders."""

    def reached(path):
        if path.stat().st_mode & 0o077:
            yield path
            if path.is_dir():
                for entry in path.iterdir():
                    yield from reached(entry)

    return list(reached(home))


@pytest.mark.parametrize("umask", ["000", "022", "277"])
def test_no_other_user_reaches_anything_under_any_umask_in_any_folder(umask, run, tmp_path):
    home, work = tmp_path / "store", tmp_path / "work"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    work.mkdir()
    work.chmod(0o777)
    env = {"LOCAL_HOPSWORKS_HOME": str(home)}
    done = run(sys.executable, PROGRAMS / "stores_under_umask.py", umask, cwd=work, env=env)
    assert done.returncode == 0, done.stderr
    assert open_to_others(home) == []
    own = [home, *home.iterdir(), *(home / "security").iterdir()]
    assert {oct(path.stat().st_mode & 0o777) for path in own} == {"0o600", "0o700"}
    assert run(sys.executable, "-m", "local_hopsworks", "check", env=env).returncode == 0


@pytest.mark.parametrize("entry", ["", "metadata.db", "port", "projects", "servers"])
def test_what_was_opened_to_others_is_named_by_check_and_closed_at_the_next_start(entry, home, run):
    opened = home / entry
    mode = 0o777 if opened.is_dir() else 0o666
    opened.chmod(mode)
    checked = run(sys.executable, "-m", "local_hopsworks", "check", "--home", home)
    assert f"{opened} is open to other users (mode {mode:04o})." in checked.stdout
    assert checked.returncode == 1 and opened.stat().st_mode & 0o777 == mode
    with Server(home):
        assert opened.stat().st_mode & 0o077 == 0
