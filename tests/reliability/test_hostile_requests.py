"""Requests that nobody honest sends: to every route, with hostile names and bodies, from real ones made a little wrong.

Whatever comes: an answer in time, a sentence instead of a fault of the server, and nothing outside the project touched.
"""

from __future__ import annotations

import base64
import copy
import json
import logging
import re
import sys
import urllib.parse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_hopsworks.rest import refused
from local_hopsworks.rest.app import create_app
from local_hopsworks.rest.pages import OPEN
from local_hopsworks.rest.routing import API
from tests.reliability.siege import SECRET, Besieged, Request

EVERY_REQUEST = Path(__file__).with_name("every_request.py")
# What the parameters of the routes are called, with values that lead to something stored
STORED = {
    "project": "1", "feature_store": "1", "id": "1", "name": "thing", "version": "1", "training_version": "1",
    "tag": "colour", "suite": "1", "expectation": "1", "report": "1", "execution": "1", "kind": "python",
    "path": "Resources/thing.py", "rest": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def besieged(tmp_path_factory, run):
    base = tmp_path_factory.mktemp("siege")
    made = run(sys.executable, EVERY_REQUEST, base / "sent.json", env={"LOCAL_HOPSWORKS_HOME": str(base / "store")})
    assert made.returncode == 0, made.stderr[-2000:]
    server = Besieged(base)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def requests_(besieged):
    """What the SDK sent, and for each route that it did not ask something that leads to it."""
    sent = []
    for entry in json.loads((besieged.base / "sent.json").read_text()):
        target = urllib.parse.urlsplit(entry["target"])
        query = tuple(tuple(pair.split("=", 1)) for pair in target.query.split("&") if pair)
        body = base64.b64decode(entry["body"]) if entry["body"] else None
        sent.append(Request(entry["method"], API + target.path, query, body, entry["content_type"]))
    for route in create_app(besieged.server._service).routes:
        if route in refused.routes:
            continue
        for method in sorted(route.methods - {"HEAD"}):
            if not any(
                method == request.method and route.path_regex.fullmatch(urllib.parse.unquote(request.path))
                for request in sent
            ):
                path = re.sub(r"{(\w+)(:path)?}", lambda found: STORED.get(found[1], "thing"), route.path)
                sent.append(Request(method, path).with_document({}))
    return sent


# ------------------------------------------------------------------------------------------------------ hostile values

NAMES = [
    "..", ".", "", "../..", "../../outside/secret.txt", "%2e%2e", "%252e%252e", "..%2f..%2foutside%2fsecret.txt",
    "%2e%2e%2f%2e%2e%2foutside%2fsecret.txt", "%252e%252e%252foutside", "..%5c..%5coutside%5csecret.txt", "..;",
    "%00", "a%00b", "%2500", "%2fetc%2fpasswd", "%2f%2fetc%2fpasswd", "/etc/passwd", "file:%2f%2f%2fetc%2fpasswd",
    "link", "link/secret.txt", "linked.txt", "Resources/link/secret.txt", "Resources%2flinked.txt",
    "%ef%bc%8e%ef%bc%8e", "%e2%80%a4%e2%80%a4", "..%ef%bc%8foutside", "..%e2%88%95outside", "%e2%80%ae", "%ff",
    "%ed%a0%80", "%c0%ae%c0%ae", "CON", "NUL", "aux.txt", "~", "~root", "-rf", "--", "$(id)", "%60id%60", "|id",
    "{0}", "%25s", "%27", "%22;--", "1%27%20OR%20%271%27=%271", "x" * 256, "x" * 5000, "0", "-1", "1e999", "%d9%a1",
    "%c2%b2", "9" * 18, "9" * 30, "None", "True", "null", "*", "metadata.db", "security/api_key",
    "Projects/local/../../security", "%0d%0aX: y", "%09", "thing_1", "thing_%c2%b2", "1_1", "_", "share", "tags",
    "version", "upload", "download", "api_key", "local", "tests",
]  # fmt: skip
quoted = st.text(max_size=30).map(lambda text: urllib.parse.quote(text.encode("utf-8", "replace"), safe=""))
names = st.one_of(
    st.sampled_from(NAMES),
    quoted,
    quoted.map(lambda text: urllib.parse.quote(text, safe="")),
    st.binary(max_size=12).map(lambda content: urllib.parse.quote_from_bytes(content, safe="")),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=20),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**40, 1e308, "", "..", "../../outside", "\0", "\ud800", "é" * 300,
                     "x" * 100_000, "1; DROP TABLE projects", "file:///etc/passwd", "<script>", "NaN", "None"]),
)  # fmt: skip
values = st.one_of(
    scalars,
    st.sampled_from([[], {}, [[]], [None], {"": None}, [{}], [1], ["x"], {"id": 1}, {"name": "thing"}]),
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


def places(document: Any) -> list[tuple[Any, ...]]:
    """The way to every value in a JSON document, from its root."""
    children = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [(), *((key, *place) for key, child in children for place in places(child))]


def at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


@st.composite
def spoilt(draw: st.DrawFn, document: Any) -> Any:
    """A JSON document with one to three things in it replaced, removed, doubled, buried, or put where another was."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        known = places(document)
        place = draw(st.sampled_from(known))
        action = draw(st.sampled_from(["replace", "replace", "replace", "move", "remove", "double", "bury"]))
        value = copy.deepcopy(at(document, draw(st.sampled_from(known))) if action == "move" else draw(values))
        if action == "bury":
            value = nested(at(document, place), draw(st.integers(2, 500)))
        if not place:
            return value
        holder, key = at(document, place[:-1]), place[-1]
        if action == "remove":
            del holder[key]
        elif action == "double" and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif action == "double":
            holder[f"{key}2"] = holder[key]
        else:
            holder[key] = value
        if action == "bury":
            break
    return document


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@st.composite
def attacked(draw: st.DrawFn, request: Request) -> Request:
    """A request with hostile names in its path or its options, or with a spoilt body."""
    kinds = ["path"] + ["options"] * bool(request.query) + ["body"] * 2 * (request.document is not None)
    kind = draw(st.sampled_from(kinds))
    if kind == "path":
        start = API if request.path.startswith(API) else ""
        parts = request.path.removeprefix(start).split("/")[1:]
        position = draw(st.integers(0, len(parts) - 1) if draw(st.booleans()) else st.just(len(parts) - 1))
        parts[position] = draw(names)
        return replace(request, path="/".join([start, *parts]))
    if kind == "options":
        position = draw(st.integers(0, len(request.query) - 1))
        options = list(request.query)
        options[position] = (options[position][0], draw(names))
        return replace(request, query=tuple(options))
    return replace(request, body=json.dumps(draw(spoilt(request.document))).encode("utf-8", "surrogatepass"))


# --------------------------------------------------------------------------------------------------------------- tests


def check(besieged: Besieged, request: Request, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    status, content, kind = besieged.ask(request)
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    if request.method != "GET":
        besieged.restore()
    assert status < 500 or status == 501, (status, content, faults)
    assert not faults
    assert SECRET.encode() not in content and b"Traceback" not in content
    # What is no HTTP reaches no Hopsworks, and who looks at the pages is a person
    if status >= 400 and content != b"Invalid HTTP request received." and not request.path.startswith(OPEN):
        assert kind == "application/json"
        sentence = json.loads(content)["errorMsg"]
        assert sentence and len(sentence) < 1000 and "\n" not in sentence
    besieged.assert_nothing_outside_changed()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("inputs", [100, pytest.param(5000, marks=pytest.mark.reliability)])
def test_hostile_requests_are_answered_with_a_sentence_and_touch_nothing_outside(
    besieged, requests_, caplog, record, inputs
):
    @settings(max_examples=inputs, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(request=st.sampled_from(requests_).flatmap(attacked))
    def attack(request):
        record(inputs_tried=1)
        check(besieged, request, caplog)

    attack()


def test_every_honest_request_is_answered(besieged, requests_, caplog):
    # else the attacks would break on something else than they mean to
    for request in requests_:
        status, content, _ = besieged.ask(request)
        besieged.restore()
        assert status < 500 or status == 501, (request, content)
