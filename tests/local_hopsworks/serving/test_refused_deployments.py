"""What a deployment cannot be here is refused by its name; what it can be nowhere, with Hopsworks'
codes."""

from __future__ import annotations

import pytest
from hopsworks.client.exceptions import RestAPIError
from hsml.inference_batcher import InferenceBatcher
from hsml.inference_logger import InferenceLogger
from hsml.resources import PredictorResources, Resources


def body(**changes):
    return {
        "name": "refused",
        "modelServer": "PYTHON",
        "servingTool": "KSERVE",
        "modelName": "served",
        "modelVersion": 1,
        "modelFramework": "SKLEARN",
        **changes,
    }


def gpus(count):
    return {"requests": {"gpus": count}, "limits": {"gpus": count}}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"modelServer": "TENSORFLOW_SERVING"}, "TensorFlow Serving"),
        ({"modelServer": "VLLM"}, "LLM deployments"),
        ({"apiProtocol": "GRPC"}, "gRPC"),
        ({"requestedInstances": 2}, "more than one instance of a predictor"),
        ({"predictorScalingConfig": {"minInstances": 3}}, "more than one instance of a predictor"),
        ({"requestedTransformerInstances": 2}, "more than one instance of a transformer"),
        ({"predictorResources": gpus(1)}, "GPUs"),
        ({"transformerResources": gpus(0.5)}, "GPUs"),
        ({"batchingConfiguration": {"batchingEnabled": True}}, "inference batching"),
        ({"inferenceLogging": "ALL"}, "inference logging"),
        ({"tracing": {"enabled": True}}, "tracing"),
        ({"gitUrl": "https://localhost/repository.git"}, "Git"),
        ({"modelName": None, "modelVersion": None}, "HTTP server of their own"),
    ],
)
def test_what_only_a_cluster_can_do_is_refused_by_its_name(api, model, changes, named):
    answer = api("PUT", "/project/1/serving", json=body(**changes))
    assert answer.status_code == 501 and named in answer.json()["usrMsg"], answer.text


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"name": "with_underscore"}, 240001, "letters and digits"),
        ({"name": ""}, 240001, "letters and digits"),
        ({"name": "../../etc"}, 240001, "letters and digits"),
        ({"modelServer": "NONSENSE"}, 240001, "no model server"),
        ({"predictorEnvVars": ["COLOUR"]}, 240001, "NAME=value"),
        ({"predictorEnvVars": ["HOPSWORKS_API_KEY=x"]}, 240001, "Hopsworks' own"),
        ({"modelVersion": 99}, 240006, "no version 99"),
        ({"modelName": "nothing"}, 240006, "'nothing'"),
        ({"predictor": "Resources/nothing.py"}, 240016, "not in dataset storage"),
        ({"modelFramework": "PYTHON"}, 240016, "needs a predictor script"),
        ({"id": 10**9}, 240000, "no deployment"),
        ({"predictor": "../../../../etc/passwd"}, 110001, "cannot be the name"),
        ({"predictorEnvVars": "COLOUR=blue"}, 120001, "a list"),
        ({"name": None}, 120001, "has no name"),
        ({"servingTool": None}, 120001, "has no servingTool"),
        ({"servingTool": "BENTO"}, 120001, "must be one of DEFAULT, KSERVE"),
        ({"modelFramework": "JAX"}, 120001, "must be one of TENSORFLOW, TORCH, PYTHON"),
        ({"predictorScalingConfig": {}}, 120001, "has no minInstances"),
    ],
)
def test_impossible_deployment_is_refused_with_a_sentence(api, model, changes, code, sentence):
    answer = api("PUT", "/project/1/serving", json=body(**changes))
    found = answer.json()
    assert answer.status_code in (400, 404), answer.text
    assert (found["errorCode"], sentence in found["usrMsg"]) == (code, True), answer.text
    assert api("GET", "/project/1/serving", params={"name": "refused"}).status_code == 404


def test_deployment_of_a_client_that_tells_no_scaling_can_be_read(api, model, project):
    assert api("PUT", "/project/1/serving", json=body(name="unscaled")).ok
    deployment = project.get_model_serving().get_deployment("unscaled")
    assert deployment.predictor.scaling_configuration.min_instances == 1
    deployment.delete()


def test_refusals_reach_a_program_of_the_sdk(deploy, project):
    with pytest.raises(RestAPIError, match="inference batching"):
        deploy("doubles", inference_batcher=InferenceBatcher(enabled=True))
    with pytest.raises(RestAPIError, match="inference logging"):
        deploy("doubles", inference_logger=InferenceLogger(mode="ALL"))
    many = PredictorResources(num_instances=1, requests=Resources(1, 512, 2))
    with pytest.raises(RestAPIError, match="GPUs"):
        deploy("doubles", resources=many)
    with pytest.raises(RestAPIError, match="vLLM"):
        project.get_model_serving().get_vllm_image_tags()


def test_versions_of_a_deployment_are_refused_by_name(deploy):
    deployment = deploy("doubles")
    for call in (
        deployment.get_versions,
        lambda: deployment.rollback(1),
        lambda: deployment.save(new_version=True),
    ):
        with pytest.raises(RestAPIError, match="versions of a deployment"):
            call()


@pytest.mark.parametrize(
    ("query", "code"), [({}, 240008), ({"action": "DANCE"}, 240007), ({"action": ""}, 240008)]
)
def test_deployment_can_only_start_and_stop(api, deploy, query, code):
    answer = api("POST", f"/project/1/serving/{deploy('doubles').id}", params=query)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
