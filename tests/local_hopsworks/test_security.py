"""Who is let in, and what nobody can reach: keys, certificates, signed tickets, hostile paths,
unknown calls."""

import http.client
import json
import re
import ssl
import time

import pandas as pd
import pyarrow.flight as flight
import pytest
import requests

from local_hopsworks import Server
from local_hopsworks.certificates import QUERY_SERVICE_NAME
from local_hopsworks.errors import INVALID_API_KEY
from local_hopsworks.http.app import create_app
from local_hopsworks.http.calls import API
from local_hopsworks.offline.service import Queries
from tests import rest

# --------------------------------------------------------------------------------------------------
# API key


@pytest.fixture
def stranger(server):
    """A REST client that shows no key of its own accord."""
    with rest.session(server) as session:
        yield session


def every_call(server):
    """Method and address of every route there is, with a 1 for each of its parameters."""
    for route in create_app(server._hopsworks, server._services).routes:
        for method in (route.methods or {"GET"}) - {"HEAD"}:
            yield method, server.address + re.sub(r"{[^}]*}", "1", route.path)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "ApiKey guess"}])
def test_no_route_answers_without_the_key(stranger, server, headers):
    calls = list(every_call(server))
    assert len(calls) > 80
    for method, address in calls:
        answer = stranger.request(method, address, headers=headers, timeout=60)
        assert answer.status_code == 401, (method, address)
        if address.startswith(server.address + API):
            assert (
                answer.json()["errorCode"] == INVALID_API_KEY
                and "API key" in answer.json()["errorMsg"]
            )


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_stranger_is_asked_for_the_key_whatever_the_method(stranger, server, method):
    pages = ["/", "/p", "/p/", "/p/1", "/p/1/files", "/p/files/style", "/nothing"]
    predict = f"{API}/project/1/inference/models/titanic:predict"
    vectors = ["/0.1.0/feature_store", "/0.1.0/batch_feature_store", predict]
    for path in [*pages, *vectors, API, f"{API}/project", f"{API}/nothing"]:
        answer = stranger.request(method, server.address + path, timeout=60)
        assert answer.status_code == 401, path


@pytest.mark.parametrize(
    "header", ["", "ApiKey", "ApiKey ", "ApiKey é", "Bearer {key}", "{key}", "ApiKey {key}x"]
)
def test_key_must_be_exact(stranger, server, header):
    headers = {"Authorization": header.format(key=server.api_key).encode()}
    assert (
        stranger.get(f"{server.address}{API}/project", headers=headers, timeout=60).status_code
        == 401
    )


@pytest.mark.parametrize(
    "path", ["/", "/p", "/project", "/px", API, f"{API}/nothing", "/hopsworks-api", "//p/", "/P/"]
)
def test_stranger_does_not_learn_which_calls_there_are(stranger, server, path):
    # outside the API every address leads to the page that asks for the key
    answer = stranger.get(server.address + path, timeout=60)
    assert answer.status_code == 401


def test_key_of_another_store_opens_nothing(stranger, server, tmp_path):
    with Server(tmp_path) as other:
        headers = {"Authorization": f"ApiKey {other.api_key}"}
        assert (
            stranger.get(f"{server.address}{API}/project", headers=headers, timeout=60).status_code
            == 401
        )


def test_token_of_the_pages_is_no_api_key(stranger, server):
    token = server.page.partition("token=")[2]
    headers = {"Authorization": f"ApiKey {token}"}
    assert (
        stranger.get(f"{server.address}{API}/project", headers=headers, timeout=60).status_code
        == 401
    )


def test_without_tls_nothing_is_answered(server):
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(server.address.replace("https", "http"), timeout=60)


# --------------------------------------------------------------------------------------------------
# calls unknown


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/project/1"),
        ("PATCH", "/project/1/featurestores/1/featuregroups/1"),
    ],
)
def test_unknown_call_is_refused_by_its_name(api, method, path):
    answer = api(method, path)
    assert (answer.status_code, answer.json()["errorCode"]) == (501, 120002)
    sentence = answer.json()["usrMsg"]
    assert (
        sentence.startswith("The embedded Hopsworks does not do this: ")
        and f"{method} {path}" in sentence
    )


