"""What Hopsworks refuses when something is created or changed is refused here, with its code and
before anything is written; and what it accepts is accepted."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest
from hopsworks.client.exceptions import RestAPIError
from hsfs.feature import Feature

HOUR = 3_600_000  # ms
ROWS = pd.DataFrame({"id": [1, 2], "x": [0.5, 1.5], "word": ["a", "b"], "ms": [HOUR, 2 * HOUR]})


@pytest.fixture(scope="module")
def group(feature_store):
    group = feature_store.get_or_create_feature_group("checked", 1, primary_key=["id"])
    group.insert(ROWS)
    return group


@pytest.fixture(scope="module")
def timed(feature_store):
    group = feature_store.get_or_create_feature_group(
        "checked_timed", 1, primary_key=["id"], event_time="ms"
    )
    group.insert(ROWS)
    return group


@pytest.fixture(scope="module")
def view(feature_store, group):
    return feature_store.get_or_create_feature_view("checked", group.select_all(), version=1)


@pytest.fixture
def make(feature_store, name):
    """Create a feature group with these features; `id` is the key."""

    def create(*features, **options):
        options = {"name": name, "version": 1, "primary_key": ["id"], **options}
        options["features"] = [Feature("id", "bigint", primary=True), *features]
        group = feature_store.create_feature_group(**options)
        group.save()
        return group

    return create


def refused(code, call):
    """That the call is refused with Hopsworks' code, and the sentence."""
    with pytest.raises(RestAPIError) as caught:
        call()
    answer = caught.value.response.json()
    assert answer["errorCode"] == code, answer
    assert caught.value.response.status_code in (400, 404)
    return answer["errorMsg"]


