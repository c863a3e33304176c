"""What tests of dataset storage share: a folder of their own, and the calls of an upload."""

import contextlib
import math

import pytest

from tests import rest


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
