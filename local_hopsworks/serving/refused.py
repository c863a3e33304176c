"""What a deployment can be on Hopsworks and cannot be here, each refused by its name; and what is
wrong with one anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local_hopsworks.errors import HopsworksError, NotEmbedded
from local_hopsworks.serving.errors import ILLEGAL_DEPLOYMENT

PYTHON = "PYTHON"
_MODEL_SERVERS = {"TENSORFLOW_SERVING": "TensorFlow Serving", "VLLM": "LLM deployments (vLLM)"}
_NAME = re.compile(r"[A-Za-z0-9]{1,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[^\0]*", re.DOTALL)


def check(document: dict[str, Any]) -> None:
    """Raises HopsworksError for a deployment that no Hopsworks takes, NotEmbedded for one that only
    a real Hopsworks can run."""
    name = document["name"]
    if not _NAME.fullmatch(name):
        raise HopsworksError(
            f"A deployment's name is 1 to 63 letters and digits, not {name[:80]!r}.",
            ILLEGAL_DEPLOYMENT,
        )
    for key in ("predictorEnvVars", "transformerEnvVars"):
        for text in document.get(key) or []:
            _check_variable(text)
    for what in _beyond(document):
        raise NotEmbedded(what)
    server = document["modelServer"]
    if server != PYTHON:
        raise HopsworksError(f"There is no model server {server[:80]!r}.", ILLEGAL_DEPLOYMENT)


def _check_variable(text: str) -> None:
    if not _VARIABLE.fullmatch(text):
        raise HopsworksError(
            f"{text[:80]!r} is no environment variable; write NAME=value.", ILLEGAL_DEPLOYMENT
        )
    if text.upper().startswith("HOPSWORKS_"):
        raise HopsworksError(
            f"The environment variable {text.partition('=')[0]} is Hopsworks' own; choose a name "
            "that does not begin with HOPSWORKS_.",
            ILLEGAL_DEPLOYMENT,
        )


def _beyond(document: dict[str, Any]) -> Iterator[str]:
    """The names of what this server does not do for a deployment."""
    server = document["modelServer"]
    if server in _MODEL_SERVERS:
        yield _MODEL_SERVERS[server]
    if document.get("apiProtocol") not in (None, "REST"):
        yield "deployments over gRPC"
    if document.get("gitUrl"):
        yield "deployments from Git"
    if (document.get("tracing") or {}).get("enabled"):
        yield "tracing of deployments"
    if (document.get("batchingConfiguration") or {}).get("batchingEnabled"):
        yield "inference batching"
    if document.get("inferenceLogging") not in (None, "NONE"):
        yield "inference logging"
    for component in ("predictor", "transformer"):
        if _instances(document, component) > 1:
            yield f"more than one instance of a {component}"
        if _gpus(document.get(f"{component}Resources") or {}) > 0:
            yield "GPUs for a deployment"


def _instances(document: dict[str, Any], component: str) -> int:
    """How many processes the component must have."""
    key = "requestedInstances" if component == "predictor" else "requestedTransformerInstances"
    scaling = document.get(f"{component}ScalingConfig") or {}
    return max(document.get(key) or 0, scaling.get("minInstances") or 0)


def _gpus(resources: dict[str, Any]) -> float:
    limits = [resources.get(key) or {} for key in ("requests", "limits")]
    return max(float(limit.get("gpus") or 0) for limit in limits)