GROUPS = {
    "name with a capital": (270091, [], {"name": "Passengers"}),
    "name that begins with a digit": (270091, [], {"name": "1st_class"}),
    "name of 64 characters": (270091, [], {"name": "a" * 64}),
    "version 0": (270059, [], {"version": 0}),
    "version -1": (270059, [], {"version": -1}),
    "version of 33 bits": (270059, [], {"version": 2**31}),
    "description of 257 characters": (270092, [], {"description": "x" * 257}),
    "feature name of 64 characters": (270091, [Feature("a" * 64, "int")], {}),
    "feature description of 257 characters": (270092, [Feature("a", "int", "x" * 257)], {}),
    "feature without type": (270212, [Feature("a")], {}),
    "feature of a type that is none": (270151, [Feature("a", "integer")], {}),
    "same feature twice": (270224, [Feature("a", "int"), Feature("a", "int")], {}),
    "default value": (270132, [Feature("a", "int", default_value="1")], {}),
    "event time of type int": (270171, [Feature("at", "int")], {"event_time": "at"}),
    "event time of type double": (270171, [Feature("at", "double")], {"event_time": "at"}),
    "event time of type string": (270171, [Feature("at", "string")], {"event_time": "at"}),
    "negative time to live": (270176, [], {"ttl": -1, "ttl_enabled": True}),
    "statistics of no feature": (270108, [], {"statistics_config": {"columns": ["nothing"]}}),
    "HUDI with a partition by time": (
        270176,
        [Feature("at", "timestamp", partition=True)],
        {"time_travel_format": "HUDI", "partition_key": ["at"]},
    ),
    "stream group with a partition by time": (
        270176,
        [Feature("at", "timestamp", partition=True)],
        {"stream": True, "partition_key": ["at"]},
    ),
    **{
        f"partition by {type_}": (
            270176, [Feature("by", type_, partition=True)], {"partition_key": ["by"]},
        )
        for type_ in ("binary", "array<int>", "struct<a:int>", "MAP<string,int>")
    },
    "partition by all features": (270176, [], {"partition_key": ["id"]}),
    **{
        f"{type_} kept online as {online_type}": (
            270176, [Feature("a", type_, online_type=online_type)], {"online_enabled": True},
        )
        for type_, online_type in (
            ("bigint", "int"), ("float", "double"), ("string", "varbinary(100)"),
            ("array<int>", "varchar(100)"), ("date", "timestamp"), ("boolean", "int"),
        )
    },
    **{
        f"online key that is {online_type}": (
            270176,
            [Feature("key", type_, primary=True, online_type=online_type)],
            {"online_enabled": True, "primary_key": ["id", "key"]},
        )
        for type_, online_type in (
            ("double", "double"), ("float", "float"), ("string", "text"), ("binary", "blob"),
        )
    },
    "online key of 4,008 bytes": (
        270176,
        [Feature(f"key_{number}", "string", primary=True) for number in range(10)],
        {"online_enabled": True, "primary_key": ["id", *(f"key_{each}" for each in range(10))]},
    ),
    "online row of 30,008 bytes": (
        270176,
        [Feature(f"word_{number}", "string") for number in range(75)],
        {"online_enabled": True},
    ),
    "501 online features": (
        270176, [Feature(f"n_{number}", "int") for number in range(500)], {"online_enabled": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "features", "options"), GROUPS.values(), ids=GROUPS)
def test_feature_group_that_hopsworks_refuses(feature_store, make, name, code, features, options):
    refused(code, lambda: make(*features, **options))
    assert feature_store.get_feature_group(name, 1) is None


ACCEPTED_GROUPS = {
    "longest names and texts": (
        [Feature("a" * 63, "int", "x" * 256)],
        {"description": "x" * 256, "version": 2**31 - 1},
    ),
    "event time of type bigint": ([Feature("at", "bigint")], {"event_time": "at"}),
    "event time of type date": ([Feature("at", "date")], {"event_time": "at"}),
    "event time of type timestamp": ([Feature("at", "TIMESTAMP")], {"event_time": "at"}),
    "types in brackets": (
        [
            Feature("a", "decimal(10, 2)"),
            Feature("b", "array<int>"),
            Feature("c", "struct<k:map<string,array<double>>>"),
        ],
        {},
    ),
    "no primary key": ([Feature("a", "int")], {"primary_key": []}),
    "other types online": (
        [
            Feature("a", "int", online_type="smallint"),
            Feature("b", "boolean", online_type="tinyint"),
            Feature("c", "string", online_type="text"),
            Feature("d", "array<double>", online_type="blob"),
            Feature("e", "timestamp", online_type="timestamp(3)"),
        ],
        {"online_enabled": True},
    ),
    "longest online row": (
        [Feature(f"word_{number}", "string") for number in range(74)],
        {"online_enabled": True},
    ),
    "most online features": (
        [Feature(f"n_{number}", "int") for number in range(499)],
        {"online_enabled": True},
    ),
    "longest online key": (
        [Feature("key", "string", primary=True, online_type="varchar(998)")],
        {"online_enabled": True, "primary_key": ["id", "key"]},
    ),
    "partition by time of a group that is neither HUDI nor a stream": (
        [Feature("at", "timestamp", partition=True)], {"partition_key": ["at"]},
    ),
}  # fmt: skip


PATH = "/project/1/featurestores/1/featuregroups"
ID = {"name": "id", "type": "bigint", "primary": True}


def new_group(name, **fields):
    """The body of a request that creates one."""
    body = {"name": name, "version": 1, "type": "cachedFeaturegroupDTO", "features": [ID]}
    return {**body, **fields}


def test_event_time_that_is_no_feature_is_refused(api, name):
    """The SDK itself looks for it; other clients may not."""
    answer = api("POST", PATH, json=new_group(name, eventTime="at"))
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 270172)


OTHER_FORMS = [
    ("ttl must be a whole number", {"ttl": {"days": 1}}),
    ("ttlEnabled must be true or false", {"ttlEnabled": "yes"}),
    ("onlineEnabled must be true or false", {"onlineEnabled": "yes"}),
    ("onlineConfig must be an object", {"onlineConfig": "yes"}),
    ("topicName must be text", {"topicName": 5}),
    ("transformationFunctions[0] must be an object", {"transformationFunctions": [5]}),
    ("features[0].description must be text", {"features": [{**ID, "description": 5}]}),
    ("features[0].offlineOnly must be true or false", {"features": [{**ID, "offlineOnly": "no"}]}),
    ("features[0].onlineType must be text", {"features": [{**ID, "onlineType": 5}]}),
]


