"""Requests that nobody honest sends: to every route, with hostile names and bodies, from real ones
made a little wrong.

Whatever comes: an answer in time, a sentence instead of a fault of the server, and nothing outside
the project touched.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import urllib.parse
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_hopsworks.http.app import create_app
from local_hopsworks.http.calls import API
from local_hopsworks.pages.door import PREFIX
from tests.reliability.hostile import names, spoilt
from tests.reliability.siege import SECRET, Besieged, Request

# What the parameters of the routes are called, with values that lead to something stored
STORED = {
    "project": "1",
    "feature_store": "1",
    "id": "1",
    "name": "thing",
    "version": "1",
    "training_version": "1",
    "tag": "colour",
    "suite": "1",
    "expectation": "1",
    "report": "1",
    "execution": "1",
    "kind": "python",
    "path": "Resources/thing.py",
    "rest": "1",
    "deployment": "1",
}


@pytest.fixture(scope="module")
def besieged(store_in_use, tmp_path_factory):
    base = tmp_path_factory.mktemp("siege")
    shutil.copytree(store_in_use.home, base / "store")
    server = Besieged(base)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def requests_(besieged, store_in_use):
    """What the SDK sent, and for each route that it did not ask something that leads to it."""
    sent = [*store_in_use.sent, *_vectors(besieged.server.project)]
    for route in create_app(besieged.server._hopsworks, besieged.server._services).routes:
        if route.name == "refusal":  # whatever the request is
            continue
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            if not any(
                method == request.method
                and route.path_regex.fullmatch(urllib.parse.unquote(request.path))
                for request in sent
            ):
                path = re.sub(
                    r"{(\w+)(:path)?}", lambda found: STORED.get(found[1], "thing"), route.path
                )
                sent.append(Request(method, path).with_document({}))
    return sent


def _vectors(project):
    """What the SDK's REST client asks the feature server, which it does not ask through
    requests."""
    asked = {
        "featureStoreName": project,
        "featureViewName": "thing_latest",
        "featureViewVersion": 1,
        "options": {"validatePassedFeatures": True, "includeDetailedStatus": True},
        "metadataOptions": {"featureName": True, "featureType": True},
    }
    one = {**asked, "entries": {"id": 1}, "passedFeatures": {"x": 0.5}}
    many = {**asked, "entries": [{"id": 1}, {"id": 2}], "passedFeatures": [{}, {"x": 1.5}]}
    return [
        Request("POST", "/0.1.0/feature_store").with_document(one),
        Request("POST", "/0.1.0/batch_feature_store").with_document(many),
    ]


@st.composite
def attacked(draw: st.DrawFn, request: Request) -> Request:
    """A request with hostile names in its path or its options, or with a spoilt body."""
    kinds = (
        ["path"] + ["options"] * bool(request.query) + ["body"] * 2 * (request.document is not None)
    )
    kind = draw(st.sampled_from(kinds))
    if kind == "path":
        start = API if request.path.startswith(API) else ""
        parts = request.path.removeprefix(start).split("/")[1:]
        position = draw(
            st.integers(0, len(parts) - 1) if draw(st.booleans()) else st.just(len(parts) - 1)
        )
        parts[position] = draw(names)
        return replace(request, path="/".join([start, *parts]))
    if kind == "options":
        position = draw(st.integers(0, len(request.query) - 1))
        options = list(request.query)
        options[position] = (options[position][0], draw(names))
        return replace(request, query=tuple(options))
    return replace(
        request, body=json.dumps(draw(spoilt(request.document))).encode("utf-8", "surrogatepass")
    )


# --------------------------------------------------------------------------------------------------
# tests


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
    if (
        status >= 400
        and content != b"Invalid HTTP request received."
        and not request.path.startswith(PREFIX)
    ):
        assert kind == "application/json"
        refusal = json.loads(content)
        sentence = refusal.get("errorMsg") or refusal["message"]  # of the REST feature server
        assert sentence and len(sentence) < 1000 and "\n" not in sentence
    besieged.assert_nothing_outside_changed()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(100, marks=pytest.mark.long),
        pytest.param(5000, marks=pytest.mark.reliability),
    ],
)
def test_hostile_requests_are_answered_with_a_sentence_and_touch_nothing_outside(
    besieged, requests_, caplog, record, inputs
):
    @settings(
        max_examples=inputs,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(request=st.sampled_from(requests_).flatmap(attacked))
    def attack(request):
        record(inputs_tried=1)
        check(besieged, request, caplog)

    attack()


@pytest.mark.reliability
def test_every_honest_request_is_answered(besieged, requests_, caplog):
    # else the attacks would break on something else than they mean to
    for request in requests_:
        status, content, _ = besieged.ask(request)
        besieged.restore()
        assert status < 500 or status == 501, (request, content)
