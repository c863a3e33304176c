"""How each public method of ModelServing, Deployment and Predictor is called."""

from __future__ import annotations

from typing import Any

from calls_project import Calls
from hsml.model import Predictor  # its own module cannot be imported first
from world import World


def _predictor(w: World) -> Any:
    return w.serving.create_predictor(w.model, name=w.plain_name(), script_file=w.new_script())


def _tagged(w: World) -> Any:
    w.deployment.add_tag("colour", "blue")
    return w.deployment


def _stopped(w: World) -> str:
    deployment = w.new_deployment()
    deployment.start(await_running=60)
    deployment.stop(await_stopped=60)
    return str(deployment.get_state().status)


def _changed(w: World) -> Any:
    deployment = w.new_deployment()
    deployment.env_vars = {"COLOUR": "blue"}
    deployment.save()
    return w.serving.get_deployment(deployment.name).env_vars


def _deleted(w: World) -> bool:
    deployment = w.new_deployment()
    deployment.delete()
    return w.serving.get_deployment(deployment.name) is None


SERVING: Calls = {
    "create_deployment": lambda w: (
        w.serving.create_deployment(_predictor(w), name="mine").name == "mine"
    ),
    "create_endpoint": lambda w: w.serving.create_endpoint(w.plain_name(), w.new_script()).deploy(),
    "create_feature_view_predictor": lambda w: w.serving.create_feature_view_predictor(
        w.view, training_dataset_version=1
    ),
    "create_predictor": lambda w: _predictor(w).model_name == w.model.name,
    "create_transformer": lambda w: w.serving.create_transformer(script_file=w.new_script()),
    "deploy_agent": lambda w: w.serving.deploy_agent(str(w.local_script())),
    "get_deployment": lambda w: w.serving.get_deployment(w.deployment.name).id == w.deployment.id,
    "get_deployment_by_id": lambda w: (
        w.serving.get_deployment_by_id(w.deployment.id).name == w.deployment.name
    ),
    "get_deployments": lambda w: w.deployment.id in [one.id for one in w.serving.get_deployments()],
    "get_inference_endpoints": lambda w: w.serving.get_inference_endpoints() == [],
    "get_vllm_image_tags": lambda w: w.serving.get_vllm_image_tags(),
}

DEPLOYMENT: Calls = {
    "add_tag": lambda w: _tagged(w).get_tag("colour") == "blue",
    "commit_feature_logs": lambda w: w.deployment.commit_feature_logs(),
    "create_feature_monitoring": lambda w: w.deployment.create_feature_monitoring("monitoring"),
    "create_model_monitoring": lambda w: w.deployment.create_model_monitoring("monitoring"),
    "delete": _deleted,
    "delete_tag": lambda w: (
        _tagged(w).delete_tag("colour"),
        w.deployment.get_tag("colour") is None,
    )[1],
    "describe": lambda w: w.deployment.describe(),
    "download_artifact_files": lambda w: w.deployment.download_artifact_files(str(w.new_place())),
    "download_logs": lambda w: len(w.deployment.download_logs(str(w.new_place()))) == 1,
    # of deployments without a model only
    "get_endpoint_url": lambda w: w.deployment.get_endpoint_url() is None,
    "get_feature_view": lambda w: w.deployment.get_feature_view().name == w.view.name,
    "get_inference_url": lambda w: w.deployment.get_inference_url().endswith(":predict"),
    "get_logs": lambda w: w.deployment.get_logs(),
    "get_model": lambda w: w.deployment.get_model().id == w.model.id,
    "get_monitoring_configs": lambda w: w.deployment.get_monitoring_configs(),
    "get_openai_url": lambda w: w.deployment.get_openai_url() is None,
    "get_state": lambda w: w.deployment.get_state().status == "Running",
    "get_tag": lambda w: _tagged(w).get_tag("colour") == "blue",
    "get_tags": lambda w: _tagged(w).get_tags() == {"colour": "blue"},
    "get_url": lambda w: w.deployment.get_url(),
    "get_versions": lambda w: w.deployment.get_versions(),
    "init_predict": lambda w: w.deployment.init_predict(),
    "is_created": lambda w: w.deployment.is_created() is True,
    "is_running": lambda w: w.deployment.is_running() is True,
    "is_stopped": lambda w: w.deployment.is_stopped() is False,
    "predict": lambda w: w.deployment.predict(inputs=[1, 2]) == {"predictions": [[2, 4]]},
    "read_logs": lambda w: "loaded" in w.deployment.read_logs(),
    "reinfer_schema": lambda w: w.deployment.reinfer_schema(),
    "restart": lambda w: (w.deployment.restart(), w.deployment.is_running())[1],
    "rollback": lambda w: w.deployment.rollback(1),
    "save": lambda w: _changed(w) == {"COLOUR": "blue"},
    "start": lambda w: w.deployment.is_running() is True,
    "stop": lambda w: _stopped(w) == "Stopped",
    "tail_logs": lambda w: (
        "loaded" in "".join(w.deployment.tail_logs(since=None, timeout=0.1, interval=0.1))
    ),
}

PREDICTOR: Calls = {
    "deploy": lambda w: _predictor(w).deploy().get_state().status == "Created",
    "describe": lambda w: _predictor(w).describe(),
    "for_feature_view": lambda w: Predictor.for_feature_view(
        w.view, name=w.plain_name(), training_dataset_version=1
    ),
    "for_model": lambda w: (
        Predictor.for_model(w.model, name="mine", script_file=w.new_script()).name == "mine"
    ),
    "for_server": lambda w: Predictor.for_server("mine", w.new_script()).deploy(),
    "get_endpoint_url": lambda w: w.deployment.predictor.get_endpoint_url() is None,
    "get_inference_url": lambda w: w.deployment.predictor.get_inference_url().endswith(":predict"),
    "get_openai_url": lambda w: w.deployment.predictor.get_openai_url() is None,
}
