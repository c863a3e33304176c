"""Dataset storage: what the SDK's dataset API does with files and folders, and the chunks of its
uploads."""

import contextlib
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from hopsworks.client.exceptions import DatasetException, RestAPIError

from local_hopsworks import Server
from local_hopsworks.datasets import replacements
from tests import ports, processes, rest

MEGABYTE = 2**20
PROGRAMS = Path(__file__).resolve().parent / "programs"
NAMES = [
    "plain.txt",
    "with space.txt",
    "naïve – 日本 🚢.txt",
    "100% + #1 & [x] 'q'?=.txt",
    ".hidden",
    "%2e%2e",
    "ü" * 127,
]


@pytest.fixture(scope="session")
def storage(project):
    return project.get_dataset_api()


@pytest.fixture
def folder(storage, name):
    """A folder of the test's own in dataset storage."""
    return storage.mkdir(f"Resources/{name}")


@pytest.fixture
def put(storage, folder, tmp_path):
    """Upload `content` under a name into the test's folder; returns its path there."""

    def upload(content=b"content", file_name="file.txt", **options):
        (tmp_path / file_name).write_bytes(content)
        return storage.upload(str(tmp_path / file_name), folder, **options)

    return upload


@pytest.fixture
def read(storage, tmp_path):
    """The bytes of a file in dataset storage, as the SDK downloads them."""

    def download(path):
        target = tmp_path / "downloaded"
        storage.download(path, str(target), overwrite=True)
        return target.read_bytes()

    return download


@pytest.fixture
def post_chunk(api, folder):
    """One chunk of an upload the way the SDK sends it, at a moment of the test's choosing."""

    def post(content, number, size, file_name="file.bin", ask=api, **changed):
        form = {
            "flowChunkNumber": number,
            "flowChunkSize": size,
            "flowTotalSize": len(content),
            "flowTotalChunks": math.ceil(len(content) / size),
            "flowFilename": file_name,
            "templateId": -1,
            "flowIdentifier": f"{len(content)}_{file_name}",
            "flowRelativePath": file_name,
            **changed,
        }
        part = content[(number - 1) * size : number * size]
        return ask(
            "POST",
            f"/project/1/dataset/upload/{folder}",
            data=form,
            files={"file": (file_name, part)},
        )

    return post


@pytest.mark.parametrize("file_name", NAMES)
def test_uploaded_file_comes_back_under_any_name(put, read, storage, folder, file_name):
    path = put(b"a passenger", file_name)
    assert read(path) == b"a passenger"
    assert storage.list(folder) == [f"{folder.removeprefix('/Projects/tests')}/{file_name}"]


def test_large_file_comes_back_as_it_was(put, read):
    content = random.Random(1).randbytes(35 * MEGABYTE + 17)
    assert read(put(content, "large.bin")) == content


def test_empty_file_can_be_stored(put, read, storage):
    path = put(b"")
    assert storage.exists(path) and read(path) == b""


def test_folder_is_uploaded_and_downloaded_whole(storage, folder, tmp_path):
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "a.txt").write_text("a")
    (tree / "inner" / "b.txt").write_text("b")
    storage.upload(str(tree), folder)
    assert storage.list(f"{folder}/tree/inner") == [
        f"{folder.removeprefix('/Projects/tests')}/tree/inner/b.txt"
    ]


def test_file_is_not_replaced_unless_asked(put, read):
    path = put(b"first")
    with pytest.raises(DatasetException, match="already exists"):
        put(b"second")
    assert read(path) == b"first"
    assert read(put(b"second", overwrite=True)) == b"second"


def test_top_level_dataset_is_never_replaced(storage, tmp_path):
    (tmp_path / "Resources").write_text("no dataset")
    with pytest.raises(DatasetException, match="top-level dataset"):
        storage.upload(str(tmp_path / "Resources"), "/Projects/tests", overwrite=True)


def test_project_has_its_top_level_datasets(storage):
    assert {"/Resources", "/Models", "/Logs", "/tests_Training_Datasets"} <= set(storage.list("/"))


