"""Dataset storage: what the SDK's dataset API does with files and folders."""

import random
import threading
from pathlib import Path

import pytest
from hopsworks.client.exceptions import DatasetException, RestAPIError

MEGABYTE = 2**20

NAMES = [
    "plain.txt",
    "with space.txt",
    "naïve – 日本 🚢.txt",
    "100% + #1 & [x] 'q'?=.txt",
    ".hidden",
    "%2e%2e",
    "ü" * 127,
]


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


def test_action_that_is_not_embedded_is_refused_by_name(storage, folder):
    with pytest.raises(RestAPIError, match="does not do this: the dataset action 'zip'"):
        storage.zip(folder)