@pytest.mark.parametrize(("sentence", "fields"), OTHER_FORMS)
def test_field_of_another_form_is_named(api, group, name, sentence, fields):
    """The SDK sends none of them; other clients may."""
    before = api("GET", f"{PATH}/{group.id}").json()
    created = api("POST", PATH, json=new_group(name, **fields))
    changed = api("PUT", f"{PATH}/{group.id}?updateMetadata=true", json={**before, **fields})
    for answer in (created, changed):
        assert answer.status_code == 400
        assert answer.json()["errorMsg"].startswith(f"{sentence}, not ")
    assert api("GET", f"{PATH}/{name}").status_code == 404
    assert api("GET", f"{PATH}/{group.id}").json() == before


def test_group_of_a_client_that_sends_no_functions_can_be_read(api, feature_store, name):
    assert api("POST", PATH, json=new_group(name)).ok
    assert feature_store.get_feature_group(name, 1).transformation_functions == []


def test_of_a_feature_that_is_there_only_the_description_changes(api, group):
    before = api("GET", f"{PATH}/{group.id}").json()
    more = {"description": "a number", "defaultValue": "five", "onlineType": "int"}
    features = [{**feature, **more} for feature in before["features"]]
    path = f"{PATH}/{group.id}?updateMetadata=true"
    assert api("PUT", path, json={**before, "features": features}).ok
    described = [{**feature, "description": "a number"} for feature in before["features"]]
    assert api("GET", f"{PATH}/{group.id}").json()["features"] == described


def test_statistics_of_no_feature_are_refused(api, group):
    nameless = [{"count": 1}]
    for body, sentence in (
        ({"featureDescriptiveStatistics": nameless}, "featureDescriptiveStatistics[0]"),
        (
            {"splitStatistics": [{"name": "train", "featureDescriptiveStatistics": nameless}]},
            "splitStatistics[0].featureDescriptiveStatistics[0]",
        ),
    ):
        answer = api("POST", f"{PATH}/{group.id}/statistics", json=body)
        said = (answer.status_code, answer.json()["errorMsg"])
        assert said == (400, f"{sentence} has no featureName.")


@pytest.mark.parametrize(
    ("leaf", "sentence"),
    [
        ({}, "query.filter.leftFilter has no feature."),
        ({"feature": {"name": "id"}}, "query.filter.leftFilter has no condition."),
        ({"feature": {"name": "id"}, "condition": "EQUALS"}, "The filter on 'id' has no value."),
    ],
)
def test_filter_without_a_part_is_refused(api, group, name, leaf, sentence):
    query = {"leftFeatureGroup": {"id": group.id}, "leftFeatures": [{"name": "id"}]}
    query["filter"] = {
        "type": "AND",
        "leftFilter": leaf,
        "rightFilter": {"feature": {"name": "id"}, "condition": "EQUALS", "value": "1"},
    }
    body = {"name": name, "version": 1, "query": query}
    answer = api("POST", "/project/1/featurestores/1/featureview", json=body)
    assert (answer.status_code, answer.json()["errorMsg"]) == (400, sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": 5}, ".name must be text, not '5'."),
        ({"sourceCode": None}, " has no sourceCode."),
        ({"outputTypes": None}, " has no outputTypes."),
        (
            {"outputTypes": ["decimal"]},
            ".outputTypes[0] must be one of string, bigint, double, boolean, timestamp, date, "
            "not 'decimal'.",
        ),
        ({"transformationFeatures": None}, " has no transformationFeatures."),
        ({"executionMode": None}, " has no executionMode."),
        (
            {"executionMode": "python"},
            ".executionMode must be one of DEFAULT, PANDAS, PYTHON, not 'python'.",
        ),
    ],
)
def test_function_that_the_sdk_could_not_read_is_refused(api, group, name, change, sentence):
    udf = {
        "name": name,
        "sourceCode": "def f(x): return x",
        "outputTypes": ["double"],
        "transformationFeatures": ["id"],
        "executionMode": "PYTHON",
        **change,
    }
    query = {"leftFeatureGroup": {"id": group.id}, "leftFeatures": [{"name": "id"}]}
    attached = {"name": name, "version": 1, "transformationFunctions": [{"hopsworksUdf": udf}]}
    store = "/project/1/featurestores/1"
    of_view = api("POST", f"{store}/featureview", json={**attached, "query": query})
    alone = api("POST", f"{store}/transformationfunctions", json={"hopsworksUdf": udf})
    assert of_view.status_code == alone.status_code == 400
    assert of_view.json()["errorMsg"] == f"transformationFunctions[0].hopsworksUdf{sentence}"
    assert alone.json()["errorMsg"] == f"hopsworksUdf{sentence}"


