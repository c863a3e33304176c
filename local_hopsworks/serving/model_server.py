"""The program of a deployment's process: loads the model and answers predictions (KServe's V1).

    python model_server.py FOLDER

FOLDER has `settings.json` (see `Settings`). Once it listens, the program writes its port to the
file `port` there; if it cannot load the model, one sentence to the file `failure`, and its
traceback to the standard error. It listens on loopback, for callers with the token of its settings
only. Its keeper (keeper.py) ends it with the server.

Scripts are as on Hopsworks: a predictor is a class `Predict` with `predict(inputs)`, a transformer
a class `Transformer` with `preprocess(inputs)` and `postprocess(outputs)`, each plain or async.
They run one request at a time, in the main thread, as they do in Hopsworks' model server.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import math
import os
import secrets
import socket
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# The folder of this file is no place to import from: a script may mean something else by `logs`.
if __name__ == "__main__":
    del sys.path[0]

KEEP_ALIVE_SECONDS = 3600


@dataclass(frozen=True)
class Settings:
    """What a deployment's process is told. Paths are on disk."""

    token: str
    name: str  # of the deployment
    predictor: str | None  # the script; without one the model's only file is a pickled estimator
    transformer: str | None


class LoadError(Exception):
    """The model cannot be served; the message says why."""


class Model:
    """The predictor and the transformer of a deployment."""

    def __init__(self, settings: Settings) -> None:
        if settings.predictor:
            self._predictor = _made(settings.predictor, "Predict", settings.name)
        else:
            self._predictor = _Estimator()
        self._transformer = None
        if settings.transformer:
            self._transformer = _made(settings.transformer, "Transformer", settings.name)

    async def answer(self, body: Any) -> Any:
        """The response to a request, both in the form of KServe's V1."""
        if self._transformer is not None:
            body = await _call(self._transformer.preprocess, body)
        outputs = await _call(self._predictor.predict, _inputs(body))
        if not isinstance(outputs, dict) or "predictions" not in outputs:
            outputs = {"predictions": outputs}
        if self._transformer is not None:
            outputs = await _call(self._transformer.postprocess, outputs)
        return outputs


def _inputs(body: Any) -> Any:
    """The rows of a request."""
    for key in ("instances", "inputs"):
        if isinstance(body, dict) and key in body:
            return body[key]
    if isinstance(body, dict):
        raise HTTPException(400, "The body of a prediction has no instances and no inputs.")
    return body


async def _call(method: Any, argument: Any) -> Any:
    found = method(argument)
    return await found if inspect.isawaitable(found) else found


def _made(path: str, kind: str, deployment: str) -> Any:
    """An object of the class of this name in a script."""
    module = _imported(Path(path))
    found = getattr(module, kind, None)
    if not isinstance(found, type):
        raise LoadError(f"The script {Path(path).name} has no class {kind}.")
    return found(**_arguments(found, deployment))


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem.replace("-", "_"), path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path.name} is no Python script.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as pickle and dataclasses expect
    spec.loader.exec_module(module)
    return module


def _arguments(kind: type, deployment: str) -> dict[str, Any]:
    """What a script's class asks for by the names of its parameters."""
    names = set(inspect.signature(kind).parameters)
    found: dict[str, Any] = {}
    if "async_logger" in names:
        found["async_logger"] = None  # feature logging is not embedded
    if names & {"project", "deployment", "model"}:
        import hopsworks

        found["project"] = hopsworks.login()
        found["deployment"] = found["project"].get_model_serving().get_deployment(deployment)
    if "model" in names:
        found["model"] = found["deployment"].get_model()
    return {name: value for name, value in found.items() if name in names}


class _Estimator:
    """A predictor for a model that has nothing but one pickle or joblib file."""

    def __init__(self) -> None:
        from hsml.default_predictor import DefaultPredict

        # The SDK's default predictor finds and reads the file; the rest of it needs a schema.
        self._estimator = DefaultPredict.load_model(self, os.environ["MODEL_FILES_PATH"])

    def predict(self, inputs: Any) -> Any:
        """The estimator's predictions for rows, each a list or an object."""
        if inputs and isinstance(inputs[0], dict):
            import pandas as pd

            inputs = pd.DataFrame(inputs)
        return self._estimator.predict(inputs)


def application(model: Model, settings: Settings) -> Starlette:
    """The HTTP application around a model."""

    async def predict(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {settings.token}".encode()):
            return _json({"error": "The token is not this deployment's."}, 401)
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            return _json({"error": "The body is not JSON."}, 400)
        try:
            return _json(await model.answer(body), 200)
        except HTTPException as error:  # how the SDK's default predictor refuses
            return _json({"error": _sentence(error), "detail": error.detail}, error.status_code)
        except Exception as error:
            traceback.print_exc()
            return _json({"error": f"{type(error).__name__}: {error}"}, 500)

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])


def _sentence(error: HTTPException) -> str:
    detail: Any = error.detail
    return str(detail.get("message", detail) if isinstance(detail, dict) else detail)


def _json(value: Any, status: int) -> Response:
    text = json.dumps(_plain(value), allow_nan=False)
    return Response(text, status, media_type="application/json")


def _plain(value: Any) -> Any:
    """A value as JSON has it: arrays become lists, what is no number null."""
    if hasattr(value, "tolist"):  # of numpy and pandas
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"a prediction cannot be of the type {type(value).__name__}")


def _tell(folder: Path, name: str, text: str) -> None:
    """Write a file whole."""
    draft = folder / f".{name}"
    draft.write_text(text)
    draft.rename(folder / name)


def main(folder: Path) -> int:
    """Serve until SIGTERM; 1 if the model could not be loaded."""
    settings = Settings(**json.loads((folder / "settings.json").read_text()))
    try:
        model = Model(settings)
    except BaseException as error:  # a script may end itself
        traceback.print_exc()
        named = str(error) if isinstance(error, LoadError) else f"{type(error).__name__}: {error}"
        _tell(folder, "failure", named)
        return 1
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    _tell(folder, "port", str(listener.getsockname()[1]))
    config = uvicorn.Config(
        application(model, settings),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
