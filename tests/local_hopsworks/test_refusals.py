"""What the embedded Hopsworks does not do, it says by name: no call of the SDK gets an empty
success for it."""

from __future__ import annotations

import pandas as pd
import pytest
from hopsworks.client.exceptions import RestAPIError


@pytest.fixture
def group(feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], online_enabled=True)
    group.insert(pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0]}))
    return group


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda p: p.get_environment_api().get_environments(), "Python environments"),
        (lambda p: p.get_git_api().get_repos(), "Git repositories"),
        (lambda p: p.get_alerts(), "alerts"),
        (lambda p: p.get_members(), "members of a project"),
        (lambda p: p.get_app_api().get_apps(), "Python apps"),
        (lambda p: p.get_feature_store().get_data_source("warehouse"), "storage connectors"),
        (lambda p: p.get_feature_store().get_charts(), "charts and dashboards"),
        (lambda p: p.get_feature_store().share(p.name), "sharing"),
        (lambda p: p.get_dataset_api().get_tags("Resources"), "tags on files"),
        (lambda p: p.get_dataset_api().chmod("Resources", "READ_ONLY"), "permissions"),
        (lambda p: p.get_model_registry().hf_download("someone/something"), "Hugging Face"),
    ],
)
def test_service_that_is_not_there_is_refused_by_its_name(project, call, named):
    with pytest.raises(RestAPIError, match=f"does not do this.*{named}") as refused:
        call(project)
    assert refused.value.response.status_code == 501


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda g: g.get_feature_monitoring_configs(), "monitoring"),
        (lambda g: g.get_restricted_access(), "restricting access"),
        (lambda g: g.create_alert("me", "feature_validation_failure", "info"), "alerts"),
    ],
)
def test_what_a_feature_group_cannot_do_here_is_refused_by_its_name(group, call, named):
    with pytest.raises(Exception, match=named):
        call(group)


@pytest.mark.parametrize("tag", [".", ".."])
def test_tag_whose_address_is_that_of_its_group_is_refused_and_the_group_stays(group, tag):
    """Clients make .../featuregroups/1/ of .../featuregroups/1/tags/.."""
    for call in (
        lambda: group.add_tag(tag, {"a": 1}),
        lambda: group.get_tag(tag),
        lambda: group.delete_tag(tag),
    ):
        with pytest.raises(RestAPIError, match="does not do this"):
            call()
    assert group.feature_store.get_feature_group(group.name, group.version).get_tags() == {}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_address_with_a_slash_at_its_end_is_no_other(api, group, method):
    path = f"/project/1/featurestores/1/featuregroups/{group.id}"
    assert api(method, f"{path}/", json={}).status_code == 501
    assert api("GET", path).ok


def test_group_with_an_embedding_index_is_refused_not_stored_without_it(feature_store, name):
    from hsfs.embedding import EmbeddingIndex

    index = EmbeddingIndex()
    index.add_embedding("x", 1)
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], embedding_index=index)
    with pytest.raises(RestAPIError, match="embedding index"):
        group.insert(pd.DataFrame({"id": [1], "x": [[1.0]]}))
    assert feature_store.get_feature_group(name, 1) is None


def test_keywords_are_kept_and_found(group, feature_store):
    group.set_keywords(["fares", "trains"])
    group.add_keywords(["old"])
    group.delete_keyword("trains")
    assert sorted(group.get_keywords()) == ["fares", "old"]
    assert {"fares", "old"} <= set(feature_store.get_all_keywords())
    assert all(group.get_keywords_metadata().values())


def test_parents_of_a_group_are_known_even_when_they_are_gone(feature_store, group, name):
    child = feature_store.get_or_create_feature_group(
        f"{name}_child", 1, primary_key=["id"], parents=[group]
    )
    child.insert(pd.DataFrame({"id": [1]}))
    assert [parent.name for parent in child.get_parent_feature_groups().accessible] == [name]
    assert [made.name for made in group.get_generated_feature_groups().accessible] == [
        f"{name}_child"
    ]
    group.delete()
    assert [parent.name for parent in child.get_parent_feature_groups().deleted] == [name]
