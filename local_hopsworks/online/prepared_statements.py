"""The prepared statements of a feature view: for each of its feature groups one that looks up a
key, or many at once. The SDK fills in the question marks, sends them to the SQL endpoint
(sql_endpoint.py) and puts the rows of all groups together."""

from __future__ import annotations

from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.feature_store import feature_views
from local_hopsworks.feature_store.view_schema import (
    INFERENCE_HELPER,
    LABEL,
    TRAINING_HELPER,
    ViewFeature,
    ViewSchema,
    schema,
)
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.online import statements
from local_hopsworks.online.errors import ONLINE_NOT_ENABLED
from local_hopsworks.online.statements import name

routes = Routes()
_OPTIONS = (
    "batch",
    "inference_helper_columns",
    "logging_meta_data",
    "feature_vector_with_inference_helpers",
)
_ALIAS = "fg0"


@routes.add("GET", feature_views.VERSION + "/preparedstatement", options=_OPTIONS)
def prepared_statements(call: Call) -> Answer:
    """Those of one of the kinds that the options name, or of plain feature vectors."""
    view = schema(call, feature_views.find(call))
    if not view.serving_keys:  # the SDK asks whenever a view has none, even when it is created
        return items([])
    check_online(view)
    found = []
    for table in range(len(view.plan.tables)):
        features = _features(call, view, table)
        # The SDK counts on a statement for many keys of every group, as Hopsworks has them
        if features or call.flag("batch"):
            columns = [(feature.column.name, feature.name) for feature in features]
            found.append(_statement(call, view, table, columns))
    return items(found)


def check_online(view: ViewSchema) -> None:
    """Refuse a view with a feature group that is not kept online."""
    for group in view.groups.values():
        if not group.get("onlineEnabled"):
            raise HopsworksError(
                f"Feature vectors are made of online enabled feature groups, and {group['name']} "
                f"version {group['version']} is not one.",
                ONLINE_NOT_ENABLED,
            )


def _features(call: Call, view: ViewSchema, table: int) -> list[ViewFeature]:
    """What a statement of the kind that is asked for reads of a table."""
    features = view.of_table(table)
    if call.flag("inference_helper_columns"):
        return [feature for feature in features if feature.has(INFERENCE_HELPER)]
    left_out = [LABEL, TRAINING_HELPER]
    if not call.flag("logging_meta_data") and not call.flag(
        "feature_vector_with_inference_helpers"
    ):
        left_out.append(INFERENCE_HELPER)
    return [feature for feature in features if not feature.has(*left_out)]


def _statement(
    call: Call, view: ViewSchema, table: int, columns: list[tuple[str, str]]
) -> dict[str, Any]:
    """The DTO; `columns` are features of the group with their names in the view."""
    group, key, prefix = view.group(table), view.primary_key(table), view.prefix(table)
    if call.flag("batch"):
        # The SDK tells by the keys which row belongs to which entry
        shown = {shown for _, shown in columns}
        columns += [(each, prefix + each) for each in key if prefix + each not in shown]
        where = f"({', '.join(name(_ALIAS, each) for each in key)}) IN ?"
    else:
        where = " AND ".join(f"{name(_ALIAS, each)} = ?" for each in key)
    selected = ", ".join(f"{name(_ALIAS, each)} AS {name(alias)}" for each, alias in columns)
    source = name(call.project.name, f"{group['name']}_{group['version']}")
    text = f"SELECT {selected} FROM {source} AS {name(_ALIAS)} WHERE {where}"
    parameters = [{"name": each, "index": index} for index, each in enumerate(key, start=1)]
    return {
        "featureGroupId": group["id"],
        "preparedStatementIndex": table,
        "preparedStatementParameters": parameters,
        "prefix": prefix,
        "queryOnline": statements.signed(call.hopsworks.security, text),
    }