def test_listing_is_served_in_pages(put, storage, folder):
    for number in range(5):
        put(file_name=f"{number}.txt")
    pages = [storage.list(folder, offset=offset, limit=2) for offset in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [path[-5:] for page in pages for path in page] == [
        f"{number}.txt" for number in range(5)
    ]


def test_relative_and_absolute_paths_mean_the_same(put, storage, folder):
    put(b"x")
    relative = folder.removeprefix("/Projects/tests/")
    for start in (relative, f"/Projects/tests/{relative}", f"/{relative}"):
        assert storage.exists(f"{start}/file.txt")
        assert (
            storage.get(f"{start}/file.txt")["attributes"]["path"]
            == f"/Projects/tests/{relative}/file.txt"
        )


@pytest.fixture
def linked(server, folder, tmp_path):
    """Links in the test's folder: one within the project, others that lead out or nowhere."""
    (tmp_path / "secret.txt").write_text("of the machine")
    stored = server.store.dataset("tests", folder)
    (stored / "file.txt").write_text("of the project")
    targets = {"inner": "file.txt", "out": tmp_path, "dangling": "nothing", "circle": "circle"}
    for name, target in targets.items():
        (stored / name).symlink_to(target)
    return stored


def test_links_that_lead_out_or_nowhere_are_not_listed_and_are_refused(linked, storage, folder):
    inside = folder.removeprefix("/Projects/tests")
    assert storage.list(folder) == [f"{inside}/file.txt", f"{inside}/inner"]
    assert storage.get(f"{folder}/inner")["attributes"]["size"] == len("of the project")
    for name in ("out", "out/secret.txt", "circle", "dangling"):
        assert not storage.exists(f"{folder}/{name}")
        with pytest.raises(RestAPIError, match=r"leads out of the project|There is no") as caught:
            storage.download(f"{folder}/{name}")
        assert caught.value.response.status_code in (400, 404)


def test_copy_of_a_folder_takes_nothing_from_outside_the_project(linked, storage, folder, server):
    storage.copy(folder, f"{folder}_copy")
    copied = server.store.dataset("tests", f"{folder}_copy")
    assert (copied / "out").is_symlink() and (copied / "file.txt").read_text() == "of the project"
    storage.remove(f"{folder}_copy")
    assert (linked / "out" / "secret.txt").read_text() == "of the machine"


def test_folder_is_listed_while_its_files_come_and_go(api, folder, server):
    stored = server.store.dataset("tests", folder) / "file.txt"
    done = threading.Event()

    def come_and_go():
        while not done.is_set():
            stored.touch()
            stored.unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        answers = {
            api("GET", f"/project/1/dataset/{folder}?action=listing").status_code for _ in range(99)
        }
    finally:
        done.set()
        thread.join()
    assert answers == {200}


def test_missing_path_does_not_exist(storage, folder):
    assert not storage.exists(f"{folder}/nothing")
    with pytest.raises(RestAPIError, match="There is no"):
        storage.download(f"{folder}/nothing")


def test_folder_is_not_downloaded_as_a_file(api, folder):
    answer = api("GET", f"/project/1/dataset/download/with_auth/{folder}")
    assert (answer.status_code, answer.json()["errorMsg"][-32:]) == (
        400,
        "is a folder; download its files.",
    )


def test_folders_are_made_one_in_another_and_not_twice(storage, folder):
    with pytest.raises(RestAPIError, match=r"There is no folder 'a' for .*/a/b' to lie in"):
        storage.mkdir(f"{folder}/a/b")
    assert not storage.exists(f"{folder}/a")
    for path in (f"{folder}/a", f"{folder}/a/b"):
        assert storage.exists(storage.mkdir(path))
    with pytest.raises(RestAPIError, match="exists already"):
        storage.mkdir(f"{folder}/a/b")


def test_a_path_with_a_line_break_is_refused_with_a_sentence(put, storage, folder):
    for call in (storage.mkdir, storage.remove, storage.list):
        with pytest.raises(RestAPIError, match="has a line break, which no name may have"):
            call(f"{folder}/a\nb")
    assert not storage.exists(f"{folder}/a\nb")


@pytest.mark.parametrize(("offset", "limit"), [(0, 0), (-1, 0), (0, -1), (-2, -2), (None, None)])
def test_a_page_without_a_limit_above_0_is_the_whole_list(storage, folder, offset, limit):
    """As in Hopsworks' AbstractFacade.setOffsetAndLim."""
    for name in "abc":
        storage.mkdir(f"{folder}/{name}")
    found = storage.list(folder, offset=offset, limit=limit)
    assert [Path(path).name for path in found] == ["a", "b", "c"]


def test_copy_leaves_the_original(put, read, storage, folder):
    storage.copy(put(b"x"), f"{folder}/copy.txt")
    assert read(f"{folder}/copy.txt") == read(f"{folder}/file.txt") == b"x"


def test_folder_is_copied_with_all_in_it(put, read, storage, folder):
    put(b"x")
    storage.copy(folder, f"{folder}_copy")
    assert read(f"{folder}_copy/file.txt") == b"x"


def test_move_takes_the_original_away(put, read, storage, folder):
    storage.move(put(b"x"), f"{folder}/moved.txt")
    assert read(f"{folder}/moved.txt") == b"x" and not storage.exists(f"{folder}/file.txt")


@pytest.mark.parametrize("action", ["copy", "move"])
def test_existing_target_is_replaced_only_when_asked(put, read, storage, folder, action):
    put(b"old", "target.txt")
    source = put(b"new", "source.txt")
    with pytest.raises(DatasetException, match="already exists"):
        getattr(storage, action)(source, f"{folder}/target.txt")
    getattr(storage, action)(source, f"{folder}/target.txt", overwrite=True)
    assert read(f"{folder}/target.txt") == b"new"


@pytest.mark.parametrize("action", ["copy", "move"])
def test_folder_cannot_be_put_into_itself(storage, folder, action):
    with pytest.raises(RestAPIError, match="cannot be put into itself"):
        getattr(storage, action)(folder, f"{folder}/inner")
    assert storage.list(folder) == []


def test_removed_file_and_folder_are_gone(put, storage, folder):
    storage.remove(put())
    assert storage.list(folder) == []
    storage.remove(folder)
    assert not storage.exists(folder)


@pytest.mark.parametrize("path", ["", "/", "/Projects/tests", "."])
def test_the_whole_project_cannot_be_removed(api, path):
    assert api("DELETE", f"/project/1/dataset/{path}").status_code in (400, 501)
    assert api("GET", "/project/1/dataset/Resources").ok


def test_chunks_may_arrive_in_any_order(post_chunk, read, folder):
    content = random.Random(2).randbytes(10_500)
    for number in random.Random(3).sample(range(1, 12), 11):
        assert post_chunk(content, number, 1000).status_code == 204
    assert read(f"{folder}/file.bin") == content


def test_chunks_may_arrive_at_once(post_chunk, read, folder):
    content = random.Random(4).randbytes(8 * MEGABYTE)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda number: post_chunk(content, number, MEGABYTE), range(8, 0, -1))
        )
    assert {answer.status_code for answer in answers} == {204}
    assert read(f"{folder}/file.bin") == content


