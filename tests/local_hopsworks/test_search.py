"""The SDK's own search and `hops search`: what they find, in which order, and what they refuse."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from local_hopsworks.projects.tables import projects

WORD = "wharfinger"  # in all that these tests make, and nowhere else


@pytest.fixture(scope="module")
def made(feature_store, project, api):
    """A feature group, a feature view with training data, a model and a job."""
    group = feature_store.create_feature_group(
        f"{WORD}_rides", 1, description="Bikes in Stockholm", primary_key=["ride_id"]
    )
    group.insert(pd.DataFrame({"ride_id": [1, 2], "minutes": [7.25, 71.28]}))
    group.update_feature_description("minutes", f"How long, {WORD.upper()}")
    group.add_tag("owner", {"team": "bikes", "since": 2026})
    group.set_keywords([f"{WORD}_mobility", "city"])
    other = feature_store.create_feature_group(f"{WORD}_rides", 2, primary_key=["ride_id"])
    other.insert(pd.DataFrame({"ride_id": [1]}))
    view = feature_store.create_feature_view(
        f"{WORD}_view", group.select_all(), description="To train on", version=1
    )
    view.create_training_data(description=f"All of {WORD}")
    model = {"name": f"{WORD}_model", "version": 1, "framework": "PYTHON", "description": "Minutes"}
    path = f"/project/{project.id}/modelregistries/{project.id}/models/{WORD}_model_1"
    assert api("PUT", path, json=model).ok
    config = {"type": "pythonJobConfiguration", "appPath": "Resources/x.py"}
    assert api("PUT", f"/project/{project.id}/jobs/{WORD}_job", json=config).ok
    return group, view


def names(found) -> list[tuple[str, int]]:
    return [(each.name, each.version) for each in found]


def test_one_search_finds_every_kind(made, feature_store):
    found = feature_store.search(WORD)
    assert names(found.feature_groups) == [(f"{WORD}_rides", 2), (f"{WORD}_rides", 1)]
    assert names(found.feature_views) == [(f"{WORD}_view", 1)]
    assert names(found.training_datasets) == [(f"{WORD}_view_1", 1)]
    assert names(found.features) == [("minutes", 1)]
    assert names(found.models) == [(f"{WORD}_model", 1)]
    assert [job.name for job in found.jobs] == [f"{WORD}_job"]
    assert found.feature_groups_total == 2 and found.features_total == 1


def test_found_things_are_fetched_as_they_are(made, feature_store):
    group, view = made
    (found,) = feature_store.search_feature_groups("bikes in stockholm")
    assert found.get().id == group.id
    (found,) = feature_store.search_feature_views(f"{WORD}_view")
    assert found.get().id == view.id


@pytest.mark.parametrize(
    ("term", "field", "marked"),
    [
        (WORD, "name", f"<em>{WORD}</em>_rides"),
        ("STOCKHOLM", "description", "Bikes in <em>Stockholm</em>"),
    ],
)
def test_match_is_marked_in_names_and_descriptions(made, feature_store, term, field, marked):
    found = feature_store.search_feature_groups(term)
    assert marked in [getattr(each.highlights, field) for each in found]


def test_match_is_marked_in_features_tags_and_keywords(made, feature_store):
    (by_feature,) = feature_store.search_feature_groups(f"long, {WORD}")
    assert by_feature.highlights.features == [
        {"name": None, "description": f"How <em>long, {WORD.upper()}</em>"}
    ]
    (by_keyword,) = feature_store.search_feature_groups(f"{WORD}_mob")
    assert by_keyword.highlights.keywords == [f"<em>{WORD}_mob</em>ility"]
    (by_tag,) = feature_store.search_feature_groups('"bikes"')
    assert by_tag.highlights.tags[0]["key"] is None and "<em>" in by_tag.highlights.tags[0]["value"]
    (by_source,) = feature_store.search_feature_views(f"{WORD}_rides")
    assert by_source.highlights.source_feature_groups == [f"<em>{WORD}_rides</em>"]


def test_features_tell_their_group(made, feature_store):
    (found,) = feature_store.search_features(f"long, {WORD}")
    assert found.name == "minutes" and found.raw_data["featuregroup"] == f"{WORD}_rides"


def test_keywords_and_tags_choose(made, feature_store):
    search = feature_store.search_feature_groups
    owner = {"name": "owner", "key": "team", "value": "bikes"}
    assert names(search(WORD, keyword_filter="city")) == [(f"{WORD}_rides", 1)]
    assert names(search(keyword_filter=["city", f"{WORD}_mobility"])) == [(f"{WORD}_rides", 1)]
    assert search(WORD, keyword_filter=["city", "sea"]) == []
    assert names(search(WORD, tag_filter=owner)) == [(f"{WORD}_rides", 1)]
    assert search(WORD, tag_filter={**owner, "value": "trains"}) == []
    assert names(search(WORD, tag_filter={**owner, "key": "since", "value": "2026"})) == [
        (f"{WORD}_rides", 1)
    ]


def test_results_come_in_pages(made, feature_store):
    first = feature_store.search_feature_groups(WORD, limit=1)
    second = feature_store.search_feature_groups(WORD, offset=1, limit=1)
    assert names(first + second) == [(f"{WORD}_rides", 2), (f"{WORD}_rides", 1)]
    assert feature_store.search(WORD, limit=1).feature_groups_total == 2


@pytest.fixture
def project_elsewhere(server):
    """Another project in the store, which goes again: other tests count on one."""
    from local_hopsworks import Server

    with Server(server.store.home, project="elsewhere") as other:
        yield other.project
    with server._metadata.transaction(write=True) as db:
        db.execute(projects.delete().where(projects.c.name == "elsewhere"))
    shutil.rmtree(server.store.project("elsewhere"))


def test_only_a_global_search_sees_other_projects(made, feature_store, project_elsewhere):
    assert project_elsewhere == "elsewhere"
    found = feature_store.search_feature_groups(WORD, global_search=True)
    assert {each.project.name for each in found} == {"tests"}


@pytest.mark.parametrize("term", ["%", "_", "*", "\\", "<em>", f"{WORD}_rides%", "ſ"])
def test_every_character_means_itself(made, feature_store, term):
    found = feature_store.search_feature_groups(term)
    assert all(term in each.name + (each.description or "") for each in found if WORD in each.name)


@pytest.mark.parametrize(
    "query",
    [
        {}, {"searchTerm": " "}, {"searchTerm": "x", "docType": "BOOK"},
        {"searchTerm": "x", "size": "10001"}, {"searchTerm": "x", "from": "-1"},
        {"searchTerm": "x", "size": "many"}, {"keywords": "["}, {"keywords": '{"value": 1}'},
        {"tags": '[{"name": "owner"}]'},
    ],
)  # fmt: skip
def test_search_that_cannot_be_meant_is_refused(api, project, query):
    answer = api("GET", f"/project/{project.id}/elastic/featurestore", params=query)
    assert answer.status_code == 400 and answer.json()["errorMsg"]


def test_hops_finds_it_from_the_command_line(made, server, run):
    hops = Path(sys.executable).with_name("hops")
    done = run(hops, "search", WORD, env=server.environment)
    assert done.returncode == 0, done.stderr
    kinds = {line.split()[0] for line in done.stdout.splitlines() if WORD in line}
    assert {"feature_group", "feature_view", "training_dataset", "model", "job"} <= kinds