def test_unknown_option_is_refused_by_its_name(api):
    answer = api("GET", "/project/1/featurestores/1/featuregroups", params={"storage": "online"})
    assert answer.status_code == 501
    assert (
        "the option 'storage' of GET /project/1/featurestores/1/featuregroups."
        in answer.json()["errorMsg"]
    )


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b"[" * 100_000, b'"text"', b"[]", b"null", b""]
)
def test_body_that_is_no_json_object_is_one_sentence(api, body):
    answer = api("POST", "/project/1/featurestores/1/featuregroups", data=body)
    assert answer.status_code == 400
    assert answer.json()["errorMsg"] in (
        "The body is not JSON.",
        "This call needs a JSON object as its body.",
    )


# --------------------------------------------------------------------------------------------------
# query service


@pytest.fixture(scope="module")
def connect(server):
    """Connect to the query service with a certificate out of a store's keys, or with none."""

    def client(keys):
        identity = {}
        if keys:
            identity = {
                "cert_chain": (keys / "client.pem").read_text(),
                "private_key": (keys / "client.key").read_text(),
            }
        return flight.FlightClient(
            f"grpc+tls://{server._hopsworks.part(Queries).address}",
            override_hostname=QUERY_SERVICE_NAME,
            tls_root_certs=(server.store.security / "ca.pem").read_text(),
            **identity,
        )

    return client


@pytest.fixture(scope="module")
def question(feature_store, api):
    """A query over a stored feature group as the server signed it: payload and signature."""
    group = feature_store.get_or_create_feature_group("security", 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    query = group.select_all().to_dict()
    answer = api(
        "PUT",
        "/project/1/featurestores/query",
        data=json.dumps(query, default=lambda value: value.to_dict()),
    )
    return answer.json()["hqsPayload"], answer.json()["hqsPayloadSignature"]


def read(client, payload, signature):
    headers = [] if signature is None else [(b"hopsworks-signature", signature.encode())]
    options = flight.FlightCallOptions(timeout=60, headers=headers)
    return client.do_get(flight.Ticket(json.dumps({"query": payload})), options).read_all()


def test_own_client_reads_what_was_signed_for_it(connect, server, question):
    with connect(server.store.security) as client:
        assert sorted(read(client, *question)["id"].to_pylist()) == [1, 2]


def test_query_service_refuses_a_client_without_a_certificate(connect, question):
    with connect(None) as client, pytest.raises(flight.FlightUnavailableError):
        read(client, *question)


def test_query_service_refuses_the_certificate_of_another_store(connect, question, tmp_path):
    with Server(tmp_path) as other, connect(other.store.security) as client:
        with pytest.raises(flight.FlightUnavailableError):
            read(client, *question)
        with pytest.raises(flight.FlightUnavailableError):
            list(client.list_actions(flight.FlightCallOptions(timeout=60)))


@pytest.mark.parametrize("signature", [None, "", "0" * 64])
def test_unsigned_question_is_refused(connect, server, question, signature):
    refused = pytest.raises(flight.FlightServerError, match="was not signed by this Hopsworks")
    with connect(server.store.security) as client, refused:
        read(client, question[0], signature)


def test_altered_question_is_refused(connect, server, question):
    payload, signature = question
    with connect(server.store.security) as client:
        for altered in (payload + " ", payload.replace('"project": 1', '"project": 2'), "{}", ""):
            assert altered != payload
            with pytest.raises(flight.FlightServerError, match="was not signed by this Hopsworks"):
                read(client, altered, signature)


def test_question_is_good_for_an_hour_only(connect, server, question):
    content = {**json.loads(question[0]), "expires": int(time.time()) - 1}
    expired = json.dumps(content)
    refused = pytest.raises(flight.FlightServerError, match="over an hour old; ask again")
    with connect(server.store.security) as client, refused:
        read(client, expired, server._security.sign(expired))
    assert 1800 < json.loads(question[0])["expires"] - time.time() <= 3600


def test_question_signed_by_another_store_is_refused(connect, server, question, tmp_path):
    refused = pytest.raises(flight.FlightServerError, match="was not signed by this Hopsworks")
    with Server(tmp_path) as other, connect(server.store.security) as client, refused:
        read(client, question[0], other._security.sign(question[0]))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/Projects/tests/../../metadata.db", "cannot be the name of"),
        ("../../security/api_key", "There is no '../../security/api_key' in dataset storage"),
        ("Resources/\0", r"There is no 'Resources/\x00' in dataset storage"),
        ("..", "There is no '..' in dataset storage"),
    ],
)
def test_query_service_reads_no_file_outside_the_project(connect, server, path, sentence):
    with (
        connect(server.store.security) as client,
        pytest.raises(flight.FlightServerError, match=re.escape(sentence)),
    ):
        client.do_get(
            flight.Ticket(json.dumps({"path": path})), flight.FlightCallOptions(timeout=60)
        ).read_all()


