"""The model registry: everything the SDK does with models and their files."""

import http.client
import json
import re
import secrets
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from hsml.model_schema import ModelSchema
from hsml.schema import Schema

from local_hopsworks import Server
from local_hopsworks.server import KEEP_ALIVE_SECONDS

DOWNLOADS = Path(__file__).with_name("programs") / "downloads_of_each.py"

# The SDK warns that a model without a feature view has no provenance
pytestmark = pytest.mark.filterwarnings("ignore::hopsworks_common.util.ProvenanceWarning")
NAME = f"t_{secrets.token_hex(4)}"
FEATURES = pd.DataFrame({"pclass": [1, 3], "sex": [0, 1]})
FILES = {"model.bin": b"\x00weights", "empty.txt": b"", "inner/über.txt": b"deep"}


@pytest.fixture(scope="module")
def registry(project):
    return project.get_model_registry()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model's files as a training pipeline leaves them."""
    base = tmp_path_factory.mktemp("model")
    for name, content in FILES.items():
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_bytes(content)
    return base


@pytest.fixture(scope="module")
def view(feature_store):
    group = feature_store.create_feature_group(NAME, 1, primary_key=["passenger_id"])
    group.insert(FEATURES.assign(passenger_id=[1, 2], survived=[1, 0]))
    view = feature_store.create_feature_view(
        NAME, group.select_all(), labels=["survived"], version=1
    )
    view.training_data()
    return view


