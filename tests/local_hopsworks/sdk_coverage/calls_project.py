"""How each public method of Project, DatasetApi, SecretsApi, JobApi, ModelRegistry and Model is
called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from world import World

Calls = dict[str, Callable[[World], Any]]

PROJECT: Calls = {
    "add_member": lambda w: w.project.add_member("someone@localhost", "Data scientist"),
    "create_featurestore_alert": lambda w: w.project.create_featurestore_alert(
        "me", "feature_validation_failure", "info"
    ),
    "create_job_alert": lambda w: w.project.create_job_alert("me", "job_failed", "info"),
    "get_alert": lambda w: w.project.get_alert(1),
    "get_alerts": lambda w: w.project.get_alerts(),
    "get_alerts_api": lambda w: w.project.get_alerts_api().get_alerts(),
    "get_app_api": lambda w: w.project.get_app_api().get_apps(),
    "get_dataset_api": lambda w: w.project.get_dataset_api(),
    "get_environment_api": lambda w: w.project.get_environment_api().get_environments(),
    "get_feature_store": lambda w: w.project.get_feature_store(),
    "get_git_api": lambda w: w.project.get_git_api().get_repos(),
    "get_job_api": lambda w: w.project.get_job_api(),
    "get_kafka_api": lambda w: w.project.get_kafka_api().get_topics(),
    "get_members": lambda w: w.project.get_members(),
    "get_members_api": lambda w: w.project.get_members_api().get_members(),
    "get_model_registry": lambda w: w.project.get_model_registry(),
    "get_model_serving": lambda w: w.project.get_model_serving().get_deployment("nothing") is None,
    "get_opensearch_api": lambda w: w.project.get_opensearch_api().get_default_py_config(),
    "get_search_api": lambda w: w.project.get_search_api().feature_groups("x"),
    "get_superset_api": lambda w: w.project.get_superset_api().list_dashboards(),
    "get_trino_api": lambda w: w.project.get_trino_api().connect(),
    "get_trino_catalog_api": lambda w: w.project.get_trino_catalog_api().get_catalogs(),
    "get_url": lambda w: w.project.get_url(),
    "remove_member": lambda w: w.project.remove_member("someone@localhost"),
}

FILES: Calls = {
    "add": lambda w: w.files.add(w.new_file(), "name", "value"),
    "chmod": lambda w: w.files.chmod(w.new_folder(), "READ_ONLY"),
    "copy": lambda w: w.files.copy(w.new_file(), w.new_folder() + "/copy.txt"),
    "delete": lambda w: w.files.delete(w.new_file(), "name"),
    "download": lambda w: w.files.download(w.new_file(), str(w.folder), overwrite=True),
    "exists": lambda w: (
        [w.files.exists(w.new_file()), w.files.exists("Resources/nothing")] == [True, False]
    ),
    "get": lambda w: w.files.get(w.new_file())["attributes"]["size"],
    "get_tags": lambda w: w.files.get_tags(w.new_file()),
    "list": lambda w: w.files.list("Resources"),
    "mkdir": lambda w: w.new_folder(),
    "move": lambda w: w.files.move(w.new_file(), w.new_folder() + "/moved.txt"),
    "path_exists": lambda w: w.files.path_exists(w.new_file()),
    "read_content": lambda w: (
        w.files.read_content(f"/Projects/{w.project.name}/{w.new_file()}").content == b"text"
    ),
    "remove": lambda w: w.files.remove(w.new_file()),
    "rm": lambda w: w.files.rm(w.new_file()),
    "share": lambda w: w.files.share("Resources", w.project.name),
    "unshare": lambda w: w.files.unshare("Resources", w.project.name),
    "unzip": lambda w: w.files.unzip(w.new_file()),
    "upload": lambda w: w.new_file(),
    "upload_feature_group": lambda w: w.files.upload_feature_group(
        w.group.name, w.new_folder(), w.rows()
    ),
    "zip": lambda w: w.files.zip(w.new_file()),
}

SECRETS: Calls = {
    "create_secret": lambda w: w.secrets.create_secret(w.name("secret"), "value"),
    "create_secret_from_file": lambda w: w.secrets.create_secret_from_file(
        w.name("secret"), _small_file(w)
    ),
    "get": lambda w: (
        w.secrets.get(w.secrets.create_secret(w.name("secret"), "value").name) == "value"
    ),
    "get_secret": lambda w: w.secrets.get_secret(
        w.secrets.create_secret(w.name("secret"), "value").name
    ),
    "get_secrets": lambda w: w.secrets.get_secrets(),
}


def _small_file(w: World) -> str:
    path = w.folder / w.name("key")
    path.write_text("key")
    return str(path)


JOBS: Calls = {
    "create": lambda w: w.jobs.create(w.name("job"), _Configuration()),
    "create_job": lambda w: w.new_job(),
    "create_or_update_schedule_job": lambda w: w.jobs.create_or_update_schedule_job(
        w.job.name, _daily()
    ),
    "delete_schedule_job": lambda w: w.jobs.delete_schedule_job(w.job.name),
    "exists": lambda w: w.jobs.exists(w.job.name),
    "get": lambda w: w.jobs.get(w.job.name),
    "get_configuration": lambda w: w.jobs.get_configuration("PYTHON"),
    "get_job": lambda w: w.jobs.get_job(w.job.name),
    "get_jobs": lambda w: w.jobs.get_jobs(),
    "last_execution": lambda w: (w.jobs.launch(w.job.name), w.jobs.last_execution(w.job)[0].id)[1],
    "launch": lambda w: w.jobs.launch(w.job.name),
}


class _Configuration:
    """What `create` takes is made for Spark."""

    def json(self) -> str:
        from hopsworks.core.job_configuration import JobConfiguration

        return str(JobConfiguration().json())


def _daily() -> dict[str, Any]:
    return {"startDateTime": 0, "cronExpression": "0 0 6 * * ?", "enabled": True}


REGISTRY: Calls = {
    "get_best_model": lambda w: w.registry.get_best_model(w.model.name, "accuracy", "max").version,
    "get_model": lambda w: w.registry.get_model(w.model.name, 1).id == w.model.id,
    "get_models": lambda w: len(w.registry.get_models(w.model.name)),
    "hf_download": lambda w: w.registry.hf_download("someone/something", timeout=1),
}

MODEL: Calls = {
    "add_tag": lambda w: w.model.add_tag("name", "value"),
    "clear_cache": lambda w: w.model.clear_cache(),
    "create_model_monitoring": lambda w: w.model.create_model_monitoring(w.name("monitoring")),
    "delete": lambda w: w.new_model().delete(),
    "delete_tag": lambda w: (w.model.add_tag("gone", "soon"), w.model.delete_tag("gone")),
    "deploy": lambda w: w.new_deployment().get_state().status == "Created",
    "download": lambda w: w.model.download(),
    "get_feature_view": lambda w: w.model.get_feature_view().name == w.view.name,
    "get_feature_view_provenance": lambda w: w.model.get_feature_view_provenance(),
    "get_monitoring_configs": lambda w: w.model.get_monitoring_configs(),
    "get_tag": lambda w: w.model.get_tag("name"),
    "get_tags": lambda w: w.model.get_tags(),
    "get_training_dataset_provenance": lambda w: w.model.get_training_dataset_provenance(),
    "get_url": lambda w: w.model.get_url(),
    "save": lambda w: w.model.version,
    "set_tag": lambda w: w.model.set_tag("name", "value"),
}
