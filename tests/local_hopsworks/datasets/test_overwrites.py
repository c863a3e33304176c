"""Overwriting: the SDK removes a file before it uploads the new one. Whatever ends it in between,
the earlier file is not lost; and what was meant to be removed is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from local_hopsworks import Server
from local_hopsworks.datasets import replacements
from tests import ports, processes

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"


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
