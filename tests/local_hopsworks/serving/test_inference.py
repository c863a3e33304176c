"""Predictions over HTTP: what comes back, what is refused, and who may ask."""

from __future__ import annotations

import json
import threading

import pytest
import requests
from hopsworks.client.exceptions import RestAPIError


@pytest.fixture(scope="module")
def deployment(model, wait):
    """One deployment for all that ask and leave it as it is."""
    from tests.local_hopsworks.serving.conftest import SCRIPTS

    made = model.deploy("particular", script_file=str(SCRIPTS / "particular.py"))
    made.start(await_running=0)
    wait(lambda: made.get_state().status == "Running")
    yield made
    made.delete(force=True)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("array", [[1, 2], [3, 4]]),
        ("scalar", [0.5, 7, True]),
        ("not a number", [None, None, 1.0]),
        ("series", [1.5, None]),
        ("object", {"label": "yes", "scores": [0.25]}),
        ("date", ["2026-01-31"]),
    ],
)
def test_values_of_python_become_json(deployment, wish, expected):
    assert deployment.predict(inputs=[wish]) == {"predictions": expected}


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ("raise", "The deployment particular: ValueError: there is no such passenger"),
        (
            "no JSON",
            "The deployment particular: TypeError: a prediction cannot be of the type object",
        ),
    ],
)
def test_prediction_that_raises_is_told_and_the_next_one_answers(deployment, wish, sentence, wait):
    with pytest.raises(RestAPIError) as refused:
        deployment.predict(inputs=[wish])
    answer = refused.value.response
    assert (answer.status_code, answer.json()["errorCode"]) == (500, 250007)
    assert answer.json()["usrMsg"] == sentence
    assert deployment.predict(inputs=["date"]) == {"predictions": ["2026-01-31"]}
    if wish == "raise":
        wait(lambda: 'raise ValueError("there is no such passenger")' in deployment.read_logs())


PREDICT = "/project/1/inference/models/particular:predict"


@pytest.mark.parametrize(
    "content",
    [b"", b"not JSON", b"\xff\xfe", b"[" * 100_000, b'{"instances": [["date"]'],
    ids=["empty", "words", "no text", "nested", "cut off"],
)
def test_body_that_is_no_json_is_refused_with_a_sentence(api, deployment, content):
    answer = api("POST", PREDICT, data=content)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 250008), answer.text
    assert answer.json()["usrMsg"] == "The deployment particular: The body is not JSON."


def test_body_without_rows_is_refused_with_a_sentence(api, deployment):
    answer = api("POST", PREDICT, json={"rows": [[1]]})
    assert answer.status_code == 400 and "no instances and no inputs" in answer.json()["usrMsg"]


def test_huge_body_is_refused_and_a_large_one_is_answered(api, deployment):
    large = json.dumps({"instances": [["date"]], "padding": "x" * 20 * 2**20})
    assert api("POST", PREDICT, data=large).json() == {"predictions": ["2026-01-31"]}
    answer = api("POST", PREDICT, data=b" " * (64 * 2**20 + 1))
    assert answer.status_code == 413 and "larger than 64 MiB" in answer.json()["usrMsg"]


def test_unknown_deployment_verb_and_project_are_refused(api, deployment):
    ask = {"json": {"instances": [[1]]}}
    for path, status in [
        (PREDICT.replace("particular", "nothing"), 404),
        (PREDICT.replace("/1/", "/77/"), 404),
        (PREDICT.replace("/1/", "/one/"), 400),
        (PREDICT.replace("predict", "classify"), 501),
    ]:
        answer = api("POST", path, **ask)
        assert answer.status_code == status and answer.json()["usrMsg"], path


def test_prediction_needs_the_key_of_the_server(server, deployment):
    for key in ({}, {"Authorization": "ApiKey wrong"}):
        answer = requests.post(
            f"{server.address}/hopsworks-api/api{PREDICT}",
            json={"instances": [["date"]]},
            headers=key,
            verify=str(server.store.security / "ca.pem"),
            timeout=60,
        )
        assert answer.status_code == 401


def test_process_answers_nobody_without_its_token(server, deployment):
    """Its port is open to every user of the machine."""
    import sqlite3

    with sqlite3.connect(server.store.metadata_file) as database:
        [[text]] = database.execute(
            "SELECT instance FROM deployments WHERE name = 'particular'"
        ).fetchall()
    database.close()
    port = json.loads(text)["port"]
    for token in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"ApiKey {server.api_key}"},
    ):
        answer = requests.post(
            f"http://127.0.0.1:{port}/predict", json={"instances": []}, headers=token, timeout=60
        )
        assert answer.status_code == 401 and "predictions" not in answer.text


def test_stopping_ends_a_request_under_way_with_a_sentence(started, wait):
    deployment = started("particular")
    raised = []

    def ask():
        with pytest.raises(RestAPIError) as error:
            deployment.predict(inputs=["sleep"])
        raised.append(error.value)

    asking = threading.Thread(target=ask)
    asking.start()
    wait(lambda: "asleep" in deployment.read_logs())
    deployment.stop(await_stopped=600)
    asking.join(60)
    [error] = raised
    assert (error.response.status_code, error.error_code) == (500, 250002)
    assert "ended before it answered" in error.response.json()["usrMsg"]


def test_process_that_ends_itself_is_started_again_by_the_next_request(started, wait):
    deployment = started("particular")
    with pytest.raises(RestAPIError, match="ended before it answered"):
        deployment.predict(inputs=["end"])
    wait(lambda: deployment.get_state().status == "Idle")
    assert deployment.is_running()
    assert deployment.predict(inputs=["date"]) == {"predictions": ["2026-01-31"]}


def test_hundred_requests_at_once_are_all_answered_though_each_asks_the_server(started, api):
    """With a thread of the server for each, none would be left for what the model asks."""
    deployment = started("asks_hopsworks")
    path = f"/project/1/inference/models/{deployment.name}:predict"
    statuses = []

    def ask():
        statuses.append(api("POST", path, json={"instances": [[1]]}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 100