def test_file_appears_only_when_its_last_chunk_is_there(post_chunk, storage, folder):
    content = b"abcdef"
    post_chunk(content, 1, 2)
    post_chunk(content, 3, 2)
    assert storage.list(folder) == []
    post_chunk(content, 2, 2)
    assert len(storage.list(folder)) == 1


def test_upload_that_broke_off_does_not_spoil_the_next(post_chunk, read, folder):
    for number in (1, 2):
        post_chunk(b"aaaaaaaa", number, 2)  # of four, and no more comes
    for number in (1, 2, 3, 4):
        post_chunk(b"bbbbbbbb", number, 2)
    assert read(f"{folder}/file.bin") == b"bbbbbbbb"


def test_upload_that_failed_does_not_spoil_the_next(post_chunk, read, folder, server):
    uploads = server.store.home / "servers" / server.store.id
    post_chunk(b"aaaaaa", 1, 2)
    for draft in uploads.glob("?" * 32):
        draft.unlink()  # as if the disk had lost it
    assert post_chunk(b"aaaaaa", 2, 2).status_code == 500
    for number in (3, 1, 2):
        assert post_chunk(b"bbbbbb", number, 2).status_code == 204
    assert read(f"{folder}/file.bin") == b"bbbbbb"


def test_file_uploaded_twice_at_once_is_one_of_the_two(post_chunk, read, folder):
    contents = [bytes([65 + turn]) * 4 * MEGABYTE for turn in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda content: post_chunk(content, 1, len(content)), contents))
    assert {answer.status_code for answer in answers} == {204}
    assert read(f"{folder}/file.bin") in contents


