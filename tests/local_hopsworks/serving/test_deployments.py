"""Deployments by the SDK: created, started, asked, changed, stopped and deleted."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from hopsworks.client.exceptions import RestAPIError
from hsml.client.exceptions import ModelServingException

from tests.processes import exists


@pytest.fixture
def serving(project):
    return project.get_model_serving()


def status(deployment):
    return deployment.get_state().status


def test_deployment_is_started_asked_and_stopped_by_the_sdk(deploy, serving, capsys):
    deployment = deploy("doubles", description="twice as much")
    assert (status(deployment), deployment.is_stopped(), deployment.is_running()) == (
        "Created",
        True,
        False,
    )
    deployment.start(await_running=600)
    assert "Start making predictions" in capsys.readouterr().out
    assert (status(deployment), deployment.is_running(), deployment.is_created()) == (
        "Running",
        True,
        True,
    )
    assert deployment.predict(inputs=[1, 2]) == {"predictions": [[2, 4]]}
    assert deployment.predict(inputs=[[1], [2]]) == {"predictions": [[2], [4]]}
    assert deployment.predict({"instances": [[5]]}) == {"predictions": [[10]]}
    assert deployment.predict({"inputs": [[6]]}) == {"predictions": [[12]]}
    deployment.stop(await_stopped=600)
    assert (status(deployment), deployment.is_stopped(or_created=False)) == ("Stopped", True)
    with pytest.raises(ModelServingException, match="not created or running"):
        deployment.predict(inputs=[1])


def test_deployments_are_found_by_name_id_model_and_status(deploy, serving, model, api):
    first, second = deploy("doubles", description="the first"), deploy("triples")
    found = serving.get_deployment(first.name)
    assert (found.id, found.name, found.version, found.description) == (
        first.id,
        first.name,
        1,
        "the first",
    )
    assert (found.model_name, found.model_version) == (model.name, 1)
    assert (found.script_file, found.model_server, found.serving_tool) == (
        "doubles.py",
        "PYTHON",
        "KSERVE",
    )
    assert serving.get_deployment_by_id(second.id).name == second.name
    assert serving.get_deployment("nothing") is None
    assert serving.get_deployment_by_id(10**9) is None
    assert {first.id, second.id} <= {one.id for one in serving.get_deployments(model)}
    # The SDK refuses every status before it asks
    for status, expected in (("Created", {first.id, second.id}), ("Running", set())):
        listed = api("GET", "/project/1/serving", params={"status": status}).json()
        assert {one["id"] for one in listed} & {first.id, second.id} == expected


def test_deployment_describes_itself_and_is_told_apart_by_tags(deploy, capsys):
    deployment = deploy("doubles", env_vars={"COLOUR": "blue"})
    capsys.readouterr()
    deployment.describe()
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == deployment.name and told["predictor_env_vars"] == ["COLOUR=blue"]
    deployment.add_tag("owner", {"team": "a"})
    deployment.add_tag("colour", "blue")
    deployment.delete_tag("colour")
    assert deployment.get_tags() == {"owner": {"team": "a"}}
    assert deployment.get_tag("owner") == {"team": "a"} and deployment.get_tag("colour") is None


def test_predictor_made_first_and_deployed_later_is_the_same(serving, model, script):
    predictor = serving.create_predictor(model, script_file=script("doubles"))
    deployment = serving.create_deployment(predictor, name=f"d{uuid.uuid4().hex[:8]}")
    deployment.save()
    try:
        assert serving.get_deployment(deployment.name).model_name == model.name
    finally:
        deployment.delete()
    assert serving.get_deployment(deployment.name) is None


def test_scikit_learn_model_is_served_without_a_script(started, estimator):
    rows = [[0, 0], [4, 4], [1, 2]]
    assert started().predict(inputs=rows) == {"predictions": estimator.predict(rows).tolist()}


def test_model_is_served_by_the_sdks_own_default_predictor(started, estimator):
    deployment = started(default_predictor=True, passed_features=["a", "b"])
    rows = [{"a": 0, "b": 0}, {"a": 4, "b": 4}]
    expected = estimator.predict([[0, 0], [4, 4]]).tolist()
    assert deployment.predict(inputs=rows) == {"predictions": expected}
    assert [field.name for field in deployment.schema.passed_features] == ["a", "b"]
    with pytest.raises(RestAPIError) as refused:
        deployment._serving_api._send_inference_request(deployment, {"instances": [{"a": 1}]})
    assert refused.value.response.status_code == 400
    assert refused.value.response.json()["detail"]["code"] == "SCHEMA_VALIDATION"


def test_transformer_changes_what_comes_and_what_goes(started, serving, script, wait):
    deployment = started(
        "doubles", transformer=serving.create_transformer(script_file=script("shifts"))
    )
    assert deployment.predict(inputs=[1, 2]) == {"predictions": {"shifted": [[22, 24]]}}
    assert deployment.get_state().available_transformer_instances == 1
    wait(lambda: "loaded by" in deployment.read_logs(component="transformer"))


def test_script_has_its_model_its_variables_and_its_project(started, model, project):
    deployment = started("asks_hopsworks", env_vars={"COLOUR": "blue"})
    known, variables, files, reaches = deployment.predict(inputs=[1])["predictions"]
    assert known == [project.name, deployment.name, model.name, 1, None]
    assert variables == [model.name, "1", deployment.name, "blue"]
    assert files == ["estimator.joblib"] and reaches is True


def test_script_that_cannot_be_imported_has_failed_with_its_traceback(deploy, script, wait, capsys):
    deployment = deploy("cannot_be_imported")
    deployment.start(await_running=0)
    wait(lambda: status(deployment) == "Failed")
    assert "No module named 'a_package_that_nobody_has'" in deployment.get_state().condition.reason
    logs = deployment.read_logs()
    assert "Traceback (most recent call last)" in logs and "import a_package_that_nobody" in logs
    deployment.get_logs(tail=20)
    assert "a_package_that_nobody_has" in capsys.readouterr().out
    with pytest.raises(ModelServingException, match="not created or running") as refused:
        deployment.predict(inputs=[1])
    cause = refused.value.__cause__
    assert "has failed: ModuleNotFoundError" in cause.response.json()["usrMsg"]

    deployment.script_file = script("triples")
    deployment.save(await_update=0)
    assert deployment.predict(inputs=[1]) == {"predictions": [[3]]}


def test_script_without_the_class_has_failed_and_says_so(deploy, wait):
    deployment = deploy("has_no_class")
    deployment.start(await_running=0)
    wait(lambda: status(deployment) == "Failed")
    reason = deployment.get_state().condition.reason
    assert reason.endswith("The script predictor-has_no_class.py has no class Predict.")


def test_change_of_a_running_deployment_is_what_answers_next(started, script, wait):
    deployment = started("doubles")
    assert deployment.predict(inputs=[1]) == {"predictions": [[2]]}
    deployment.script_file = script("triples")
    deployment.save(await_update=0)
    assert deployment.predict(inputs=[1]) == {"predictions": [[3]]}
    assert deployment.script_file == "triples.py"


def test_saving_without_a_change_leaves_the_process_alone(started, serving):
    deployment = started("doubles")
    before = deployment.predict(inputs=["who"])
    found = serving.get_deployment(deployment.name)
    found.save(await_update=0)
    assert found.predict(inputs=["who"]) == before
    found.env_vars = {"COLOUR": "blue"}
    found.save(await_update=0)
    assert found.predict(inputs=["who"]) != before


def test_restarted_deployment_has_a_new_process(started, wait):
    deployment = started("doubles")
    [before] = deployment.predict(inputs=["who"])["predictions"]
    deployment.restart(await_stopped=600, await_running=600)
    [after] = deployment.predict(inputs=["who"])["predictions"]
    assert before != after


def test_stopped_and_started_at_once_it_runs(started, wait):
    deployment = started("doubles")
    for _ in range(3):
        deployment.stop(await_stopped=0)
        deployment._serving_api._post(deployment, "START")
    wait(lambda: status(deployment) == "Running")
    assert deployment.predict(inputs=[1]) == {"predictions": [[2]]}


def test_deleting_takes_the_process_and_the_files_but_not_a_running_one_unasked(
    started, server, wait
):
    deployment = started("doubles")
    [process] = deployment.predict(inputs=["who"])["predictions"]
    with pytest.raises(ModelServingException, match="stop it first"):
        deployment.delete()
    folder = server.store.project(server.project) / "Deployments" / deployment.name
    assert (folder / "1" / "predictor-doubles.py").is_file()
    deployment.delete(force=True)
    wait(lambda: not exists(process))
    assert not folder.exists()
    with pytest.raises(ModelServingException, match="not found"):
        deployment.get_state()


def test_files_of_a_deployment_and_its_archived_logs_are_downloaded(started, tmp_path):
    deployment = started("doubles")
    folder = deployment.download_artifact_files(str(tmp_path / "files"))
    assert "class Predict" in (tmp_path / "files" / "predictor-doubles.py").read_text()
    assert folder == str(tmp_path / "files")
    deployment.stop(await_stopped=600)
    [path] = deployment.download_logs(str(tmp_path), latest=True)
    assert "loaded by" in Path(path).read_text()
    assert deployment.read_logs() == ""  # of live processes only, as on Hopsworks


def test_logs_are_followed_line_by_line_and_bounded(started, server, wait):
    deployment = started("particular")
    deployment.predict(inputs=["print"])
    wait(lambda: "line  34999" in deployment.read_logs(tail=3))  # an answer waits for no log
    assert len(deployment.read_logs(tail=3).splitlines()) == 3
    followed = "".join(deployment.tail_logs(since=None, timeout=0.1, interval=0.05))
    assert len(followed.splitlines()) == 200 and "line  34999" in followed
    folder = server.store.project(server.project) / "Logs" / "Serving" / deployment.name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2 * 2**21 + 2**16


def test_second_deployment_of_a_name_is_refused_or_is_the_first(model, deploy, script, capsys):
    deployment = deploy("doubles")
    again = model.deploy(deployment.name, script_file=script("doubles"))
    assert again.id == deployment.id
    assert "Getting existing deployment" in capsys.readouterr().out
