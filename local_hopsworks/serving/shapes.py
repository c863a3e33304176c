"""What the handlers of deployments rely on in the bodies of requests; see http/shapes.py."""

from __future__ import annotations

from local_hopsworks.models.shapes import FRAMEWORKS

_LIMITS = {"cores": float, "memory": float, "gpus": float}
_RESOURCES = {"requests": _LIMITS, "limits": _LIMITS}
_SCALING = {"minInstances!": int, "maxInstances": int}
DEPLOYMENT = {
    "id": int,
    "name!": str,
    "description": str,
    "modelName": str,
    "modelVersion": int,
    "modelPath": str,
    "modelFramework": FRAMEWORKS,
    "modelServer!": str,
    "servingTool!": ("DEFAULT", "KSERVE"),
    "apiProtocol": str,
    "predictor": str,
    "transformer": str,
    "configFile": str,
    "requestedInstances": int,
    "requestedTransformerInstances": int,
    "predictorResources": _RESOURCES,
    "transformerResources": _RESOURCES,
    "predictorScalingConfig": _SCALING,
    "transformerScalingConfig": _SCALING,
    "predictorEnvVars": [str],
    "transformerEnvVars": [str],
    "predictorEnvironment": {"name": str},
    "transformerEnvironment": {"name": str},
    "inferenceLogging": str,
    "batchingConfiguration": {"batchingEnabled": bool},
}
