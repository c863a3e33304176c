"""How each public method of FeatureView and TrainingDataset is called."""

from __future__ import annotations

from typing import Any

import pandas as pd
from calls_feature_store import described
from calls_project import Calls
from hopsworks import udf
from world import START, World


def _rows(frame: pd.DataFrame) -> int:
    return len(frame)


@udf(float, drop=["x"])
def _half(x: float) -> float:
    return x / 2


def _halving(w: World) -> Any:
    query = w.served_group.select(["id", "x"])
    return w.store.create_feature_view(
        w.name("view"), query, version=1, transformation_functions=[_half("x")]
    )


def _vector(number: int) -> list[Any]:
    """Of World.online_view."""
    return [number, (START + pd.Timedelta(days=number)).to_pydatetime()]


def _with_training_data(w: World) -> Any:
    view = w.new_view()
    view.create_training_data(data_format="csv")
    return view


def _scaled(w: World) -> Any:
    return w.new_view(
        transformation_functions=[w.store.get_transformation_function("min_max_scaler")("x")]
    )


def _scaled_files(view: Any) -> float:
    """Written through a transformation function: the highest x becomes 1."""
    version, _ = view.create_training_data()
    features, _ = view.get_training_data(version)
    highest: float = features["min_max_scaler_x_"].max()
    assert highest == 1.0, highest
    return highest


def _split(view: Any) -> int:
    version, _ = view.create_train_test_split(test_size=0.2)
    train, test, *_ = view.get_train_test_split(version)
    assert (len(train), len(test)) == (16, 4)
    return len(test)


def _monitored(monitoring: Any) -> Any:
    return (
        monitoring.with_detection_window()
        .compare_on(feature_name="x", metric="mean", threshold=1, specific_value=1)
        .save()
    )