@pytest.fixture
def client(server):
    """One more program that has logged in, as raw REST."""
    with contextlib.ExitStack() as stack:

        def log_in():
            session = stack.enter_context(rest.session(server, server.api_key))
            address = f"{server.address}/hopsworks-api/api"

            def ask(method, path, **options):
                return session.request(method, address + path, timeout=60, **options)

            ask.close, ask.forget = session.close, session.cookies.clear
            assert ask("GET", "/project").ok
            return ask

        yield log_in


def test_two_programs_that_upload_one_file_at_once_in_turns_do_not_mix(
    post_chunk, read, folder, client
):
    first, second = client(), client()
    for number in (1, 2, 3):
        assert post_chunk(b"aaaaaa", number, 2, ask=first).ok
        if number < 3:
            assert post_chunk(b"bbbbbb", number, 2, ask=second).ok
    assert read(f"{folder}/file.bin") == b"aaaaaa"
    assert post_chunk(b"bbbbbb", 3, 2, ask=second).ok
    assert read(f"{folder}/file.bin") == b"bbbbbb"


def begin_overwriting(ask, file):
    """The first calls of the SDK's upload(overwrite=True): look twice, ask, remove."""
    for path in (file, file, "/variables/upload_policy"):
        assert ask("GET", path).ok
    assert ask("DELETE", file).status_code == 204


def test_removed_file_is_gone_whatever_the_client_asked_before(post_chunk, folder, client, api):
    file = f"/project/1/dataset/{folder}/file.bin"
    ask = client()
    for looks in (1, 2):
        post_chunk(b"old", 1, 3, ask=ask)
        for path in (*[file] * looks, "/variables/upload_policy"):
            assert ask("GET", path).ok
        assert ask("DELETE", file).status_code == 204
        assert [each("GET", file).status_code for each in (ask, api)] == [404, 404]
        assert api("GET", f"/project/1/dataset/{folder}?action=listing").json()["count"] == 0


def test_file_removed_before_its_overwrite_is_no_more_once_the_new_one_is_whole(
    post_chunk, read, folder, client, server, api
):
    file = f"/project/1/dataset/{folder}/file.bin"
    post_chunk(b"old", 1, 3)
    ask = client()
    begin_overwriting(ask, file)
    for number in (1, 2):
        assert post_chunk(b"newer", number, 3, ask=ask).ok
    assert read(f"{folder}/file.bin") == b"newer"
    assert api("DELETE", file).ok
    ask.close()
    client()
    assert api("GET", file).status_code == 404


def timers():
    return {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}


def test_removal_that_no_upload_follows_stays_when_the_program_ends(
    post_chunk, folder, client, api, monkeypatch
):
    monkeypatch.setattr(replacements, "WAIT_SECONDS", 0)
    file = f"/project/1/dataset/{folder}/file.bin"
    post_chunk(b"old", 1, 3)
    ask = client()
    earlier = timers()
    begin_overwriting(ask, file)
    processes.wait(lambda: timers() <= earlier)  # a timer may set the next one
    ask.close()
    client()
    assert api("GET", file).status_code == 404


def lose_first_chunk(server):
    """As if the disk had lost the first chunk of b"newer"."""
    for draft in (server.store.home / "servers" / server.store.id).glob("?" * 32):
        if draft.read_bytes() == b"new":
            draft.unlink()