def ask(connection, api_key):
    connection.request(
        "GET", "/hopsworks-api/api/project", headers={"Authorization": f"ApiKey {api_key}"}
    )
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture(scope="module")
def connection(server):
    """A connection that has been used once."""
    context = ssl.create_default_context(cafile=server.store.security / "ca.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
    ask(connection, server.api_key)
    yield connection
    connection.close()


@pytest.fixture(scope="module", autouse=True)
def saved(registry, project, folder, view, connection):
    """Versions 1 to 4 of one model, all saved at once, because each save sleeps 5 s."""
    project.get_dataset_api().mkdir(f"Models/{NAME}")
    schema = ModelSchema(Schema(FEATURES), Schema(pd.DataFrame({"survived": [0]})))
    whole = {
        "description": "who survives",
        "model_schema": schema,
        "input_example": FEATURES.head(1),
        "feature_view": view,
        "training_dataset_version": 1,
        "tags": [
            {"name": "year", "value": "1912"},
            {"name": "port", "value": {"name": "Southampton"}},
        ],
    }
    flavours = [
        registry.sklearn.create_model(
            NAME, version=1, metrics={"accuracy": 0.8, "loss": 0.4}, **whole
        ),
        registry.python.create_model(NAME, version=2, metrics={"accuracy": 0.9, "loss": 0.6}),
        registry.python.create_model(
            NAME, version=3, metrics={"accuracy": 0.9, "loss": float("nan")}
        ),
        registry.python.create_model(NAME, version=4),
    ]
    options = {"keep_original_files": True}
    with ThreadPoolExecutor(4) as pool:
        return [pool.submit(model.save, str(folder), **options) for model in flavours]


def test_versions_are_saved_at_once(saved):
    for version in saved:
        version.result()


def test_saved_model_is_found_as_it_was_described(registry):
    model = registry.get_model(NAME, 1)
    assert (model.name, model.version, model.description) == (NAME, 1, "who survives")
    assert (model.framework, registry.get_model(NAME, 2).framework) == ("SKLEARN", "PYTHON")
    assert {key: float(value) for key, value in model.training_metrics.items()} == {
        "accuracy": 0.8,
        "loss": 0.4,
    }
    assert model.created and model.project_name == "tests"


def test_schema_and_input_example_come_back(registry):
    model = registry.get_model(NAME, 1)
    columns = model.model_schema["input_schema"]["columnar_schema"]
    assert [column["name"] for column in columns] == ["pclass", "sex"]
    assert np.array_equal(np.ravel(model.input_example), [1, 0])


def test_downloaded_files_are_those_that_were_saved(registry, tmp_path):
    found = Path(registry.get_model(NAME, 1).download(local_path=str(tmp_path)))
    assert {name: (found / name).read_bytes() for name in FILES} == FILES


def test_downloading_again_takes_the_same_files(registry):
    model = registry.get_model(NAME, 1)
    assert model.download() == model.download()
    assert (Path(model.download()) / "model.bin").read_bytes() == FILES["model.bin"]


def test_all_versions_are_listed(registry):
    assert [model.version for model in registry.get_models(NAME)][:3] == [1, 2, 3]


def test_best_model_is_the_newest_of_the_best(registry):
    assert registry.get_best_model(NAME, "accuracy", "max").version == 3
    assert registry.get_best_model(NAME, "accuracy", "min").version == 1


def test_model_without_the_metric_is_never_the_best(registry):
    assert registry.get_best_model(NAME, "loss", "max").version == 2
    assert registry.get_best_model(NAME, "loss", "min").version == 1
    assert registry.get_best_model(NAME, "never_measured", "max") is None


def test_missing_model_is_none(registry, name):
    assert registry.get_model(name, 1) is None
    assert registry.get_model(NAME, 99) is None
    assert registry.get_models(name) == []


def test_tags_come_with_a_model_or_later(registry):
    model = registry.get_model(NAME, 1)
    assert model.get_tags() == {"year": "1912", "port": {"name": "Southampton"}}
    model.add_tag("stage", {"name": "production", "since": 1912})
    assert model.get_tag("stage") == {"name": "production", "since": 1912}
    model.delete_tag("stage")
    assert model.get_tag("stage") is None
    assert registry.get_model(NAME, 2).get_tags() == {}


def test_model_knows_the_feature_view_and_training_data_it_came_from(registry):
    model = registry.get_model(NAME, 1)
    view = model.get_feature_view()
    assert (view.name, view.version) == (NAME, 1)
    assert [data.version for data in model.get_training_dataset_provenance().accessible] == [1]
    assert [view.name for view in model.get_feature_view_provenance().accessible] == [NAME]
    assert [found.version for found in view.get_models()] == [1]


def test_model_without_a_feature_view_has_no_provenance(registry):
    assert registry.get_model(NAME, 2).get_feature_view_provenance() is None


def test_address_of_a_model_is_its_page(registry, server):
    assert registry.get_model(NAME, 1).get_url() == f"{server.address}/p/1/models/{NAME}/1"


def test_registered_version_cannot_be_registered_again(api):
    model = {"name": NAME, "version": 1, "framework": "PYTHON"}
    answer = api("PUT", f"/project/1/modelregistries/1/models/{NAME}_1", json=model)
    assert (answer.status_code, answer.json()["errorMsg"]) == (
        400,
        f"Model {NAME} version 1 is registered already.",
    )


@pytest.mark.parametrize(
    "model", [{"name": "..", "version": 1}, {"name": "a/b", "version": 1}, {"name": "x"}]
)
def test_model_of_an_impossible_name_or_version_is_refused(api, model):
    path = f"{model['name'].replace('/', '%2F')}_{model.get('version')}"
    model = {"framework": "PYTHON", **model}
    answer = api("PUT", f"/project/1/modelregistries/1/models/{path}", json=model)
    assert answer.status_code in (400, 501) and answer.json()["errorMsg"]


def test_framework_that_the_sdk_has_no_class_for_is_refused(api, registry):
    path = f"/project/1/modelregistries/1/models/{NAME}"
    sentence = "framework must be one of TENSORFLOW, TORCH, PYTHON, SKLEARN, LLM, not 'JAX'."
    model = {"name": NAME, "version": 77}
    for answer, said in (
        (api("PUT", f"{path}_77", json=model), "The body has no framework."),
        (api("PUT", f"{path}_77", json={**model, "framework": "JAX"}), sentence),
        (api("PATCH", f"{path}_1", json={"framework": "JAX"}), sentence),
    ):
        assert (answer.status_code, answer.json()["errorMsg"]) == (400, said)
    before = registry.get_model(NAME, 1).framework
    assert api("PATCH", f"{path}_1", json={"framework": None}).ok
    assert registry.get_model(NAME, 1).framework == before


def test_deleted_version_leaves_neither_files_nor_metadata(registry, project):
    registry.get_model(NAME, 4).delete()
    assert registry.get_model(NAME, 4) is None
    assert not project.get_dataset_api().exists(f"Models/{NAME}/4")


# ------------------------------------------------------------------------------------------------
# traps of the protocol


def test_connection_outlives_the_sleep_inside_save(saved, connection, server):
    assert KEEP_ALIVE_SECONDS > 600
    assert server._http.config.timeout_keep_alive == KEEP_ALIVE_SECONDS
    # Idle since before the models were saved; http.client never reconnects
    status, _ = ask(connection, server.api_key)
    assert status == 200


@pytest.fixture
def two_stores(tmp_path):
    """Two servers of two stores with the same project; each has version 1 of a model titanic."""
    with Server(tmp_path / "first", "same") as first, Server(tmp_path / "second", "same") as second:
        for server in (first, second):
            files = server.store.dataset("same", "Models/titanic/1/Files")
            files.mkdir(parents=True)
            (files / "model.txt").write_text(f"of the {server.store.home.name}")
            address = (
                f"{server.address}/hopsworks-api/api/project/1/modelregistries/1/models/titanic_1"
            )
            model = {"name": "titanic", "version": 1, "framework": "PYTHON"}
            headers = {"Authorization": f"ApiKey {server.api_key}"}
            assert requests.put(address, json=model, headers=headers, verify=False, timeout=60).ok
        yield [first, second]


def test_same_version_of_another_store_is_downloaded_afresh(two_stores, run, tmp_path):
    # The SDK keeps what it downloaded in <temp>/hopsworks/models/{project}/{name}/{version}/{id}
    logins = [
        {
            "host": "127.0.0.1",
            "port": server.port,
            "project": "same",
            "api_key_value": server.api_key,
        }
        for server in two_stores
    ]
    result = run(sys.executable, DOWNLOADS, json.dumps(logins), env={"TMPDIR": str(tmp_path)})
    assert re.findall("of the .*", result.stdout) == ["of the first", "of the second"], (
        result.stderr
    )