FEATURE_VIEW: Calls = {
    "add_keywords": lambda w: w.view.add_keywords(["a"]),
    "add_tag": lambda w: w.view.add_tag("name", {"a": 1}),
    "add_training_dataset_keywords": lambda w: w.view.add_training_dataset_keywords(1, ["a"]),
    "add_training_dataset_tag": lambda w: w.view.add_training_dataset_tag(1, "name", {"a": 1}),
    "clean": lambda w: type(w.view).clean(w.store.id, w.new_view().name, 1),
    "compute_on_demand_features": lambda w: w.view.compute_on_demand_features(
        [1.0, 2.0], request_parameters={}
    ),
    "create_alert": lambda w: w.view.create_alert("me", "feature_monitor_shift_detected", "info"),
    "create_feature_logger": lambda w: w.view.create_feature_logger(),
    "create_feature_monitoring": lambda w: _monitored(w.view.create_feature_monitoring(w.name())),
    "create_model_monitoring": lambda w: _monitored(
        w.view.create_model_monitoring(w.name(), w.model.name, 1)
    ),
    "create_scheduled_statistics": lambda w: (
        w.view.create_scheduled_statistics(w.name()).with_detection_window().save()
    ),
    "create_train_test_split": lambda w: _split(w.new_view()),
    "create_train_validation_test_split": lambda w: w.new_view().create_train_validation_test_split(
        0.2, 0.2
    ),
    "create_training_data": lambda w: _scaled_files(_scaled(w)),
    "delete": lambda w: w.new_view().delete(),
    "delete_all_training_datasets": lambda w: _with_training_data(w).delete_all_training_datasets(),
    "delete_keyword": lambda w: w.view.delete_keyword("a"),
    "delete_log": lambda w: w.view.delete_log(),
    "delete_tag": lambda w: (w.view.add_tag("gone", 1), w.view.delete_tag("gone")),
    "delete_training_dataset": lambda w: _with_training_data(w).delete_training_dataset(1),
    "delete_training_dataset_keyword": lambda w: w.view.delete_training_dataset_keyword(1, "a"),
    "delete_training_dataset_tag": lambda w: (
        w.view.add_training_dataset_tag(1, "gone", 1),
        w.view.delete_training_dataset_tag(1, "gone"),
    ),
    "deploy": lambda w: w.view.deploy("viewdeployment"),
    "enable_logging": lambda w: w.new_view().enable_logging(),
    "execute_mdts": lambda w: w.view.execute_mdts(w.rows()),
    "execute_odts": lambda w: w.view.execute_odts(w.rows()),
    "find_neighbors": lambda w: w.view.find_neighbors([1.0]),
    "get_alert": lambda w: w.view.get_alert(1),
    "get_alerts": lambda w: w.view.get_alerts(),
    "get_batch_data": lambda w: _rows(w.view.get_batch_data()) == 20,
    "get_batch_query": lambda w: w.view.get_batch_query(),
    "get_feature": lambda w: w.view.get_feature("x"),
    "get_feature_monitoring_configs": lambda w: w.view.get_feature_monitoring_configs(),
    "get_feature_monitoring_history": lambda w: w.view.get_feature_monitoring_history(config_id=1),
    "get_feature_vector": lambda w: w.online_view.get_feature_vector({"id": 1}) == _vector(1),
    "get_feature_vector_async": lambda w: (
        _awaited(w.online_view.get_feature_vector_async(entry={"id": 1}, return_type="list"))
        == _vector(1)
    ),
    "get_feature_vectors": lambda w: (
        w.online_view.get_feature_vectors([{"id": 2}, {"id": 1}]) == [_vector(2), _vector(1)]
    ),
    "get_feature_vectors_async": lambda w: (
        _awaited(
            w.online_view.get_feature_vectors_async(
                entry=[{"id": 2}, {"id": 1}], return_type="list"
            )
        )
        == [_vector(2), _vector(1)]
    ),
    "get_inference_helper": lambda w: (
        w.online_view.get_inference_helper({"id": 3}, return_type="dict") == {"x": 3.0}
    ),
    "get_inference_helpers": lambda w: (
        w.online_view.get_inference_helpers([{"id": 3}, {"id": 2}], return_type="dict")
        == [{"x": 3.0}, {"x": 2.0}]
    ),
    "get_keywords": lambda w: w.view.get_keywords(),
    "get_keywords_metadata": lambda w: w.view.get_keywords_metadata(),
    "get_last_accessed_training_dataset": lambda w: w.view.get_last_accessed_training_dataset(),
    "get_log_timeline": lambda w: w.view.get_log_timeline(),
    "get_models": lambda w: (w.model, w.view.get_models())[1],
    "get_models_provenance": lambda w: (w.model, w.view.get_models_provenance())[1],
    "get_newest_model": lambda w: (w.model, w.view.get_newest_model())[1],
    "get_parent_feature_groups": lambda w: w.view.get_parent_feature_groups().accessible,
    "get_root_fg": lambda w: w.view.get_root_fg(),
    "get_tag": lambda w: (w.view.add_tag("name", {"a": 1}), w.view.get_tag("name"))[1],
    "get_tag_metadata": lambda w: w.view.get_tag_metadata("name"),
    "get_tags": lambda w: w.view.get_tags(),
    "get_tags_metadata": lambda w: w.view.get_tags_metadata(),
    "get_train_test_split": lambda w: [len(part) for part in w.view.get_train_test_split(2)],
    "get_train_validation_test_split": lambda w: [
        len(part) for part in w.view.get_train_validation_test_split(3)
    ],
    "get_training_data": lambda w: [len(part) for part in w.view.get_training_data(1)],
    "get_training_dataset_keywords": lambda w: w.view.get_training_dataset_keywords(1),
    "get_training_dataset_keywords_metadata": lambda w: (
        w.view.get_training_dataset_keywords_metadata(1)
    ),
    "get_training_dataset_schema": lambda w: w.view.get_training_dataset_schema(),
    "get_training_dataset_statistics": lambda w: described(
        w.view.get_training_dataset_statistics(1)
    ),
    "get_training_dataset_tag": lambda w: (
        w.view.add_training_dataset_tag(1, "name", 1),
        w.view.get_training_dataset_tag(1, "name"),
    )[1],
    "get_training_dataset_tag_metadata": lambda w: w.view.get_training_dataset_tag_metadata(
        1, "name"
    ),
    "get_training_dataset_tags": lambda w: w.view.get_training_dataset_tags(1),
    "get_training_dataset_tags_metadata": lambda w: w.view.get_training_dataset_tags_metadata(1),
    "get_training_datasets": lambda w: len(w.view.get_training_datasets()),
    "init_batch_scoring": lambda w: w.view.init_batch_scoring(1),
    "init_feature_logger": lambda w: w.view.init_feature_logger(None),
    "init_serving": lambda w: w.online_view.init_serving(1, init_rest_client=True),
    "log": lambda w: w.view.log(w.rows()),
    "materialize_log": lambda w: w.view.materialize_log(),
    "pause_logging": lambda w: w.view.pause_logging(),
    "purge_all_training_data": lambda w: _with_training_data(w).purge_all_training_data(),
    "purge_training_data": lambda w: _with_training_data(w).purge_training_data(1),
    "read_log": lambda w: w.view.read_log(),
    "recreate_training_dataset": lambda w: _with_training_data(w).recreate_training_dataset(1),
    "resume_logging": lambda w: w.view.resume_logging(),
    "set_keywords": lambda w: w.view.set_keywords(["a"]),
    "set_log_materialization_interval": lambda w: w.view.set_log_materialization_interval("hour"),
    "set_training_dataset_keywords": lambda w: w.view.set_training_dataset_keywords(1, ["a"]),
    "train_test_split": lambda w: (
        [len(part) for part in w.view.train_test_split(test_size=0.25)] == [15, 5, 15, 5]
    ),
    "train_validation_test_split": lambda w: w.view.train_validation_test_split(0.25, 0.25),
    "training_data": lambda w: w.view.training_data(),
    "transform": lambda w: _halving(w).transform([1, 4.0]) == [1, 2.0],
    "update": lambda w: w.view.update(),
    "update_last_accessed_training_dataset": lambda w: w.view.update_last_accessed_training_dataset(
        1
    ),
    "visualize_transformations": lambda w: _scaled(w).visualize_transformations(mode="text"),
}


def _awaited(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)


TRAINING_DATASET: Calls = {
    "add_tag": lambda w: w.training_dataset.add_tag("name", "value"),
    "compute_statistics": lambda w: w.training_dataset.compute_statistics(),
    "delete": lambda w: w.training_dataset.delete(),
    "delete_tag": lambda w: w.training_dataset.delete_tag("name"),
    "get_query": lambda w: w.training_dataset.get_query(),
    "get_serving_vector": lambda w: w.training_dataset.get_serving_vector({"id": 1}),
    "get_serving_vectors": lambda w: w.training_dataset.get_serving_vectors({"id": [1]}),
    "get_tag": lambda w: w.training_dataset.get_tag("name"),
    "get_tags": lambda w: w.training_dataset.get_tags(),
    "init_prepared_statement": lambda w: w.training_dataset.init_prepared_statement(),
    "insert": lambda w: w.training_dataset.insert(w.query, overwrite=True),
    "read": lambda w: w.training_dataset.read(),
    "save": lambda w: w.training_dataset.save(w.query),
    "show": lambda w: w.training_dataset.show(3),
    "update_statistics_config": lambda w: w.training_dataset.update_statistics_config(),
}