def test_upload_that_fails_gives_back_the_file_it_was_to_replace(
    post_chunk, read, folder, client, server
):
    file = f"/project/1/dataset/{folder}/file.bin"
    post_chunk(b"old", 1, 3)
    ask = client()
    begin_overwriting(ask, file)
    assert post_chunk(b"newer", 1, 3, ask=ask).ok
    lose_first_chunk(server)
    assert post_chunk(b"newer", 2, 3, ask=ask).status_code == 500
    assert read(f"{folder}/file.bin") == b"old"


def test_removal_after_an_overwrite_of_a_folder_stays_when_the_program_ends(
    post_chunk, read, folder, server, run, tmp_path, client, api
):
    post_chunk(b"old", 1, 3)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.txt").write_text("a")
    program = PROGRAMS / "removes_after_a_folder.py"
    ended = run(sys.executable, program, tmp_path / "inner", folder, env=server.environment)
    assert ended.returncode == 0, ended.stderr
    client()
    assert api("GET", f"/project/1/dataset/{folder}/file.bin").status_code == 404
    assert read(f"{folder}/inner/a.txt") == b"a"


@pytest.fixture
def soon(monkeypatch):
    """Two seconds after a removal it was meant as one; on a busy machine, a program needs that."""
    monkeypatch.setattr(replacements, "WAIT_SECONDS", 2)


def test_overwrite_is_protected_however_slowly_its_first_chunk_comes(
    post_chunk, read, folder, client, server, soon
):
    file = f"/project/1/dataset/{folder}/file.bin"
    post_chunk(b"old", 1, 3)
    ask = client()
    begin_overwriting(ask, file)

    def ask_slowly(method, path, data, files):
        form = requests.Request(method, "https://x", data=data, files=files).prepare()

        def halves():
            yield form.body[:100]
            time.sleep(replacements.WAIT_SECONDS + 0.5)
            yield form.body[100:]

        return ask(
            method, path, data=halves(), headers={"Content-Type": form.headers["Content-Type"]}
        )

    assert post_chunk(b"newer", 1, 3, ask=ask_slowly).ok
    lose_first_chunk(server)
    assert post_chunk(b"newer", 2, 3, ask=ask).status_code == 500
    assert read(f"{folder}/file.bin") == b"old"


def test_program_killed_within_an_overwrite_leaves_the_earlier_file_though_nobody_logs_in(
    post_chunk, folder, server, run, tmp_path, soon
):
    post_chunk(b"old", 1, 3)
    (tmp_path / "file.bin").write_bytes(b"newer")
    program = PROGRAMS / "killed_in_an_overwrite.py"
    run(sys.executable, program, tmp_path / "file.bin", folder, 0, env=server.environment)
    stored = server.store.dataset("tests", f"{folder}/file.bin")
    processes.wait(stored.exists)
    assert stored.read_bytes() == b"old"


@pytest.mark.parametrize("chunks", [0, 1])
def test_program_interrupted_within_an_overwrite_leaves_the_earlier_file(run, tmp_path, chunks):
    home, file = tmp_path / "store", tmp_path / "file.bin"
    with Server(home) as server:
        stored = server.store.dataset("local", "Resources/file.bin")
        stored.write_bytes(b"old")
    file.write_bytes(b"newer")
    program = PROGRAMS / "killed_in_an_overwrite.py"
    env = {"LOCAL_HOPSWORKS_HOME": str(home)}
    ended = run(sys.executable, program, file, "Resources", chunks, "SIGINT", env=env)
    assert "\nKeyboardInterrupt\n" in ended.stderr
    assert stored.read_bytes() == b"old"


def test_program_that_sends_the_calls_of_an_overwrite_and_ends_has_removed_the_file(run, tmp_path):
    home = tmp_path / "store"
    with Server(home) as server:
        stored = server.store.dataset("local", "Resources/file.bin")
        stored.write_bytes(b"old")
    program = PROGRAMS / "removes_as_an_overwrite_does.py"
    ended = run(sys.executable, program, env={"LOCAL_HOPSWORKS_HOME": str(home)})
    assert ended.returncode == 0, ended.stderr
    with Server(home):
        assert not stored.exists()


