"""The REST feature server as a program without the SDK meets it: what it answers, and what it
refuses with the codes of RonDB's REST server."""

from __future__ import annotations

import pandas as pd
import pytest
import requests

WAIT = {"wait_for_online_ingestion": True}
VIEW = {"featureStoreName": "tests", "featureViewName": "rest_people", "featureViewVersion": 1}
BOTH = {"options": {"includeDetailedStatus": True, "validatePassedFeatures": True}}


@pytest.fixture(scope="module")
def groups(feature_store):
    people = feature_store.create_feature_group(
        "rest_people", 1, primary_key=["id"], online_enabled=True
    )
    rows = pd.DataFrame({"id": [1, 2, 3], "name": ["Ann", "Bob", "Cy"], "alive": [1, 0, 1]})
    people.insert(rows, storage="online", write_options=WAIT)
    cabins = feature_store.create_feature_group(
        "rest_cabins", 1, primary_key=["id"], online_enabled=True
    )
    sizes = pd.DataFrame({"id": [1, 2], "size": [4.5, 8.0]})
    cabins.insert(sizes, storage="online", write_options=WAIT)
    query = people.select_all().join(cabins.select(["size"]), prefix="cabin_")
    feature_store.create_feature_view("rest_people", query, 1, labels=["alive"])
    return people.id, cabins.id


@pytest.fixture
def ask(server, groups):
    """Post a body and return the answer."""

    def post(path, body, key=None):
        return requests.post(
            f"{server.address}/0.1.0/{path}",
            json={**VIEW, **body},
            headers={"X-API-KEY": server.api_key if key is None else key},
            verify=str(server.store.security / "ca.pem"),
            timeout=60,
        )

    return post


def test_one_vector_is_answered_with_what_was_read(ask, groups):
    answer = ask("feature_store", {"entries": {"id": 1}, **BOTH})
    people, cabins = groups
    assert answer.json() == {
        "features": [1, "Ann", 4.5],
        "status": "COMPLETE",
        "detailedStatus": [
            {"featureGroupId": people, "httpStatus": 200},
            {"featureGroupId": cabins, "httpStatus": 200},
        ],
    }


def test_a_missing_row_has_its_key_and_a_status(ask, groups):
    answer = ask("feature_store", {"entries": {"id": 99}, **BOTH}).json()
    assert answer["features"] == [99, None, None]
    assert answer["status"] == "MISSING"
    assert [each["httpStatus"] for each in answer["detailedStatus"]] == [404, 404]


def test_many_vectors_are_answered_in_order(ask):
    entries = [{"id": 3}, {"id": 2}, {"id": 7}]
    answer = ask("batch_feature_store", {"entries": entries}).json()
    assert answer == {
        "features": [[3, "Cy", None], [2, "Bob", 8.0], [7, None, None]],
        "status": ["MISSING", "COMPLETE", "MISSING"],
    }


def test_more_entries_than_are_read_at_once_are_answered(ask):
    entries = [{"id": number % 4} for number in range(1000)]
    features = ask("batch_feature_store", {"entries": entries}).json()["features"]
    assert [row[0] for row in features] == [number % 4 for number in range(1000)]
    assert features[1] == [1, "Ann", 4.5]


def test_names_and_types_are_told_when_asked(ask):
    both = {"metadataOptions": {"featureName": True, "featureType": True}}
    answer = ask("feature_store", {"entries": {"id": 1}, **both}).json()
    assert answer["metadata"] == [
        {"featureName": "id", "featureType": "bigint"},
        {"featureName": "name", "featureType": "string"},
        {"featureName": "cabin_size", "featureType": "double"},
    ]
    names = {"metadataOptions": {"featureName": True}}
    answer = ask("batch_feature_store", {"entries": [{"id": 1}], **names}).json()
    assert answer["metadata"] == [{"featureName": name} for name in ("id", "name", "cabin_size")]


