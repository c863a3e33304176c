"""The server keeps what clients send and runs none of it: no pickle is opened, no source compiled,
nothing imported."""

from __future__ import annotations

import io
import json
import pickle
import sys
import threading
from functools import partial

import pytest

from local_hopsworks import Server
from tests import rest

RUNS_CODE = (
    "pickle.find_class",
    "exec",
    "compile",
    "import",
    "marshal.loads",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "ctypes.dlopen",
)


class Bomb:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return exec, (self.command,)


@pytest.fixture(scope="module")
def hook():
    """Collects what runs code on the threads of the server, while its `events` are a list. Hooks
    stay for good."""
    state = type("Hook", (), {"events": None})()

    def look(event, arguments):
        if (
            state.events is not None
            and event in RUNS_CODE
            and threading.current_thread() is not threading.main_thread()
        ):
            state.events.append((event, str(arguments)[:300]))

    sys.addaudithook(look)
    return state


def use(server, name, source):
    """Send `source` as everything that could be taken for code, and ask for it back in every way
    there is."""
    api = partial(rest.call, server)
    store, models = "/project/1/featurestores/1", "/project/1/modelregistries/1/models"
    udf = {
        "name": name,
        "sourceCode": source,
        "outputTypes": ["double"],
        "transformationFeatures": [source],
        "executionMode": "PYTHON",
    }
    group = {
        "name": name,
        "version": 1,
        "type": "cachedFeaturegroupDTO",
        "description": source,
        "eventTime": None,
        "features": [{"name": "id", "type": "bigint", "primary": True, "description": source}],
        "transformationFunctions": [{"hopsworksUdf": udf}],
    }
    created = api("POST", f"{store}/featuregroups", json=group)
    assert created.ok, created.text
    key = created.json()["id"]
    attached = [{"hopsworksUdf": udf, "transformationType": "model_dependent"}]
    query = {"leftFeatureGroup": {"id": key}, "leftFeatures": [{"name": "id"}], "joins": []}
    view = {
        "name": name,
        "version": 1,
        "query": query,
        "features": [],
        "transformationFunctions": attached,
    }
    suite = {
        "expectationSuiteName": name,
        "expectations": [
            {
                "expectationType": "expect_x",
                "kwargs": json.dumps({"column": "id", "mostly": source}),
                "meta": json.dumps({"note": source}),
            }
        ],
    }
    pickled = pickle.dumps(Bomb(source))
    training = {"trainingDatasetType": "HOPSFS_TRAINING_DATASET", "dataFormat": "csv", "splits": []}
    job = {
        "type": "pythonJobConfiguration",
        "appPath": f"Resources/{name}.py",
        "defaultArgs": source,
    }
    calls = [
        ("POST", f"{store}/transformationfunctions", {"version": 1, "hopsworksUdf": udf}),
        ("POST", f"{store}/featureview", view),
        ("GET", f"{store}/featureview/{name}/version/1/transformation/functions", None),
        ("GET", f"{store}/featureview/{name}/version/1/query/batch", None),
        ("POST", f"{store}/featureview/{name}/version/1/trainingdatasets", training),
        ("POST", f"{store}/featuregroups/{key}/expectationsuite", suite),
        ("PUT", f"{store}/featuregroups/{key}/tags/code", source),
        ("PUT", f"{store}/query", query),
        (
            "PUT",
            f"{models}/{name}_1",
            {"name": name, "version": 1, "framework": "SKLEARN", "program": source},
        ),
        ("GET", f"{models}/{name}_1", None),
        ("PUT", f"/project/1/jobs/{name}", job),
        ("GET", f"/project/1/jobs/{name}", None),
        ("GET", f"{store}/transformationfunctions", None),
    ]
    for folder in (f"Models/{name}", f"Models/{name}/1", f"Models/{name}/1/Files"):
        assert api("POST", f"/project/1/dataset/{folder}", params={"action": "create"}).ok
    for path, file, content in (
        (f"Models/{name}/1/Files", "model.pkl", pickled),
        (f"Models/{name}/1/Files", "model.joblib", pickled),
        ("Resources", f"{name}.py", source.encode()),
        ("Resources", "sitecustomize.py", source.encode()),
        ("Resources", "__init__.py", source.encode()),
        (f"Models/{name}/1", "model_schema.json", source.encode()),
    ):
        form = {
            "flowChunkNumber": 1,
            "flowChunkSize": 10**6,
            "flowTotalSize": len(content),
            "flowTotalChunks": 1,
        }
        sent = api("POST", f"/project/1/dataset/upload/{path}", data={**form, "flowFilename": file},
                   files={"file": (file, io.BytesIO(content))})  # fmt: skip
        assert sent.ok, sent.text
        calls.append(("GET", f"/project/1/dataset/download/with_auth/{path}/{file}", None))
        calls.append(("GET", f"/project/1/dataset/{path}?action=listing", None))
    answers = [api(method, path, json=body) for method, path, body in calls]
    others = [answer.text for answer in answers if answer.status_code not in (200, 204, 501)]
    assert others == []


def test_nothing_that_a_client_sent_is_run(hook, tmp_path):
    canary = tmp_path / "canary"
    source = f"import os; os.system('touch {canary}'); open({str(canary)!r}, 'w')"
    # A server of its own: the SDK, which reads what is listed, would fail over what this leaves
    with Server(tmp_path / "store") as server:
        use(server, "harmless", "pass")  # what the server itself loads when it is first needed
        hook.events = []
        try:
            use(server, "harmful", source)
        finally:
            events, hook.events = hook.events, None
    assert events == [] and not canary.exists()


def test_the_hook_sees_what_it_should(hook):
    # else the test above could not fail
    hook.events = []
    thread = threading.Thread(target=lambda: pickle.loads(pickle.dumps(Bomb("seen = 1"))))
    thread.start()
    thread.join()
    events, hook.events = hook.events, None
    assert {event for event, _ in events} >= {"pickle.find_class", "exec", "compile"}
