"""A program that uses a call or more of the SDK for every service of the server, and writes down
what was sent.

What the SDK sends only after five seconds of sleep, or with packages that are not installed, is
sent by hand.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import requests
from hopsworks_common import client
from hsfs.feature import Feature

from local_hopsworks import login
from local_hopsworks.http.calls import API

NAME = "thing"  # of everything that can have a name


def by_sdk(project: Any, folder: Path) -> None:
    store, files = project.get_feature_store(), project.get_dataset_api()
    left = store.create_feature_group(
        NAME, 1, description="the left", primary_key=["id"], event_time="at"
    )
    times = pd.date_range("2026-01-01", periods=20).as_unit("us")
    rows = pd.DataFrame(
        {
            "id": range(20),
            "at": times,
            "x": 0.5,
            "y": [0, 1] * 10,
            "s": list("abcdefghijklmnopqrst"),
        }
    )
    left.insert(rows)
    right = store.create_feature_group(f"{NAME}_right", 1, primary_key=["id"], parents=[left])
    right.insert(pd.DataFrame({"id": range(20), "x": range(20), "z": "z"}))
    left.update_description("the left, of course")
    left.update_feature_description("x", "a number")
    left.append_features([Feature("w", "double")])
    left.add_tag("colour", {"name": "red"})
    left.get_tags()
    left.commit_details()
    left.compute_statistics()
    left.get_statistics()
    left.get_generated_feature_views()
    store.get_feature_groups()
    condition = ((left.x > 0) & (left.s.like("%a%"))) | left.y.isin([1, 2, 3])
    query = left.select(["id", "x", "y"]).join(
        right.select(["z"]), on=["id"], prefix="right_", join_type="left"
    )
    query.filter(condition).read()
    left.select_all().as_of("2099-01-01").read()
    left.select_all().show(2)
    view = store.create_feature_view(
        NAME, query.filter(left.y == 1), version=1, labels=["y"], description="a view"
    )
    view.description = "changed"
    view.update()
    view.add_tag("colour", "red")
    view.get_batch_data(start_time="2026-01-01", end_time="2027-01-01")
    view.train_test_split(test_size=0.5, extra_filter=left.x > 0, statistics_config=True)
    view.create_training_data(data_format="csv", extra_filter=left.x > 0)
    view.get_training_datasets()
    view.get_parent_feature_groups()
    latest = store.create_feature_group(
        f"{NAME}_latest", 1, primary_key=["id"], online_enabled=True
    )
    latest.insert(
        rows[["id", "x"]], storage="online", write_options={"wait_for_online_ingestion": True}
    )
    online_view = store.create_feature_view(f"{NAME}_latest", latest.select_all(), 1)
    online_view.init_serving(1)
    online_view.get_feature_vector({"id": 1})
    (folder / f"{NAME}.py").write_text("print('hello')\n")
    script = files.upload(str(folder / f"{NAME}.py"), "Resources", overwrite=True)
    files.mkdir(f"Resources/{NAME}")
    files.copy(script, f"Resources/{NAME}/copied.py")
    files.move(f"Resources/{NAME}/copied.py", f"Resources/{NAME}/moved.py")
    files.list(f"Resources/{NAME}")
    files.exists(script)
    files.download(script, str(folder), overwrite=True)
    jobs = project.get_job_api()
    job = jobs.create_job(NAME, {**jobs.get_configuration("PYTHON"), "appPath": script})
    job.schedule(cron_expression="0 0 * * * ?")
    job.get_executions()
    jobs.get_jobs()
    job.save()


def by_hand(view: dict[str, Any]) -> list[tuple[str, str, Any]]:
    models = "/project/1/modelregistries/1/models"
    store = "/project/1/featurestores/1"
    group = f"{store}/featuregroups/1"
    model = {
        "name": NAME,
        "version": 1,
        "description": "a model",
        "framework": "PYTHON",
        "metrics": {"accuracy": "0.5"},
        "featureView": view,
        "trainingDatasetVersion": 1,
        "program": None,
        "environment": None,
        "tags": None,
    }
    expectation = {
        "expectationType": "expect_column_max_to_be_between",
        "kwargs": '{"column": "x"}',
        "meta": "{}",
    }
    suite = {
        "expectationSuiteName": NAME,
        "expectations": [expectation],
        "meta": "{}",
        "runValidation": True,
        "validationIngestionPolicy": "ALWAYS",
        "dataAssetType": None,
    }
    result = {
        "success": True,
        "expectationConfig": json.dumps({"meta": {"expectationId": 1}}),
        "result": "{}",
    }
    report = {
        "success": True,
        "results": [result],
        "statistics": "{}",
        "meta": "{}",
        "ingestionResult": "INGESTED",
    }
    udf = {
        "name": NAME,
        "sourceCode": "def f(x):\n    return x\n",
        "outputTypes": ["double"],
        "transformationFeatures": [],
        "executionMode": "DEFAULT",
    }
    deployment = {
        "name": NAME,
        "description": "a deployment",
        "modelServer": "PYTHON",
        "servingTool": "KSERVE",
        "modelName": NAME,
        "modelVersion": 1,
        "modelFramework": "PYTHON",
        "apiProtocol": "REST",
        "predictor": f"Resources/{NAME}.py",
        "requestedInstances": 1,
        "inferenceLogging": "NONE",
        "predictorResources": {"requests": {"cores": 0.2, "memory": 32, "gpus": 0}, "limits": None},
        "predictorEnvVars": ["COLOUR=hidden-variable"],
        "batchingConfiguration": {"batchingEnabled": False},
        "predictorScalingConfig": {"minInstances": 1},
        "predictorEnvironment": {"name": "inference"},
    }
    return [
        ("PUT", f"{models}/{NAME}_1", model),
        ("PUT", "/project/1/serving", deployment),
        ("PATCH", f"{models}/{NAME}_1", {"description": "changed"}),
        ("PUT", f"{models}/{NAME}_1/tags/colour", {"red": 1}),
        ("POST", f"{group}/expectationsuite", suite),
        ("PUT", f"{group}/expectationsuite/1/expectations/1", expectation),
        ("PUT", f"{group}/expectationsuite/1", suite),
        ("PUT", f"{group}/expectationsuite/1/metadata", suite),
        ("POST", f"{group}/expectationsuite/1/expectations", expectation),
        ("PUT", f"{group}/validationreport", report),
        ("POST", f"{store}/transformationfunctions", {"version": 1, "hopsworksUdf": udf}),
        ("POST", f"{group}/keywords", {"keywords": ["red", "blue"]}),
        (
            "POST",
            "/users/secrets",
            {"name": NAME, "secret": "hidden-value", "visibility": "PRIVATE"},
        ),
        (
            "POST",
            f"/project/1/jobs/{NAME}/executions",
            {"args": "-a 1", "envVars": {"COLOUR": "hidden-variable"}},
        ),
        ("PUT", f"/project/1/jobs/{NAME}/executions/1/status", {"state": "stopped"}),
    ]


def main() -> None:
    found: list[dict[str, Any]] = []
    send = requests.Session.send

    def spy(
        session: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        body = request.body.encode() if isinstance(request.body, str) else request.body
        kind = request.headers.get("Content-Type") or "application/json"
        target = str(request.url).partition(API)[2]
        content = base64.b64encode(body).decode() if isinstance(body, bytes) else None
        found.append(
            {"method": request.method, "target": target, "body": content, "content_type": kind}
        )
        return send(session, request, **options)

    requests.Session.send = spy  # type: ignore[method-assign]
    logging.basicConfig(level=logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
    for name in ("hopsworks_common", "hsfs", "urllib3"):  # the client's own
        logging.getLogger(name).setLevel(logging.WARNING)
    project = login()
    with tempfile.TemporaryDirectory() as folder:
        by_sdk(project, Path(folder))
        view = next(
            json.loads(base64.b64decode(sent["body"]))
            for sent in found
            if sent["target"].endswith("/featureview")
        )
        for method, path, body in by_hand(view):
            headers = {"Content-Type": "application/json"}
            client._get_instance()._send_request(
                method, path.strip("/").split("/"), headers=headers, data=json.dumps(body)
            )
    Path(sys.argv[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