def test_passed_features_take_the_place_of_stored_ones(ask):
    passed = {"passedFeatures": {"cabin_size": 1.5}}
    assert ask("feature_store", {"entries": {"id": 3}, **passed}).json()["features"] == [
        3,
        "Cy",
        1.5,
    ]
    passed = {"passedFeatures": [None, {"name": "Me"}]}
    answer = ask("batch_feature_store", {"entries": [{"id": 1}, {"id": 2}], **passed}).json()
    assert answer["features"] == [[1, "Ann", 4.5], [2, "Me", 8.0]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"entries": {"id": 1}, "featureViewName": "none"}, 404, 1),
        ({"entries": {"id": 1}, "featureViewVersion": 9}, 404, 1),
        ({"entries": {"id": 1}, "featureStoreName": "none"}, 404, 2),
        ({"entries": {"name": "Ann"}}, 400, 12),
        ({"entries": {"id": 1, "size": 2}}, 400, 12),
        ({"entries": {"id": "one"}}, 400, 12),
        ({"entries": {"id": [1]}}, 400, 12),
        ({"entries": {"id": {"a": 1}}}, 400, 12),
        ({"entries": {"id": None}}, 400, 12),
        ({"entries": {}}, 400, 15),
        ({"entries": {"id": 1}, "passedFeatures": {"alive": 1}}, 400, 13),
        ({"entries": {"id": 1}, "passedFeatures": {"name": 5}}, 415, 10),
        ({"entries": {"id": 1}, "passedFeatures": {"cabin_size": "x"}}, 415, 10),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(ask, body, status, code):
    answer = ask("feature_store", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["reason"] and answer.json()["message"].endswith(".")


def test_passed_features_for_another_number_of_entries_are_refused(ask):
    answer = ask("batch_feature_store", {"entries": [{"id": 1}], "passedFeatures": [{}, {}]})
    assert (answer.status_code, answer.json()["code"]) == (400, 13)


@pytest.mark.parametrize(
    "body",
    [{"entries": 5}, {"entries": [1]}, {}, {"entries": {"id": 1}, "featureViewVersion": "1"}],
)
def test_a_body_of_another_shape_is_refused(ask, body):
    assert ask("feature_store", body).status_code == 400


@pytest.mark.parametrize("passed", [[5, {}], ["x", {}], [{}, ["x"]]])
def test_passed_features_of_an_entry_that_are_none_are_refused(ask, passed):
    answer = ask("batch_feature_store", {"entries": [{"id": 1}] * 2, "passedFeatures": passed})
    assert answer.status_code == 400
    assert "must be an object, not" in answer.json()["errorMsg"]


@pytest.mark.parametrize("key", ["", "wrong", "é".encode().decode("latin-1")])
def test_nothing_is_told_without_the_key(ask, server, key):
    answer = ask("feature_store", {"entries": {"id": 1}}, key=key)
    assert answer.status_code == 401
    assert "Ann" not in answer.text
    for path in ("ping", "health"):
        pinged = requests.get(
            f"{server.address}/0.1.0/{path}",
            headers={"X-API-KEY": key},
            verify=str(server.store.security / "ca.pem"),
            timeout=60,
        )
        assert pinged.status_code == 401


def test_it_says_that_it_is_there(server):
    for path in ("ping", "health"):
        answer = requests.get(
            f"{server.address}/0.1.0/{path}",
            headers={"X-API-KEY": server.api_key},
            verify=str(server.store.security / "ca.pem"),
            timeout=60,
        )
        assert answer.status_code == 200


def test_a_view_on_a_group_that_is_not_online_is_refused(ask, feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1], "x": [1]}))
    feature_store.create_feature_view(name, group.select_all(), 1)
    answer = ask("feature_store", {"featureViewName": name, "entries": {"id": 1}})
    assert (answer.status_code, answer.json()["code"]) == (404, 3)
    assert name in answer.json()["message"]


def test_a_view_is_read_as_it_is_now(ask, feature_store, name):
    """Deleted and made anew, and its group appended to, between two requests."""
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], online_enabled=True)
    rows = pd.DataFrame({"id": [1], "x": [1.5], "y": ["a"]})
    group.insert(rows, storage="online", write_options=WAIT)
    asked = {"featureViewName": name, "entries": {"id": 1}}
    view = feature_store.create_feature_view(name, group.select(["x"]), 1)
    assert ask("feature_store", asked).json()["features"] == [1.5]
    view.delete()
    assert ask("feature_store", asked).status_code == 404
    feature_store.create_feature_view(name, group.select(["y", "x"]), 1)
    assert ask("feature_store", asked).json()["features"] == ["a", 1.5]
    group.delete(force=True)
    assert ask("feature_store", asked).status_code == 404