@pytest.mark.parametrize("chunks", [0, 1])
def test_server_that_stops_within_an_overwrite_leaves_the_earlier_file(tmp_path, chunks):
    with Server(tmp_path / "store") as server:
        stored = server.store.dataset("local", "Resources/file.bin")
        stored.write_bytes(b"old")
        (tmp_path / "file.bin").write_bytes(b"newer")
        program = PROGRAMS / "killed_in_an_overwrite.py"
        command = [
            sys.executable,
            program,
            tmp_path / "file.bin",
            "Resources",
            str(chunks),
            "SIGSTOP",
        ]
        env = {**os.environ, **server.environment}
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as other:
            processes.wait(lambda: not stored.exists())
            server.stop()
            other.kill()
    assert stored.read_bytes() == b"old"


def test_upload_goes_on_though_its_connection_was_lost_and_another_program_logs_in(
    post_chunk, read, folder, client
):
    ask = client()
    assert post_chunk(b"abcdef", 1, 2, ask=ask).ok
    ask.close()
    client()
    for number in (2, 3):
        assert post_chunk(b"abcdef", number, 2, ask=ask).ok
    assert read(f"{folder}/file.bin") == b"abcdef"


def test_upload_whose_first_chunks_went_to_a_server_that_has_ended_is_refused(tmp_path):
    form = {
        "flowChunkSize": 2,
        "flowTotalSize": 6,
        "flowTotalChunks": 3,
        "flowFilename": "file.bin",
        "flowIdentifier": "6_file.bin",
    }
    with requests.Session() as session:
        session.trust_env = False

        def ask(server, method, path, **options):
            session.headers["Authorization"] = f"ApiKey {server.api_key}"
            session.verify = str(server.store.security / "ca.pem")
            address = f"{server.address}/hopsworks-api/api/project"
            return session.request(method, address + path, timeout=60, **options)

        def post(server, number):
            data = {**form, "flowChunkNumber": number}
            path = "/1/dataset/upload/Resources"
            return ask(server, "POST", path, data=data, files={"file": ("file.bin", b"ab")})

        port = ports.steady()
        with Server(tmp_path / "store", port=port) as server:
            assert ask(server, "GET", "").ok
            assert post(server, 1).ok
        with Server(tmp_path / "store", port=port) as server:
            answer = post(server, 2)
            assert answer.status_code == 404 and "begin it again" in answer.json()["errorMsg"]
            assert ask(server, "GET", "/1/dataset/Resources/file.bin").status_code == 404
            assert all(post(server, number).ok for number in (1, 2, 3))
            assert (server.store.project("local") / "Resources" / "file.bin").stat().st_size == 6


def test_upload_may_be_the_first_that_a_client_asks_for(post_chunk, read, folder, client):
    ask = client()
    ask.forget()
    for number in (1, 2, 3):
        assert post_chunk(b"abcdef", number, 2, ask=ask).ok
    assert read(f"{folder}/file.bin") == b"abcdef"


def test_what_a_thread_removes_while_another_overwrites_is_gone(
    storage, folder, put, tmp_path, client, api
):
    put(b"first", "overwritten.txt")
    done = threading.Event()

    def overwrite():
        while not done.is_set():
            storage.upload(str(tmp_path / "overwritten.txt"), folder, overwrite=True)

    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        for number in range(30):
            removed = put(b"x", f"{number}.txt")
            assert storage.exists(removed) and storage.get(removed)
            storage.remove(removed)
            assert not storage.exists(removed)
    finally:
        done.set()
        thread.join()
    names = [path.rpartition("/")[2] for path in storage.list(folder)]
    assert names == ["overwritten.txt"]


