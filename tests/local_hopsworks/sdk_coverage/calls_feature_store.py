"""How each public method of FeatureStore, FeatureGroup and Query is called."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
from calls_project import Calls
from hsfs.feature import Feature
from hsfs.hopsworks_udf import udf
from world import World


@udf(float)
def plus_one(x):
    return x + 1


def _external(w: World) -> Any:
    return w.store.get_storage_connector("warehouse")


FEATURE_STORE: Calls = {
    "create_chart": lambda w: w.store.create_chart("title", "description", "https://localhost"),
    "create_dashboard": lambda w: w.store.create_dashboard("name"),
    "create_data_source": lambda w: w.store.create_data_source(_external(w)),
    "create_external_feature_group": lambda w: w.store.create_external_feature_group(
        w.name(), storage_connector=_external(w), query="SELECT 1"
    ),
    "create_feature_group": lambda w: w.new_group(),
    "create_feature_view": lambda w: w.new_view(),
    "create_on_demand_feature_group": lambda w: w.store.create_on_demand_feature_group(
        w.name(), _external(w)
    ),
    "create_training_dataset": lambda w: w.store.create_training_dataset(
        w.name(), data_format="csv"
    ).save(w.query),
    "create_transformation_function": lambda w: w.store.create_transformation_function(
        plus_one
    ).save(),
    "get_all_keywords": lambda w: w.store.get_all_keywords(),
    "get_chart": lambda w: w.store.get_chart(1),
    "get_charts": lambda w: w.store.get_charts(),
    "get_dashboard": lambda w: w.store.get_dashboard(1),
    "get_dashboards": lambda w: w.store.get_dashboards(),
    "get_data_source": lambda w: w.store.get_data_source("warehouse"),
    "get_external_feature_group": lambda w: w.store.get_external_feature_group(w.group.name, 1),
    "get_external_feature_groups": lambda w: w.store.get_external_feature_groups(),
    "get_feature_group": lambda w: w.store.get_feature_group(w.group.name, 1).id == w.group.id,
    "get_feature_groups": lambda w: len(w.store.get_feature_groups(w.group.name)),
    "get_feature_view": lambda w: w.store.get_feature_view(w.view.name, 1).id == w.view.id,
    "get_feature_views": lambda w: len(w.store.get_feature_views(w.view.name)),
    "get_on_demand_feature_group": lambda w: w.store.get_on_demand_feature_group(w.group.name, 1),
    "get_on_demand_feature_groups": lambda w: w.store.get_on_demand_feature_groups(w.group.name),
    "get_online_data_source": lambda w: w.store.get_online_data_source(),
    "get_online_storage_connector": lambda w: w.store.get_online_storage_connector(),
    "get_or_create_feature_group": lambda w: (
        w.store.get_or_create_feature_group(w.group.name, 1).id == w.group.id
    ),
    "get_or_create_feature_view": lambda w: (
        w.store.get_or_create_feature_view(w.view.name, w.query, 1).id == w.view.id
    ),
    "get_or_create_spine_group": lambda w: w.store.get_or_create_spine_group(
        w.name(), 1, primary_key=["id"], event_time="at", dataframe=w.rows()[["id", "at"]]
    ),
    "get_storage_connector": _external,
    "get_training_dataset": lambda w: w.store.get_training_dataset("anything", 1),
    "get_training_datasets": lambda w: w.store.get_training_datasets("anything"),
    "get_transformation_function": lambda w: (
        w.store.get_transformation_function("label_encoder").hopsworks_udf
    ),
    "get_transformation_functions": lambda w: len(w.store.get_transformation_functions()),
    "search": lambda w: w.store.search("x"),
    "search_feature_groups": lambda w: w.store.search_feature_groups("x"),
    "search_feature_views": lambda w: w.store.search_feature_views("x"),
    "search_features": lambda w: w.store.search_features("x"),
    "search_training_datasets": lambda w: w.store.search_training_datasets("x"),
    "share": lambda w: w.store.share(w.project.name),
    "shared_with": lambda w: w.store.shared_with(),
    "sql": lambda w: w.store.sql("SELECT 1"),
    "unshare": lambda w: w.store.unshare(w.project.name),
}

_TODAY = datetime(2026, 1, 1)

FEATURE_GROUP: Calls = {
    "add_keywords": lambda w: w.group.add_keywords(["a"]),
    "add_tag": lambda w: w.group.add_tag("name", {"a": 1}),
    "append_features": lambda w: w.new_group().append_features([Feature("z", "double")]),
    "as_of": lambda w: len(w.group.as_of(datetime.now()).read()),
    "check_deprecated": lambda w: w.group.check_deprecated(),
    "commit_delete_record": lambda w: w.new_group().commit_delete_record(w.rows().head(1)),
    "commit_details": lambda w: w.group.commit_details(),
    "compute_statistics": lambda w: described(w.new_group().compute_statistics()),
    "create_alert": lambda w: w.group.create_alert("me", "feature_validation_failure", "info"),
    "create_feature_monitoring": lambda w: (
        w.group.create_feature_monitoring(w.name(), cron_expression="0 0 12 ? * * *")
        .with_detection_window()
        .compare_on(feature_name="x", metric="mean", threshold=1, specific_value=1)
        .save()
    ),
    "create_scheduled_statistics": lambda w: (
        w.group.create_scheduled_statistics(w.name()).with_detection_window().save()
    ),
    "delete": lambda w: w.new_group().delete(),
    "delete_expectation_suite": lambda w: w.group.delete_expectation_suite(),
    "delete_keyword": lambda w: w.group.delete_keyword("a"),
    "delete_tag": lambda w: (w.group.add_tag("gone", 1), w.group.delete_tag("gone")),
    "delta_checkpoint": lambda w: w.group.delta_checkpoint(),
    "delta_cleanup_metadata": lambda w: w.group.delta_cleanup_metadata(),
    "delta_compact": lambda w: w.group.delta_compact(),
    "delta_optimize": lambda w: w.group.delta_optimize(),
    "delta_vacuum": lambda w: w.group.delta_vacuum(),
    "describe_layout": lambda w: w.group.describe_layout(),
    "disable_clustering": lambda w: w.group.disable_clustering(),
    "disable_ttl": lambda w: w.group.disable_ttl(),
    "enable_ttl": lambda w: w.group.enable_ttl(3600),
    "execute_odts": lambda w: w.group.execute_odts(w.rows()),
    "filter": lambda w: len(w.group.filter(w.group.get_feature("x") > 3).read()),
    "finalize_multi_part_insert": lambda w: w.group.finalize_multi_part_insert(),
    "find_neighbors": lambda w: w.new_group(_vectors(w), embedding_index=_index()).find_neighbors(
        [1.0]
    ),
    "get_alert": lambda w: w.group.get_alert(1),
    "get_alerts": lambda w: w.group.get_alerts(),
    "get_all_statistics": lambda w: _one_for_each_commit(w.new_group()),
    "get_all_validation_reports": lambda w: w.group.get_all_validation_reports(),
    "get_clustering_columns": lambda w: w.group.get_clustering_columns(),
    "get_complex_features": lambda w: w.group.get_complex_features(),
    "get_data_source": lambda w: w.group.get_data_source(),
    "get_data_source_provenance": lambda w: w.group.get_data_source_provenance(),
    "get_expectation_suite": lambda w: w.group.get_expectation_suite(),
    "get_feature": lambda w: w.group.get_feature("x"),
    "get_feature_monitoring_configs": lambda w: w.group.get_feature_monitoring_configs(),
    "get_feature_monitoring_history": lambda w: w.group.get_feature_monitoring_history(config_id=1),
    "get_fg_name": lambda w: w.group.get_fg_name(),
    "get_generated_feature_groups": lambda w: w.group.get_generated_feature_groups(),
    "get_generated_feature_views": lambda w: (
        w.view,
        w.group.get_generated_feature_views().accessible,
    )[1],
    "get_keywords": lambda w: w.group.get_keywords(),
    "get_keywords_metadata": lambda w: w.group.get_keywords_metadata(),
    "get_latest_online_ingestion": lambda w: (
        w.online_group.get_latest_online_ingestion().num_entries == 20
    ),
    "get_latest_validation_report": lambda w: w.group.get_latest_validation_report(),
    "get_online_ingestion": lambda w: (
        w.online_group.get_online_ingestion(w.ingestion.id).results[0].rows == 20
    ),
    "get_parent_feature_groups": lambda w: w.group.get_parent_feature_groups(),
    "get_partition_spec": lambda w: w.group.get_partition_spec(),
    "get_partition_specs": lambda w: w.group.get_partition_specs(),
    "get_restricted_access": lambda w: w.group.get_restricted_access(),
    "get_sort_order": lambda w: w.group.get_sort_order(),
    "get_statistics": lambda w: described(w.new_group().get_statistics()),
    "get_statistics_by_commit_window": lambda w: _described_at_its_commit(w.new_group()),
    "get_storage_connector": lambda w: w.group.get_storage_connector(),
    "get_storage_connector_provenance": lambda w: w.group.get_storage_connector_provenance(),
    "get_tag": lambda w: (w.group.add_tag("name", {"a": 1}), w.group.get_tag("name"))[1],
    "get_tag_metadata": lambda w: w.group.get_tag_metadata("name"),
    "get_tags": lambda w: w.group.get_tags(),
    "get_tags_metadata": lambda w: w.group.get_tags_metadata(),
    "get_validation_history": lambda w: w.group.get_validation_history(1),
    "grant_restricted_access": lambda w: w.group.grant_restricted_access("someone@localhost"),
    "insert": lambda w: w.new_group(),
    "insert_stream": lambda w: w.group.insert_stream(w.rows()),
    "multi_part_insert": lambda w: w.new_group().multi_part_insert(w.rows()),
    "optimize": lambda w: w.group.optimize(),
    "prepare_spark_location": lambda w: w.group.prepare_spark_location(),
    "read": lambda w: len(w.group.read()) == 20,
    "read_changes": lambda w: w.group.read_changes(_TODAY, datetime.now()),
    "read_primary_keys": lambda w: list(w.group.read_primary_keys().columns) == ["id"],
    "remove_rows": lambda w: w.new_group().remove_rows(w.rows().head(1)),
    "revoke_restricted_access": lambda w: w.group.revoke_restricted_access("someone@localhost"),
    "save": lambda w: w.store.create_feature_group(w.name("group"), 1, primary_key=["id"]).save(
        w.rows()
    ),
    "save_expectation_suite": lambda w: w.new_group().save_expectation_suite(_suite()),
    "save_validation_report": lambda w: w.group.save_validation_report(_report()),
    "select": lambda w: list(w.group.select(["x"]).read().columns) == ["x"],
    "select_all": lambda w: len(w.group.select_all().read().columns) == 4,
    "select_except": lambda w: (
        list(w.group.select_except(["x", "y"]).read().columns) == ["id", "at"]
    ),
    "select_features": lambda w: list(w.group.select_features().read().columns) == ["x", "y"],
    "set_keywords": lambda w: w.group.set_keywords(["a"]),
    "share": lambda w: w.group.share(w.project.name),
    "shared_with": lambda w: w.group.shared_with(),
    "show": lambda w: len(w.group.show(5)) == 5,
    "unshare": lambda w: w.group.unshare(w.project.name),
    "update_clustering": lambda w: w.group.update_clustering(["x"]),
    "update_deprecated": lambda w: w.new_group().update_deprecated(),
    "update_description": lambda w: w.group.update_description("better"),
    "update_feature_description": lambda w: w.group.update_feature_description("x", "a number"),
    "update_features": lambda w: w.new_group().update_features(
        Feature("x", "double", description="a number")
    ),
    "update_notification_topic_name": lambda w: w.group.update_notification_topic_name("topic"),
    "update_partition_spec": lambda w: w.group.update_partition_spec(add=["x"]),
    "update_statistics_config": lambda w: w.group.update_statistics_config(),
    "update_topic_name": lambda w: w.group.update_topic_name("topic"),
    "validate": lambda w: w.group.validate(w.rows()),
    "visualize_transformations": lambda w: w.group.visualize_transformations(mode="text"),
}


def _vectors(w: World) -> pd.DataFrame:
    return w.rows().assign(v=[[1.0]] * 20)


def _index() -> Any:
    from hsfs.embedding import EmbeddingIndex

    index = EmbeddingIndex()
    index.add_embedding("v", 1)
    return index


def _suite() -> Any:
    from hsfs.expectation_suite import ExpectationSuite

    return ExpectationSuite("suite", [], {})


def _report() -> dict[str, Any]:
    return {"success": True, "results": [], "meta": {}, "statistics": {}}


def _batches(w: World) -> int:
    with w.query.read_batches() as batches:
        return sum(len(batch) for batch in batches)


def _join(w: World) -> pd.DataFrame:
    return w.query.join(w.new_group().select(["id", "x"]), on=["id"], prefix="right_").read()


QUERY: Calls = {
    "append_feature": lambda w: w.group.select(["x"]).append_feature("y").read(),
    "as_of": lambda w: w.group.select_all().as_of(datetime.now()).read(),
    "check_and_warn_ambiguous_features": lambda w: w.query.check_and_warn_ambiguous_features(),
    "filter": lambda w: w.group.select_all().filter(w.group.get_feature("x") > 3).read(),
    "get_ambiguous_features": lambda w: w.query.get_ambiguous_features(),
    "get_feature": lambda w: w.query.get_feature("x"),
    "is_cache_feature_group_only": lambda w: w.query.is_cache_feature_group_only(),
    "is_time_travel": lambda w: w.query.is_time_travel() is not None,
    "join": _join,
    "limit": lambda w: len(w.group.select_all().limit(3).read()) == 3,
    "pull_changes": lambda w: w.group.select_all().pull_changes(_TODAY, datetime.now()).read(),
    "read": lambda w: len(w.query.read()) == 20,
    "read_batches": lambda w: _batches(w) == 20,
    "show": lambda w: len(w.query.show(2)) == 2,
    "to_string": lambda w: w.query.to_string(),
}


def described(statistics: Any) -> float:
    """The highest x in statistics, which must be that of the rows."""
    highest = {each.feature_name: each.max for each in statistics.feature_descriptive_statistics}
    assert highest["x"] == 19.0, highest
    return highest["x"]


def _described_at_its_commit(group: Any) -> float:
    (commit,) = group.commit_details()
    assert group.get_statistics_by_commit_window(to_commit_time=commit - 1) is None
    return described(group.get_statistics_by_commit_window(to_commit_time=commit))


def _one_for_each_commit(group: Any) -> int:
    told = [each.window_end_commit_time for each in group.get_all_statistics()]
    assert told == list(group.commit_details()), told
    return len(told)