@pytest.mark.parametrize(("features", "options"), ACCEPTED_GROUPS.values(), ids=ACCEPTED_GROUPS)
def test_feature_group_that_hopsworks_accepts(make, features, options):
    assert make(*features, **options).id > 0


CHANGES = {
    **{
        f"default value {default!r:.20} of {type_}": (
            270139,
            lambda g, type_=type_, default=default: g.append_features(
                [Feature("n", type_, default_value=default)]
            ),
        )
        for type_, default in (
            ("int", "x"), ("int", "1.5"), ("int", str(2**31)), ("tinyint", "-129"),
            ("smallint", "32768"), ("bigint", str(2**63)), ("INT", "much"), ("double", "x"),
            ("boolean", "maybe"), ("date", "2024-13-01"), ("timestamp", "soon"),
            ("decimal(5,2)", "1000"), ("decimal(5, 2)", "0.001"), ("array<int>", "[1]"),
        )
    },
    "appended key": (270114, lambda g: g.append_features([Feature("k", "int", primary=True)])),
    "appended without type": (270212, lambda g: g.append_features([Feature("k")])),
    "description of 257 characters": (270092, lambda g: g.update_description("x" * 257)),
    "negative time to live": (270176, lambda g: g.enable_ttl(ttl=-1)),
    "feature description of 257 characters": (
        270092,
        lambda g: g.update_feature_description("x", "y" * 257),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "change"), CHANGES.values(), ids=CHANGES)
def test_change_of_a_feature_group_that_hopsworks_refuses(feature_store, group, code, change):
    before = group.to_dict()["features"]
    refused(code, lambda: change(feature_store.get_feature_group("checked", 1)))
    after = feature_store.get_feature_group("checked", 1)
    assert [each.name for each in after.columns] == [each.name for each in before]
    assert after.description == group.description


def test_another_type_of_a_feature_is_refused(group, api):
    path = f"{PATH}/{group.id}"
    features = api("GET", path).json()["features"]
    changed = [{**each, "type": "string"} if each["name"] == "x" else each for each in features]
    answer = api("PUT", f"{path}?updateMetadata=true", json={"features": changed})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 270114)


VIEWS = {
    "name with a capital": (270091, {"name": "Passengers"}),
    "version 0": (270058, {"version": 0}),
    "version of 33 bits": (270058, {"version": 2**31}),
    "description of 257 characters": (270092, {"description": "x" * 257}),
}


@pytest.mark.parametrize(("code", "options"), VIEWS.values(), ids=VIEWS)
def test_feature_view_that_hopsworks_refuses(feature_store, group, name, code, options):
    options = {"name": name, "version": 1, "query": group.select_all(), **options}
    refused(code, lambda: feature_store.create_feature_view(**options))
    assert feature_store.get_feature_view(name, 1) is None


@pytest.mark.parametrize("prefix", ["Right_", "right-", "_right", "1_", "r" * 64])
def test_prefix_of_a_join_that_hopsworks_refuses(feature_store, group, timed, name, prefix):
    query = group.select(["x"]).join(timed.select(["word"]), on=["id"], prefix=prefix)
    refused(270165, lambda: feature_store.create_feature_view(name, query, version=1))


