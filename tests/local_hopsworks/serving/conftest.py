"""What the tests of deployments share: a model, and deployments that are gone after the test."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests import processes

SCRIPTS = Path(__file__).resolve().parent.parent / "programs" / "deployments"


@pytest.fixture(scope="session")
def wait():
    """Until something is true; fails if it never is."""
    return processes.wait


@pytest.fixture(scope="session")
def estimator():
    """A scikit-learn model of two features."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit([[0, 0], [0, 1], [3, 3], [4, 3]], [0, 0, 1, 1])


@pytest.fixture(scope="session")
def model(project, estimator, tmp_path_factory):
    """That model in the model registry."""
    import joblib
    from hsml.model_schema import ModelSchema
    from hsml.schema import Schema

    columns = Schema([{"name": name, "type": "bigint"} for name in ("a", "b")])
    folder = tmp_path_factory.mktemp("model")
    joblib.dump(estimator, folder / "estimator.joblib")
    saved = project.get_model_registry().sklearn.create_model(
        "served", model_schema=ModelSchema(input_schema=columns)
    )
    saved.save(str(folder / "estimator.joblib"))
    return saved


@pytest.fixture
def script():
    """The path of a script of these tests."""
    return lambda name: str(SCRIPTS / f"{name}.py")


@pytest.fixture
def deploy(model, script):
    """Deploy the model with one of the scripts; not started yet."""
    made = []

    def create(predictor=None, **options):
        name = f"d{uuid.uuid4().hex[:12]}"
        file = script(predictor) if predictor else None
        deployment = model.deploy(name, script_file=file, **options)
        made.append(deployment)
        return deployment

    yield create
    for deployment in made:
        if deployment._serving_api._get_by_id(deployment.id) is not None:
            deployment.delete(force=True)


@pytest.fixture
def started(deploy, wait):
    """Deploy the model with one of the scripts, and wait until it runs. (The SDK's own `start`
    looks every five seconds.)"""

    def start(predictor=None, **options):
        deployment = deploy(predictor, **options)
        deployment.start(await_running=0)
        wait(lambda: deployment.get_state().status == "Running")
        return deployment

    return start
