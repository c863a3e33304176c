"""Our answers beside the SDK's own parsers: each is taken by its parser and has no field that the
parser would drop."""

import inspect
import json

import humps
import pandas as pd
import pytest
from hopsworks_common.execution import Execution
from hopsworks_common.job import Job
from hopsworks_common.job_schedule import JobSchedule
from hopsworks_common.project import Project
from hopsworks_common.secret import Secret
from hopsworks_common.tag import Tag
from hsfs.constructor.fs_query import FsQuery
from hsfs.constructor.join import Join
from hsfs.constructor.query import Query
from hsfs.core.feature_descriptive_statistics import FeatureDescriptiveStatistics
from hsfs.feature import Feature
from hsfs.feature_group import FeatureGroup
from hsfs.feature_store import FeatureStore
from hsfs.feature_view import FeatureView
from hsfs.statistics import Statistics
from hsfs.training_dataset import TrainingDataset
from hsfs.training_dataset_feature import TrainingDatasetFeature
from hsml.model import Model

NAME = "shapes"
STORE = "/project/1/featurestores/1"
# What its parsers do not name, but the SDK reads elsewhere, Hopsworks shows on its pages, or
# clients of Java need
BESIDE = {"href", "type", "items", "count"}
BESIDE_OF = {
    "feature view": {"features", "created", "creator", "on_demand_transformation_functions"},
    "query of a view": {"hive_engine"},
    "statistics of a feature": {"stddev"},
    "model": {"experiment_id", "llm", "job_name"},
}


@pytest.fixture(scope="module")
def answer_about(project, feature_store, api, tmp_path_factory):
    """Ask for one thing of every kind, once each is stored."""
    group = feature_store.get_or_create_feature_group(
        NAME, 1, primary_key=["id"], event_time="at", description="d"
    )
    group.insert(
        pd.DataFrame(
            {
                "id": [1, 2, 3, 4],
                "at": pd.Timestamp("2024-01-01").as_unit("us"),
                "x": [1.0, 2, 3, 4],
            }
        )
    )
    other = feature_store.get_or_create_feature_group(f"{NAME}_other", 1, primary_key=["id"])
    other.insert(pd.DataFrame({"id": [1, 2], "y": [0, 1]}))
    other.add_tag("reviewed", "yes")
    query = group.select_all().filter(group.x > 0).join(other.select(["y"]), prefix="o_")
    view = feature_store.get_or_create_feature_view(NAME, query, 1, labels=["o_y"])
    view.train_test_split(test_size=0.5)
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "work.py").write_text("print('done')")
    script = project.get_dataset_api().upload(str(folder / "work.py"), "Resources", overwrite=True)
    job = project.get_job_api().create_job(
        NAME, {"type": "pythonJobConfiguration", "appPath": script}
    )
    job.run(await_termination=False)
    job.schedule("0 0 6 ? * * *")
    registry = project.get_model_registry()
    registry.python.create_model(
        NAME, metrics={"a": 1}, feature_view=view, training_dataset_version=1
    ).save(str(folder / "work.py"))
    secret = "a secret"
    api("POST", "/users/secrets", json={"name": NAME, "secret": secret, "visibility": "PRIVATE"})
    plan = {"leftFeatureGroup": {"id": group.id}, "leftFeatures": [{"name": "x"}]}
    paths = {
        "project": f"/project/getProjectInfo/{project.name}",
        "feature store": f"/project/1/featurestores/{project.name}_featurestore",
        "feature group": f"{STORE}/featuregroups/{group.id}",
        "statistics": f"{STORE}/featuregroups/{group.id}/statistics?fields=content",
        "tags": f"{STORE}/featuregroups/{other.id}/tags",
        "feature view": f"{STORE}/featureview/{NAME}/version/1",
        "training dataset": f"{STORE}/featureview/{NAME}/version/1/trainingdatasets/version/1",
        "model": f"/project/1/modelregistries/1/models/{NAME}_1",
        "job": f"/project/1/jobs/{NAME}",
        "execution": f"/project/1/jobs/{NAME}/executions",
        "secret": f"/users/secrets/{NAME}",
    }

    def ask(kind):
        if kind == "query":
            answer = api("PUT", "/project/1/featurestores/query", json=plan)
        else:
            answer = api("GET", paths[kind])
        assert answer.ok, answer.text
        return answer.json()

    yield ask
    api("DELETE", f"/users/secrets/{NAME}")


def items(answer):
    return answer["items"][0]


PARTS = {
    "project": (Project, lambda a: a("project")),
    "feature store": (FeatureStore, lambda a: a("feature store")),
    "feature group": (FeatureGroup, lambda a: a("feature group")),
    "feature": (Feature, lambda a: a("feature group")["features"][0]),
    "statistics": (Statistics, lambda a: items(a("statistics"))),
    "statistics of a feature": (
        FeatureDescriptiveStatistics,
        lambda a: items(a("statistics"))["featureDescriptiveStatistics"][0],
    ),
    "tags": (Tag, lambda a: a("tags")),
    "feature view": (FeatureView, lambda a: a("feature view")),
    "feature of a view": (TrainingDatasetFeature, lambda a: a("feature view")["features"][0]),
    "query of a view": (Query, lambda a: a("feature view")["query"]),
    "join": (Join, lambda a: a("feature view")["query"]["joins"][0]),
    "training dataset": (TrainingDataset, lambda a: a("training dataset")),
    "planned query": (FsQuery, lambda a: a("query")),
    "model": (Model, lambda a: a("model")),
    "job": (Job, lambda a: a("job")),
    "schedule": (JobSchedule, lambda a: a("job")["jobSchedule"]),
    "execution": (Execution, lambda a: items(a("execution"))),
    "secret": (Secret, lambda a: a("secret")),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_sdk_knows_every_field_and_takes_the_answer(answer_about, part):
    parser, choose = PARTS[part]
    answer = json.loads(json.dumps(choose(answer_about)))
    known = set(inspect.signature(parser.__init__).parameters) | BESIDE | BESIDE_OF.get(part, set())
    assert set(humps.decamelize(answer)) - known == set()
    more = {"job": Job.from_response_json(answer_about("job"))} if parser is Execution else {}
    parsed = parser.from_response_json(answer, **more)
    assert all(
        isinstance(one, parser) for one in (parsed if isinstance(parsed, list) else [parsed])
    )
    assert parsed != []