def test_a_joined_group_without_a_feature_is_refused(feature_store, group, timed, name):
    query = group.select(["x"]).join(timed.select([]), on=["id"])
    refused(270180, lambda: feature_store.create_feature_view(name, query, version=1))


@pytest.mark.parametrize(("role", "code"), [("label", 270142), ("inferenceHelperColumn", 270225)])
def test_a_label_that_the_query_does_not_select_is_refused(api, group, name, role, code):
    """The SDK itself looks for it; other clients may not."""
    query = {"leftFeatureGroup": {"id": group.id}, "leftFeatures": [{"name": "x"}]}
    features = [{"name": "word", role: True, "featuregroup": {"id": group.id}}]
    body = {"name": name, "version": 1, "query": query, "features": features}
    answer = api("POST", "/project/1/featurestores/1/featureview", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, code)


TRAINING = {
    "version 0": (270058, {"version": 0}),
    "description of 257 characters": (270092, {"description": "x" * 257}),
    "format that is none": (270057, {"dataFormat": "xlsx"}),
    "format that is not embedded": (270057, {"dataFormat": "tfrecord"}),
    "statistics of no feature": (270108, {"statisticsConfig": {"columns": ["nothing"]}}),
    "split with a capital": (270098, {"splits": [{"name": "Train", "percentage": 1.0}]}),
    "split that leads out": (270098, {"splits": [{"name": "../out", "percentage": 1.0}]}),
    "split without share": (270099, {"splits": [{"name": "train"}]}),
    "split of nothing": (270099, {"splits": [{"name": "train", "percentage": 0.0}]}),
    "two splits of a name": (
        270106,
        {"splits": [{"name": "train", "percentage": 0.5}, {"name": "train", "percentage": 0.5}]},
    ),
    "training split that is none": (
        270098,
        {"splits": [{"name": "test", "percentage": 1.0}], "trainSplit": "train"},
    ),
    "training split without splits": (270098, {"trainSplit": "train"}),
    "split by time without event time": (
        270172,
        {"splits": [{"name": "train", "splitType": "TIME_SERIES_SPLIT", "startTime": 1,
                     "endTime": 2}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "options"), TRAINING.values(), ids=TRAINING)
def test_training_data_that_hopsworks_refuses(api, view, code, options):
    path = "/project/1/featurestores/1/featureview/checked/version/1/trainingdatasets"
    body = {"trainingDatasetType": "HOPSFS_TRAINING_DATASET", "dataFormat": "csv", **options}
    if options.get("splits"):
        body.setdefault("trainSplit", options["splits"][0]["name"])
    answer = api("POST", path, json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert view.get_training_datasets() == []


def test_a_filter_that_the_view_cannot_answer_is_refused_when_training_data_is_made(view, timed):
    refused(270082, lambda: view.create_training_data(extra_filter=timed.word == "a"))
    refused(270139, lambda: view.training_data(extra_filter=view.query.x == "much"))
    assert view.get_training_datasets() == []


@pytest.mark.parametrize(
    "times",
    [
        {"train": (1, None), "test": (HOUR, 2 * HOUR)},
        {"train": (2 * HOUR, HOUR), "test": (3 * HOUR, 4 * HOUR)},
        {"train": (1, 2 * HOUR), "test": (HOUR, 3 * HOUR)},
    ],
)
def test_splits_by_time_follow_each_other(feature_store, api, timed, times):
    view = feature_store.get_or_create_feature_view("checked_timed", timed.select_all(), version=1)
    path = f"/project/1/featurestores/1/featureview/{view.name}/version/1/trainingdatasets"
    splits = [
        {"name": name, "splitType": "TIME_SERIES_SPLIT", "startTime": start, "endTime": end}
        for name, (start, end) in times.items()
    ]
    body = {"trainingDatasetType": "IN_MEMORY_TRAINING_DATASET", "splits": splits}
    answer = api("POST", path, json={**body, "trainSplit": "train"})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 270206)


@pytest.mark.parametrize("word", ["", "two words", "naïve", "a" * 64, "a-b"])
def test_keyword_that_hopsworks_refuses(api, group, word):
    path = f"/project/1/featurestores/1/featuregroups/{group.id}/keywords"
    answer = api("POST", path, json={"keywords": [word]})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 270134)
    assert api("POST", path, json={"keywords": ["a" * 63, "Two_2"]}).ok


ABOUT = {"expectationType": "expect_column_max_to_be_between", "meta": "{}"}
EXPECTATIONS = {
    "column that is no feature": (270210, {"kwargs": '{"column": "nothing"}'}),
    "set with what is no feature": (270210, {"kwargs": '{"column_set": ["x", "nothing"]}'}),
    "list with what is no feature": (270210, {"kwargs": '{"column_list": ["nothing"]}'}),
    "arguments of 5,001 characters": (270200, {"kwargs": f'{{"a": "{"x" * 4992}"}}'}),
    "meta of 1,001 characters": (270200, {"meta": f'{{"a": "{"x" * 992}"}}', "kwargs": "{}"}),
    "type of 151 characters": (270200, {"expectationType": "x" * 151, "kwargs": "{}"}),
}  # fmt: skip
SUITES = {
    "name of 64 characters": {"expectationSuiteName": "x" * 64},
    "meta of 1,001 characters": {"meta": f'{{"a": "{"x" * 992}"}}'},
    "data asset type of 51 characters": {"dataAssetType": "x" * 51},
}


@pytest.fixture
def suites(api, group):
    """Where the expectation suite of `group` is made, which has none."""
    path = f"/project/1/featurestores/1/featuregroups/{group.id}/expectationsuite"
    yield path
    found = api("GET", path).json()
    if "id" in found:
        assert api("DELETE", f"{path}/{found['id']}").ok


@pytest.mark.parametrize(("code", "changes"), EXPECTATIONS.values(), ids=EXPECTATIONS)
def test_expectation_that_hopsworks_refuses(api, suites, code, changes):
    body = {"expectationSuiteName": "suite", "expectations": [{**ABOUT, **changes}]}
    answer = api("POST", suites, json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert api("GET", suites).json()["count"] == 0


@pytest.mark.parametrize("changes", SUITES.values(), ids=SUITES)
def test_expectation_suite_that_hopsworks_refuses(api, suites, changes):
    answer = api("POST", suites, json={"expectationSuiteName": "suite", **changes})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 270200)


def test_expectations_about_features_and_about_the_table_are_accepted(api, suites):
    arguments = ['{"column": "x"}', '{"column_set": ["id", "x"]}', '{"min_value": 1}']
    listed = [{**ABOUT, "kwargs": each} for each in arguments]
    body = {"expectationSuiteName": "x" * 63, "expectations": listed}
    assert len(api("POST", suites, json=body).json()["expectations"]) == 3


# Models

PLAIN = pytest.mark.filterwarnings("ignore:Model schema")  # of the SDK: it was given none


@pytest.fixture
def save(project, name, tmp_path):
    """Save a model of this version and get it back."""

    def save_and_get(version=None, **options):
        (tmp_path / "model.txt").write_text("model")
        registry = project.get_model_registry()
        options = {"name": name, "metrics": {"f1": 1}, **options}
        registry.python.create_model(version=version, **options).save(
            str(tmp_path), await_registration=5
        )
        return registry.get_model(options["name"], version)

    return save_and_get


@PLAIN
@pytest.mark.parametrize("version", [1, 999_999_999, 1_795_896_853, 2**31 - 1])
def test_every_version_of_a_model_that_hopsworks_takes_can_be_got_again(save, version):
    assert save(version).version == version


@PLAIN
def test_a_model_saved_in_a_notebook_of_hopsworks_is_registered(save, monkeypatch):
    monkeypatch.setenv("HOPSWORKS_KERNEL_ID", "3f2a")  # which the SDK then names
    assert save(1).version == 1


@PLAIN
@pytest.mark.parametrize("version", [-1, 0, 2**31, 2**40])
def test_version_of_a_model_beyond_32_bits_is_refused_at_once(project, save, name, version):
    assert f"from 1 to {2**31 - 1}, not {version}" in refused(120001, lambda: save(version))
    assert project.get_model_registry().get_models(name) == []


@pytest.mark.parametrize("bad", ["my-model", "my model", "my.model", "naïve"])
def test_name_of_a_model_that_hopsworks_refuses(api, bad):
    """The SDK itself looks at it; other clients may not."""
    path = f"/project/1/modelregistries/1/models/{bad}_1"
    answer = api("PUT", path, json={"name": bad, "version": 1, "framework": "PYTHON"})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 120001)
    assert "letters, digits and underscores" in answer.json()["errorMsg"]


