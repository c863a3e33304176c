"""Files and models through the SDK, beside copying them on the disk and beside bare HTTPS: neither
side waits for the disk. Of a copy, TLS and the SDK's forms are most of the difference, and the
second of the two shows that."""

import http.server
import shutil
import ssl
import threading
from functools import partial

import numpy as np
import pytest
import requests

FILE, MODEL = 300 * 2**20, 100 * 2**20  # bytes


@pytest.fixture
def file(tmp_path):
    def make(size):
        (tmp_path / "made").mkdir()
        path = tmp_path / "made" / f"{size}.bin"
        path.write_bytes(np.random.default_rng(0).bytes(size))
        return path

    return make


@pytest.fixture
def bare_https(server, tmp_path):
    """An address at which files can be put and got, and the certificate to check: Python's own
    server."""

    class Files(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_PUT(self):
            left = int(self.headers["Content-Length"])
            with open(self.translate_path(self.path), "wb") as file:
                while left:
                    left -= file.write(self.rfile.read(min(left, 2**20)))
            self.send_response(204)
            self.end_headers()

    (folder := tmp_path / "https").mkdir()
    certificates = server.store.security
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with (
        http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Files, directory=str(folder))
        ) as listening,
        requests.Session() as session,
    ):
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        session.trust_env, session.verify = False, str(certificates / "ca.pem")
        yield f"https://127.0.0.1:{listening.server_port}", session
        listening.shutdown()


@pytest.mark.timeout(600)
def test_upload_and_download(project, file, bare_https, tmp_path, compare):
    api, made, copied, fetched = (
        project.get_dataset_api(),
        file(FILE),
        tmp_path / "copied",
        str(tmp_path / "fetched"),
    )
    address, session = bare_https

    def put():
        with made.open("rb") as content:
            session.put(f"{address}/file", data=content).raise_for_status()

    def get():
        with session.get(f"{address}/file", stream=True) as answer, copied.open("wb") as target:
            for chunk in answer.iter_content(2**20):
                target.write(chunk)

    def upload():
        api.upload(str(made), "Resources", overwrite=True)

    def download():
        api.download(f"Resources/{made.name}", fetched, overwrite=True)

    for other, sent, got in (
        ("copying", lambda: shutil.copyfile(made, copied), lambda: shutil.copyfile(made, copied)),
        ("bare HTTPS", put, get),
    ):
        compare("upload of 300 MB", upload, sent, name=other, rounds=5)
        compare("download of 300 MB", download, got, name=other, rounds=5)


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:Model schema cannot")
def test_model(project, file, tmp_path, compare, awake):
    """Of a save the SDK sleeps five seconds: a row with them, and one without."""
    registry, made, number = project.get_model_registry(), file(MODEL), iter(range(1000))

    def save():
        registry.python.create_model("bench_files").save(str(made.parent))

    def load():
        registry.get_model("bench_files", 1).download(str(tmp_path / f"loaded{next(number)}"))

    def copy():
        shutil.copytree(made.parent, tmp_path / f"copied{next(number)}")

    compare("save a model of 100 MB (the SDK sleeps 5 s)", save, copy, name="copying", rounds=3)
    awake()
    compare("save a model of 100 MB, without that", save, copy, name="copying", rounds=3)
    compare("download a model of 100 MB", load, copy, name="copying", rounds=3)