@pytest.mark.parametrize("chunks", [0, 1])
def test_program_killed_within_an_overwrite_leaves_the_earlier_file(
    post_chunk, read, folder, client, server, run, tmp_path, chunks
):
    post_chunk(b"old", 1, 3)
    (tmp_path / "file.bin").write_bytes(b"newer")
    program = PROGRAMS / "killed_in_an_overwrite.py"
    ended = run(
        *(sys.executable, program, tmp_path / "file.bin", folder, chunks), env=server.environment
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    client()  # the next program that logs in
    # The server may hear of the end of the killed program a moment after that
    processes.wait(server.store.dataset("tests", f"{folder}/file.bin").exists)
    assert read(f"{folder}/file.bin") == b"old"


def test_folder_that_takes_the_place_of_a_file_is_uploaded(put, storage, folder, tmp_path):
    put(b"a file", "either")
    (tmp_path / "either").unlink()
    (tmp_path / "either").mkdir()
    (tmp_path / "either" / "inside.txt").write_text("a folder")
    storage.upload(str(tmp_path / "either"), folder, overwrite=True)
    assert storage.list(f"{folder}/either") == [
        f"{folder.removeprefix('/Projects/tests')}/either/inside.txt"
    ]


def test_same_name_in_two_folders_is_two_uploads(post_chunk, api, read, folder, storage):
    storage.mkdir(f"{folder}/other")
    form = {
        "flowChunkNumber": 1,
        "flowChunkSize": 2,
        "flowTotalSize": 4,
        "flowTotalChunks": 2,
        "flowFilename": "file.bin",
        "flowIdentifier": "4_file.bin",
    }
    post_chunk(b"aabb", 1, 2)
    for number, part in (1, b"xx"), (2, b"yy"):
        form["flowChunkNumber"] = number
        api(
            "POST",
            f"/project/1/dataset/upload/{folder}/other",
            data=form,
            files={"file": ("file.bin", part)},
        )
    post_chunk(b"aabb", 2, 2)
    assert (read(f"{folder}/file.bin"), read(f"{folder}/other/file.bin")) == (b"aabb", b"xxyy")


def test_reader_sees_the_old_file_or_the_new_one_whole(post_chunk, api, folder):
    path, size = f"/project/1/dataset/download/with_auth/{folder}/file.bin", 200_000
    contents = [bytes([65 + turn]) * size for turn in range(8)]
    post_chunk(contents[0], 1, size)
    seen, done = set(), threading.Event()

    def reader():
        while not done.is_set():
            seen.add(api("GET", path).content)

    thread = threading.Thread(target=reader)
    thread.start()
    for content in contents:
        post_chunk(content, 1, size)
    done.set()
    thread.join()
    assert seen <= set(contents)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flowChunkNumber": 0},
        {"flowChunkNumber": 9},
        {"flowChunkNumber": "one"},
        {"flowChunkSize": 10**12},
        {"flowTotalChunks": -1},
        {"flowTotalSize": "NaN"},
        {"flowFilename": ""},
        {"flowFilename": None},
    ],
)
def test_chunk_that_makes_no_sense_is_refused(post_chunk, storage, folder, wrong):
    answer = post_chunk(b"abcd", 1, 2, **wrong)
    assert answer.status_code == 400 and answer.json()["errorMsg"]
    assert storage.list(folder) == []


def test_upload_without_a_file_is_refused(api, folder):
    assert (
        api("POST", f"/project/1/dataset/upload/{folder}", data={"flowFilename": "x"}).status_code
        == 400
    )
    assert (
        api("POST", f"/project/1/dataset/upload/{folder}", files={"other": b"x"}).status_code == 400
    )


def test_nothing_is_uploaded_over_a_folder_or_below_a_file(post_chunk, api, put, storage, folder):
    storage.mkdir(f"{folder}/file.bin")
    assert post_chunk(b"x", 1, 1).json()["errorMsg"] == (
        "'file.bin' is a folder there, so no file of that name can be uploaded."
    )
    form = {
        "flowChunkNumber": 1,
        "flowChunkSize": 1,
        "flowTotalSize": 1,
        "flowTotalChunks": 1,
        "flowFilename": "y",
    }
    answer = api(
        "POST", f"/project/1/dataset/upload/{put()}", data=form, files={"file": ("y", b"y")}
    )
    assert answer.status_code == 400 and "is a file" in answer.json()["errorMsg"]


def test_action_that_is_not_embedded_is_refused_by_name(storage, folder):
    with pytest.raises(RestAPIError, match="does not do this: the dataset action 'zip'"):
        storage.zip(folder)