# Paths of dataset storage begin with a dataset of the project


@pytest.mark.parametrize("target", ["/Projects/other/Resources", "Resorces/images", "Projects", ""])
def test_upload_into_no_dataset_of_the_project_is_refused(server, project, tmp_path, target):
    (tmp_path / "f.txt").write_text("x")

    def files():  # and not the logs of jobs that may still run
        paths = (server.store.home / "projects").rglob("*")
        return {path for path in paths if "Logs" not in path.parts}

    before = files()
    dataset_api = project.get_dataset_api()
    refused(110008, lambda: dataset_api.upload(str(tmp_path / "f.txt"), target))
    assert files() == before


@pytest.mark.parametrize("action", ["copy", "move"])
def test_copy_and_move_into_no_dataset_of_the_project_are_refused(project, tmp_path, action):
    (tmp_path / "g.txt").write_text("x")
    dataset_api = project.get_dataset_api()
    dataset_api.upload(str(tmp_path / "g.txt"), "Resources", overwrite=True)
    for target in ("g.txt", "Resorces/g.txt", "/Projects/other/Resources/g.txt"):
        refused(
            110008, lambda target=target: getattr(dataset_api, action)("Resources/g.txt", target)
        )
    assert dataset_api.exists("Resources/g.txt")


def test_a_folder_is_made_in_a_dataset_or_is_a_new_one(project):
    dataset_api = project.get_dataset_api()
    refused(110008, lambda: dataset_api.mkdir("Resorces/images"))
    refused(110008, lambda: dataset_api.mkdir("/Projects/other/Resources/images"))
    assert Path(dataset_api.mkdir("Pictures")).name == "Pictures"
    assert Path(dataset_api.mkdir("Pictures/small")).name == "small"


