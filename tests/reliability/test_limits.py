"""How much one request may ask: the size of a body and of a chunk, how deep JSON is nested, numbers
and text that are none; and how much text a join may have. (Filters and the number of joins:
tests/local_hopsworks/test_plan.py.)"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from local_hopsworks.http import bodies
from local_hopsworks.http.shapes import DEEPEST, is_deeper
from local_hopsworks.offline.plan import Column, Join, Plan, Table
from local_hopsworks.offline.run import Engine

GROUPS = "/project/1/featurestores/1/featuregroups"
UPLOAD = "/project/1/dataset/upload/Resources"


def megabytes(count):
    for _ in range(count):
        yield b" " * 2**20


def test_body_that_is_too_large_is_refused_however_it_is_sent(api, monkeypatch):
    monkeypatch.setattr(bodies, "LARGEST_BODY", 3 * 2**20)
    # With its length, and in pieces of which nobody knows how many come
    for body in (b" " * (4 * 2**20), megabytes(4)):
        answer = api("POST", GROUPS, data=body)
        assert (answer.status_code, answer.json()["errorMsg"]) == (
            413,
            "The body is larger than 3 MiB.",
        )
    assert api("POST", GROUPS, data=b" " * (2 * 2**20) + b"5").status_code == 400


def files(server):
    """Where an upload goes, and its drafts."""
    places = server.store.dataset("tests", "Resources"), server.store.server
    return sorted(path for place in places for path in place.rglob("*"))


def test_upload_that_is_too_large_is_refused_before_it_is_stored(api, server, monkeypatch):
    monkeypatch.setattr(bodies, "LARGEST_UPLOAD", 3 * 2**20)
    before = files(server)
    answer = api("POST", UPLOAD, files={"file": ("file", b"x" * (4 * 2**20))})
    assert (answer.status_code, answer.json()["errorMsg"]) == (
        413,
        "The body is larger than 3 MiB.",
    )
    assert files(server) == before


@pytest.mark.parametrize(
    ("number", "size", "chunks", "total", "content"),
    [
        (1, 4, 2, 8, b"12345"),
        (2, 4, 2, 6, b"1234"),
        (3, 4, 2, 8, b"1"),
        (0, 4, 1, 4, b"1"),
        (1, 2**40, 1, 1, b"1"),
    ],
)
def test_chunk_that_does_not_fit_its_file_is_refused(api, number, size, chunks, total, content):
    form = {
        "flowChunkNumber": number,
        "flowChunkSize": size,
        "flowTotalChunks": chunks,
        "flowTotalSize": total,
    }
    answer = api("POST", UPLOAD, data={**form, "flowFilename": "f"}, files={"file": ("f", content)})
    assert answer.status_code == 400 and "does not fit a file" in answer.json()["errorMsg"]


@pytest.mark.parametrize("left, right", ["[]", ('{"a":', "}")])
def test_json_may_be_nested_only_so_deep(api, left, right):
    path = "/project/1/featurestores/1/featuregroups/1/tags/x"  # which keeps any JSON
    deepest = left * DEEPEST + "1" + right * DEEPEST
    assert not is_deeper(json.loads(deepest), DEEPEST) and is_deeper([json.loads(deepest)], DEEPEST)
    assert "nested at most" not in api("PUT", path, data=deepest).text
    answer = api("PUT", path, data=f"[{deepest}]")
    assert (
        answer.status_code == 400 and f"nested at most {DEEPEST} deep" in answer.json()["errorMsg"]
    )


@pytest.mark.parametrize("body", [b'"\\ud800"', b'{"\\uDFFF": 1}', b'"\xed\xa0\x80"'])
def test_half_a_character_is_no_json(api, body):
    answer = api("PUT", "/project/1/featurestores/1/featuregroups/1/tags/x", data=body)
    assert answer.status_code == 400 and answer.json()["errorMsg"] == "The body is not JSON."


def test_numbers_that_no_column_can_hold_become_what_one_can(api, feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.save([feature("id")])
    path = f"{GROUPS}/{group.id}/tags/numbers"
    sent = f"[1e999, -1e999, NaN, {2**63 - 1}, {2**63}, {10**400}]"
    assert api("PUT", path, data=sent).status_code == 200
    stored = json.loads(api("GET", path).json()["items"][0]["value"])
    assert stored == [None, None, None, 2**63 - 1, float(2**63), None]


def feature(name):
    from hsfs.feature import Feature

    return Feature(name, "bigint")


@pytest.mark.parametrize("split", ["..", "../../../outside", "/tmp/outside", "a\\b", "", "x" * 300])
def test_name_of_a_split_leads_nowhere(api, feature_store, name, split, server):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.save([feature("id")])
    feature_store.create_feature_view(name, group.select_all(), version=1)
    path = f"/project/1/featurestores/1/featureview/{name}/version/1/trainingdatasets"
    body = {
        "trainingDatasetType": "HOPSFS_TRAINING_DATASET",
        "splits": [{"name": split, "percentage": 0.5}],
    }
    answer = api("POST", path, json=body)
    assert (
        answer.status_code == 400
        and "A split's name is lower-case letters" in answer.json()["errorMsg"]
    )


@pytest.mark.reliability
def test_join_of_more_text_than_arrow_has_in_one_piece(tmp_path):
    """Texts of 2.2 GB. Needs 8 GB of memory."""
    count, text = 220_000, "x" * 10**4
    parts = [
        pa.table({"id": range(start, start + 10_000), "s": [text] * 10_000})
        for start in range(0, count, 10_000)
    ]
    stored = pa.concat_tables(parts)
    for name, part in (("texts", stored), ("keys", stored.select(["id"]))):
        write_deltalake(tmp_path / name, part)
    features = (("id", "bigint"), ("s", "string"))
    texts = Table(1, "texts", (tmp_path / "texts").as_uri(), None, None, features)
    keys = Table(2, "keys", (tmp_path / "keys").as_uri(), None, None, features[:1])
    ids = Column(0, "id", "bigint"), Column(1, "id", "bigint")
    plan = Plan([texts, keys], [(Column(0, "s", "string"), "s")], order=[ids[0]])
    plan.joins = [Join(1, "inner", (ids,), None)]
    found = Engine().table(plan)["s"]
    assert len(found) == count and pc.all(pc.equal(found, text)).as_py()
