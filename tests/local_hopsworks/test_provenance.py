"""Provenance: from feature groups over views and training data to models, and back."""

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def groups(feature_store):
    def make(name):
        group = feature_store.get_or_create_feature_group(name=name, version=1, primary_key=["key"])
        group.insert(pd.DataFrame({"key": [1, 2], f"x_{name}": [0.5, 1.5]}))
        return group

    return make("origin_one"), make("origin_two")


@pytest.fixture(scope="module")
def view(feature_store, groups):
    one, two = groups
    query = one.select(["x_origin_one"]).join(two.select(["x_origin_two"]))
    return feature_store.create_feature_view(name="origin", version=1, query=query)


@pytest.fixture(scope="module")
def model(project, view, tmp_path_factory):
    """A model of the view's first training dataset. `save` sleeps five seconds."""
    view.training_data()
    file = tmp_path_factory.mktemp("model") / "weights"
    file.write_text("1")
    model = project.get_model_registry().python.create_model(
        "origin_model", feature_view=view, training_dataset_version=1
    )
    model.save(str(file))
    return model


def names(links):
    return sorted((artifact.name, artifact.version) for artifact in links.accessible)


def test_parents_of_a_view_are_the_groups_of_its_query(view):
    links = view.get_parent_feature_groups()
    assert names(links) == [("origin_one", 1), ("origin_two", 1)]
    assert (links.deleted, links.inaccessible, links.faulty) == ([], [], [])


def test_views_of_a_group_are_those_that_read_it(feature_store, view, groups, name):
    feature_store.create_feature_view(name=name, version=1, query=groups[1].select_all())
    assert names(groups[0].get_generated_feature_views()) == [("origin", 1)]
    assert names(groups[1].get_generated_feature_views()) == sorted([("origin", 1), (name, 1)])


def test_a_group_of_its_own_has_no_views(feature_store, name):
    group = feature_store.get_or_create_feature_group(name=name, version=1, primary_key=["key"])
    group.insert(pd.DataFrame({"key": [1]}))
    assert group.get_generated_feature_views() is None


def test_model_leads_back_to_its_view(project, view, model):
    found = project.get_model_registry().get_model("origin_model", version=1)
    assert found.training_dataset_version == 1
    origin = found.get_feature_view(init=False)
    assert (origin.name, origin.version) == ("origin", 1)
    assert names(found.get_feature_view_provenance()) == [("origin", 1)]
    assert [dataset.version for dataset in found.get_training_dataset_provenance().accessible] == [
        1
    ]


def test_view_of_a_model_scores_batches_at_once(model):
    batch = model.get_feature_view().get_batch_data()
    assert batch.to_dict("list") == {"x_origin_one": [0.5, 1.5], "x_origin_two": [0.5, 1.5]}


def test_models_of_a_view_are_those_trained_on_it(view, model):
    assert [(found.name, found.version) for found in view.get_models()] == [("origin_model", 1)]
    assert view.get_newest_model().name == "origin_model"
    assert view.get_models(training_dataset_version=2) in (None, [])
    assert names(view.get_models_provenance()) == [("origin_model", 1)]


def test_model_of_a_deleted_view_says_that_it_is_deleted(view, model):
    """The last test here: it deletes the view that the others use."""
    view.delete()
    links = model.get_feature_view_provenance()
    assert links.accessible == [] and [artifact.name for artifact in links.deleted] == ["origin"]
