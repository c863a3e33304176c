"""The chunks of an upload: in any order, at once, broken off, of several programs."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

MEGABYTE = 2**20


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