FOLDERS = ["a__b", "a&b", "ö", "ends.", "x" * 89, "[1]", "50%", "a+b", "what?"]


@pytest.mark.parametrize("bad", [*(f"Resources/{name}" for name in FOLDERS), "two words", "é"])
def test_name_of_a_folder_that_hopsworks_refuses(project, bad):
    refused(110028, lambda: project.get_dataset_api().mkdir(bad))
    assert not project.get_dataset_api().exists(bad)


@pytest.mark.parametrize("good", ["two words", "x" * 88, "a_b-c.d", "2026-01-31", ".hidden"])
def test_name_of_a_folder_that_hopsworks_takes(project, good):
    dataset_api = project.get_dataset_api()
    dataset_api.mkdir(f"Resources/{good}")
    assert dataset_api.exists(f"Resources/{good}")
    dataset_api.remove(f"Resources/{good}")


# What is let through with a notice


def test_feature_logging_is_told_to_be_missing_and_the_view_is_made(
    feature_store, group, name, caplog
):
    with caplog.at_level(logging.WARNING, "local_hopsworks"):
        view = feature_store.create_feature_view(
            name, group.select_all(), version=1, logging_enabled=True
        )
    assert "logs nothing: the embedded Hopsworks has no feature logging" in caplog.text
    assert len(view.get_batch_data()) == len(ROWS)


def test_a_hudi_group_that_is_not_to_be_online_gets_no_notice(make, caplog):
    with caplog.at_level(logging.WARNING, "local_hopsworks"):
        group = make(Feature("x", "int"), time_travel_format="HUDI")
    assert not [each for each in caplog.messages if group.name in each or "HUDI" in each]