@pytest.mark.parametrize(
    "ticket", [b"", b"{}", b"5", b"[]", b"\xff", b'{"query": 1}', b'{"path": 1}']
)
def test_query_service_outlives_a_ticket_that_makes_no_sense(connect, server, question, ticket):
    with connect(server.store.security) as client:
        with pytest.raises(flight.FlightError):
            client.do_get(flight.Ticket(ticket), flight.FlightCallOptions(timeout=60)).read_all()
        assert len(read(client, *question)) == 2


# --------------------------------------------------------------------------------------------------
# hostile paths

HOSTILE = {
    "parent": "..",
    "parent inside": "Resources/../../../outside/secret.txt",
    "encoded dots": "%2e%2e/%2e%2e/%2e%2e/outside/secret.txt",
    "encoded slash": "Resources%2f..%2f..%2f..%2foutside%2fsecret.txt",
    "absolute parent": "/Projects/tests/../../../outside/secret.txt",
    "other project": "/Projects/tests/../other/Resources",
    "nul": "Resources/a%00b",
    "tabulator": "Resources/a%09b",
    "backslash": "..%5c..%5coutside%5csecret.txt",
    "link to a folder": "Resources/link/secret.txt",
    "link itself": "Resources/link",
    "link to a file": "Resources/linked.txt",
    "long name": "Resources/" + "x" * 256,
    "long path": "Resources/" + "long/" * 2000,
}

REFUSALS = (
    r"^'.*' cannot be the name of a file or folder\.$|leads out of the project tests\.$"
    r"|is longer than the \d+ bytes"
)


@pytest.fixture(scope="module")
def fortress(tmp_path_factory):
    """A server whose store has a neighbour with a secret, and links that lead there."""
    base = tmp_path_factory.mktemp("fortress")
    (base / "outside").mkdir()
    (base / "outside" / "secret.txt").write_text("secret")
    with Server(base / "store", project="tests") as server:
        resources = server.store.dataset("tests", "Resources")
        (resources / "link").symlink_to(base / "outside")
        (resources / "linked.txt").symlink_to(base / "outside" / "secret.txt")
        (resources / "innocent.txt").write_text("innocent")
        yield server


