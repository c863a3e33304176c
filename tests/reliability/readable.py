"""readable.py STORE SENT CHANGES: what a program of the SDK can no longer read after somebody else
sent what the SDK would not send.

STORE is a store in which everything was used, SENT the requests that the SDK sent for that (see
every_request.py). Of the body of each request, one value is left out or becomes another, CHANGES
times; wherever the server takes that, the SDK reads all of its kind. Prints a line of JSON: how
many requests were `tried` and `taken`, and what became `unreadable`. What a function says is left
as it is: nobody but the SDK can tell whether it is Python, and no server runs it.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hopsworks
from every_request import NAME
from hostile import at, places

from local_hopsworks import Server
from tests import rest
from tests.warm import look_often

Place = tuple[Any, ...]
LEFT_OUT = object()
VALUES = [LEFT_OUT, LEFT_OUT, None, "zzz", 5, [], {}]


# --------------------------------------------------------------------------------------------------
# what is sent


def writes(sent: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The longest JSON object that was sent to each address: by method, target and media type."""
    found: dict[tuple[str, str], tuple[tuple[str, str, str], dict[str, Any]]] = {}
    for one in sent:
        if one["method"] not in ("POST", "PUT", "PATCH") or not one["body"]:
            continue
        with contextlib.suppress(ValueError):  # an upload
            body = json.loads(base64.b64decode(one["body"]))
            address = one["method"], one["target"].partition("?")[0]
            known = found.get(address)
            if isinstance(body, dict) and (known is None or len(str(known[1])) < len(str(body))):
                found[address] = (one["method"], one["target"], one["content_type"]), body
    return dict(found.values())


def changed(body: dict[str, Any], chance: random.Random) -> tuple[Place, dict[str, Any]]:
    """The body with a value left out or another, and where."""
    body = copy.deepcopy(body)
    place = chance.choice([way for way in places(body)[1:] if way[-1] != "sourceCode"])
    value, holder = chance.choice(VALUES), at(body, place[:-1])
    if value is LEFT_OUT:
        del holder[place[-1]]
    else:
        holder[place[-1]] = copy.deepcopy(value)
    return place, body


def made_new(target: str, body: dict[str, Any], number: int) -> str:
    """Where the request goes if it makes something of a name or version of its own."""
    if target.endswith(("/featuregroups", "/featureview")) and body.get("name"):
        body["name"] = f"{NAME}_{number}"
    if target.endswith("/serving") and body.get("name") == NAME:
        body["name"] = f"{NAME}{number}"
    if target.endswith("/transformationfunctions"):
        body.pop("version", None)  # the next one
    if target.endswith(f"/models/{NAME}_1") and body.get("version") == 1:
        body["version"] = number
        return target.removesuffix("1") + str(number)
    return target


# --------------------------------------------------------------------------------------------------
# what is read


def read_groups(project: Any) -> None:
    store = project.get_feature_store()
    for group in store.get_feature_groups():
        repr(store.get_feature_group(group.name, group.version).to_dict())
    group = store.get_feature_group(NAME, 1)
    for read in (
        group.get_tags, group.get_expectation_suite, group.get_all_validation_reports,
        group.commit_details, group.get_statistics, group.get_parent_feature_groups,
    ):  # fmt: skip
        repr(read())


def read_views(project: Any) -> None:
    store = project.get_feature_store()
    for name, version in stored(project, "featureview"):
        view = store.get_feature_view(name, version)
        repr(view.to_dict())
        for dataset in view.get_training_datasets():
            repr(view.get_training_dataset_statistics(dataset.version))


def stored(project: Any, kind: str) -> list[tuple[str, int]]:
    """Names and versions of what the SDK has no list of."""
    client = hopsworks.client._get_instance()
    answer = client._send_request("GET", ["project", project.id, "featurestores", project.id, kind])
    return [(one["name"], one["version"]) for one in answer["items"]]


def read_functions(project: Any) -> None:
    repr(project.get_feature_store().get_transformation_functions())


def read_models(project: Any) -> None:
    for model in project.get_model_registry().get_models(NAME):
        repr((model.to_dict(), model.get_tags(), model.get_feature_view_provenance()))


def read_deployments(project: Any) -> None:
    for deployment in project.get_model_serving().get_deployments():
        repr(deployment.to_dict())


def read_jobs(project: Any) -> None:
    for job in project.get_job_api().get_jobs():
        repr((job, job.job_schedule, job.get_executions()))


def read_secrets(project: Any) -> None:
    repr(hopsworks.get_secrets_api().get_secrets())


READERS: dict[str, Callable[[Any], None]] = {
    "/featuregroups": read_groups,
    "/featureview": read_views,
    "/query": read_views,
    "/transformationfunctions": read_functions,
    "/models": read_models,
    "/serving": read_deployments,
    "/jobs": read_jobs,
    "/secrets": read_secrets,
}


# --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def over_copy(template: Path) -> Iterator[tuple[Any, Any]]:
    """A server over a copy of the store, and the SDK logged in."""
    with tempfile.TemporaryDirectory() as folder:
        home = shutil.copytree(template, Path(folder, "store"))
        with Server(home) as server:
            yield (
                server,
                hopsworks.login(
                    host="127.0.0.1",
                    port=server.port,
                    project=server.project,
                    api_key_value=server.api_key,
                ),
            )
            hopsworks.logout()


def main(template: Path, sent: Path, changes: int) -> None:
    look_often()
    tried, taken, unreadable = 0, 0, []
    for (method, target, kind), body in writes(json.loads(sent.read_text())).items():
        read = next(reader for part, reader in READERS.items() if part in target)
        chance = random.Random(f"{method} {target}")
        with over_copy(template) as (server, project):
            read(project)
            for number in range(2, changes + 2):
                place, document = changed(body, chance)
                answer = rest.call(
                    server, method, made_new(target, document, number),
                    data=json.dumps(document), headers={"Content-Type": kind},
                )  # fmt: skip
                tried, taken = tried + 1, taken + answer.ok
                try:
                    read(project)
                except Exception as error:
                    # What the others of this request did could not be told from it
                    unreadable.append(f"{method} {target} {place}: {error!r}"[:300])
                    break
    print(json.dumps({"tried": tried, "taken": taken, "unreadable": unreadable}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
