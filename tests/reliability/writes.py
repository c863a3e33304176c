"""Every kind of write that a user of the SDK can do, each on the store of furnished.py."""

from __future__ import annotations

from typing import Any

import hopsworks
import hsfs.feature
from furnished import GROUP, here, rows, save_model


def full(project: Any) -> Any:
    return project.get_feature_store().get_feature_group("full", 1)


def view(project: Any) -> Any:
    return project.get_feature_store().get_feature_view("view", 1)


def create_group(project: Any) -> None:
    features = [{"name": "id", "type": "bigint"}]
    project.get_feature_store().create_feature_group("new", **GROUP, features=features).save()


def first_insert(project: Any) -> None:
    project.get_feature_store().get_feature_group("empty", 1).insert(rows(1, 2))


def upsert(project: Any) -> None:
    full(project).insert(rows(3, 4, fare=9.0))


def append(project: Any) -> None:
    full(project).insert(rows(4, 5), operation="insert")


def overwrite(project: Any) -> None:
    full(project).insert(rows(7, 8), overwrite=True)


def remove_rows(project: Any) -> None:
    full(project).remove_rows(rows(1))


def append_feature(project: Any) -> None:
    full(project).append_features([hsfs.feature.Feature("embarked", "string")])


def delete_group(project: Any) -> None:
    full(project).delete(delete_feature_views=True)


def tag_group(project: Any) -> None:
    full(project).add_tag("owner", "somebody else")


def compute_statistics(project: Any) -> None:
    full(project).compute_statistics()


def create_view(project: Any) -> None:
    project.get_feature_store().create_feature_view(
        "another", full(project).select(["fare"]), version=1
    )


def delete_view(project: Any) -> None:
    view(project).delete()


def write_training_data(project: Any) -> None:
    view(project).create_training_data(data_format="parquet")


def write_training_splits(project: Any) -> None:
    view(project).create_train_test_split(test_size=0.3, data_format="csv", seed=1)


def recreate_training_data(project: Any) -> None:
    view(project).recreate_training_dataset(1)


def delete_training_files(project: Any) -> None:
    view(project).purge_training_data(1)


def delete_training_dataset(project: Any) -> None:
    view(project).delete_training_dataset(1)


def model_save(project: Any) -> None:
    with here("second"):
        save_model(project)


def model_delete(project: Any) -> None:
    project.get_model_registry().get_model("model", 1).delete()


def upload(project: Any) -> None:
    with here("second", "new.txt"):
        project.get_dataset_api().upload("new.txt", "Resources")


def upload_again(project: Any) -> None:
    with here("second"):
        project.get_dataset_api().upload("file.txt", "Resources", overwrite=True)


def upload_in_chunks(project: Any) -> None:
    with here(b"abcdefghij" * 100, "new.txt"):
        project.get_dataset_api().upload("new.txt", "Resources", chunk_size=250)


def copy_folder(project: Any) -> None:
    project.get_dataset_api().copy("Resources/folder", "Resources/copied")


def move_folder(project: Any) -> None:
    project.get_dataset_api().move("Resources/folder", "Resources/moved")


def remove_folder(project: Any) -> None:
    project.get_dataset_api().remove("Resources/folder")


def make_folder(project: Any) -> None:
    project.get_dataset_api().mkdir("Resources/new")


def create_secret(project: Any) -> None:
    hopsworks.get_secrets_api().create_secret("new", "hidden")


def delete_secret(project: Any) -> None:
    hopsworks.get_secrets_api().get_secret("kept").delete()


def create_job(project: Any) -> None:
    job_api = project.get_job_api()
    job_api.create_job("new", job_api.get_configuration("PYTHON") | {"appPath": "Resources/job.py"})


def schedule_job(project: Any) -> None:
    project.get_job_api().get_job("kept").schedule("0 0 3 * * ?")


def delete_job(project: Any) -> None:
    project.get_job_api().get_job("kept").delete()


def make_store(project: Any) -> None:
    """Only what is done before anybody can log in."""


def open_store(project: Any) -> None:
    """Likewise."""


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        create_group,
        first_insert,
        upsert,
        append,
        overwrite,
        remove_rows,
        append_feature,
        delete_group,
        tag_group,
        compute_statistics,
        create_view,
        delete_view,
        write_training_data,
        write_training_splits,
        recreate_training_data,
        delete_training_files,
        delete_training_dataset,
        model_save,
        model_delete,
        upload,
        upload_again,
        upload_in_chunks,
        copy_folder,
        move_folder,
        remove_folder,
        make_folder,
        create_secret,
        delete_secret,
        create_job,
        schedule_job,
        delete_job,
        make_store,
        open_store,
    )
}