def everything(server):
    """All files and folders of a store and its neighbours, with their contents; not what SQLite
    does for itself."""
    paths = sorted(
        path
        for path in server.store.home.parent.rglob("*")
        if not path.name.startswith("metadata.db")
    )
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def raw(server, method, path, body=None, headers=None):
    """A request whose path goes out exactly as it is written; requests would tidy it up."""
    context = ssl.create_default_context(cafile=server.store.security / "ca.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)
    authorization = {"Authorization": f"ApiKey {server.api_key}"}
    connection.request(
        method, f"{API}/project/1/dataset{path}", body, {**authorization, **(headers or {})}
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def upload(server, folder, name):
    """The only chunk of a file's upload."""
    form = {
        "flowChunkNumber": 1,
        "flowChunkSize": 9,
        "flowTotalSize": 1,
        "flowTotalChunks": 1,
        "flowFilename": name,
    }
    request = requests.Request(
        "POST", "https://x", data=form, files={"file": ("file", b"!")}
    ).prepare()
    return raw(
        server,
        "POST",
        f"/upload/{folder}",
        request.body,
        {"Content-Type": request.headers["Content-Type"]},
    )


CALLS = {
    "stat": lambda server, path: raw(server, "GET", f"/{path}"),
    "list": lambda server, path: raw(server, "GET", f"/{path}?action=listing&offset=0&limit=9"),
    "download": lambda server, path: raw(server, "GET", f"/download/with_auth/{path}"),
    "remove": lambda server, path: raw(server, "DELETE", f"/{path}"),
    "make": lambda server, path: raw(server, "POST", f"/{path}?action=create"),
    "copy from": lambda server, path: raw(
        server, "POST", f"/{path}?action=copy&destination_path=Resources/c"
    ),
    "move from": lambda server, path: raw(
        server, "POST", f"/{path}?action=move&destination_path=Resources/c"
    ),
    "copy to": lambda server, path: raw(
        server, "POST", f"/Resources/innocent.txt?action=copy&destination_path={path}"
    ),
    "move to": lambda server, path: raw(
        server, "POST", f"/Resources/innocent.txt?action=move&destination_path={path}"
    ),
    "upload into": lambda server, path: upload(server, path, "file.txt"),
}


@pytest.mark.parametrize("call", CALLS)
def test_hostile_path_is_refused_with_a_sentence_and_changes_nothing(fortress, call):
    before = everything(fortress)
    for kind, path in HOSTILE.items():
        status, content = CALLS[call](fortress, path)
        assert status == 400, (kind, status, content)
        assert re.search(REFUSALS, json.loads(content)["errorMsg"]), (kind, content)
    assert everything(fortress) == before


@pytest.mark.parametrize(
    "name", ["../up", "..", ".", "", "a/b", "a\\b", "a\0b", "x" * 256, "/etc/passwd"]
)
def test_hostile_name_of_an_uploaded_file_is_refused(fortress, name):
    before = everything(fortress)
    status, content = upload(fortress, "Resources", name)
    assert (
        status == 400
        and "cannot be the name of a file or folder." in json.loads(content)["errorMsg"]
    )
    assert everything(fortress) == before


def test_absolute_path_of_the_machine_means_one_inside_the_project(fortress):
    for path in ("/etc/passwd", "//etc//passwd", "%2fetc%2fpasswd"):
        status, content = raw(fortress, "GET", f"/{path}")
        assert status == 404 and "There is no" in json.loads(content)["errorMsg"]


@pytest.mark.parametrize("name", ["..", "../../outside", "a/b", "a\0b", "x" * 300])
def test_hostile_name_of_a_model_reaches_no_file(fortress, name):
    before = everything(fortress)
    session = rest.session(fortress, fortress.api_key)
    models = f"{fortress.address}{API}/project/1/modelregistries/1/models"
    path = f"{models}/{requests.utils.quote(name, '')}_1"
    for method in ("PUT", "GET", "DELETE"):
        model = {"name": name, "version": 1, "framework": "PYTHON"}
        answer = session.request(method, path, json=model, timeout=60)
        assert answer.status_code in (400, 404, 501) and answer.json()["errorMsg"]
    session.close()
    assert everything(fortress) == before


@pytest.mark.parametrize(
    "path",
    [
        "/account/secretsANYTHING",
        "/account/secrets",
        "/pANYTHING",
        "/p",
        "/p/1",
        "/hopsworks-apiANYTHING",
        "/hopsworks-api/api/users/secretsANYTHING",
        "/p/../hopsworks-api/api/users/secrets",
    ],
)
def test_path_that_only_begins_like_an_open_one_shows_nothing_without_the_key(server, path):
    with rest.session(server) as stranger:
        request = requests.Request("GET", server.address).prepare()
        request.url = server.address + path  # as it is written
        answer = stranger.send(request, timeout=60, allow_redirects=True)
    assert answer.status_code == 401
