"""Queries of feature views for batch and training data: which columns, which rows, which time
window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.feature_store import feature_groups, queries, shapes
from local_hopsworks.feature_store.errors import NO_EVENT_TIME, TRAINING_DATASET_NOT_FOUND
from local_hopsworks.feature_store.feature_views import VERSION, document, find
from local_hopsworks.feature_store.tables import training_datasets
from local_hopsworks.feature_store.view_schema import INFERENCE_HELPER, LABEL, TRAINING_HELPER
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.offline.plan import MOST_SECONDS, Column, Join
from local_hopsworks.offline.planner import NO_LIMIT

routes = Routes()
_ROLE_OPTIONS = {
    LABEL: "with_label",
    INFERENCE_HELPER: "inference_helper_columns",
    TRAINING_HELPER: "training_helper_columns",
}
_BATCH_OPTIONS = (
    *_ROLE_OPTIONS.values(),
    "start_time",
    "end_time",
    "with_primary_keys",
    "with_event_time",
    "is_hive_engine",
    "td_version",
)


@routes.add("GET", VERSION + "/query/batch", options=_BATCH_OPTIONS)
def batch_query(call: Call) -> Answer:
    """The Query DTO for batch or training data; the client sends it back to be planned and read."""
    row = find(call)
    view = document(call, row)
    keys = _keys(call, row.document["query"])
    query = _chosen(view["query"], _dropped(call, view), keys)
    root = query["leftFeatureGroup"]
    conditions = [
        query.get("filter"),
        call.body,
        *window(root, call.number("start_time"), call.number("end_time")),
    ]
    if (version := call.number("td_version")) is not None:
        same = training_datasets.c.parent_id == row.id, training_datasets.c.version == version
        stored = call.db.execute(training_datasets.select().where(*same)).one_or_none()
        if stored is None:
            raise NotFound(
                f"Feature view {row.name} version {row.version} has no training dataset "
                f"version {version}.",
                TRAINING_DATASET_NOT_FOUND,
            )
        conditions.append(stored.document.get("extraFilter"))
        if query.get("limit") is None:
            query["limit"] = (
                # a split deals out rows by number, so training data must be in one order for ever
                NO_LIMIT
            )
    query["filter"] = all_of(conditions)
    return query


routes.add(
    "POST", VERSION + "/query/batch", options=_BATCH_OPTIONS, reads_only=True, body=shapes.FILTER
)(batch_query)


def _dropped(call: Call, view: dict[str, Any]) -> set[tuple[int, str]]:
    """The labels and helper columns that are not asked for, by group and name."""
    wanted = {role: call.flag(option) for role, option in _ROLE_OPTIONS.items()}
    found = set()
    for feature in view["features"]:
        are_wanted = [is_wanted for role, is_wanted in wanted.items() if feature[role]]
        if are_wanted and not any(are_wanted):
            found.add((feature["featuregroup"]["id"], feature["featureGroupFeatureName"]))
    return found


def _keys(call: Call, query: dict[str, Any]) -> dict[int, list[str]]:
    """Primary keys and event times asked for, by feature group: like Hopsworks of all groups, but
    what the groups share (the keys they are joined on, an event time of the same name) only of the
    first."""
    plan = queries.plan(call.db, call.store, call.project, query)
    shared = {
        (right.table, right.name)
        for left, right in _joined_on(plan.joins)
        if left.name == right.name
    }
    found: dict[int, list[str]] = {}
    event_times: set[str] = set()
    for position, table in enumerate(plan.tables):
        group = feature_groups.document(call, feature_groups.find(call, table.group))
        names = found.setdefault(table.group, [])
        if call.flag("with_primary_keys"):
            names += [
                f["name"]
                for f in group["features"]
                if f.get("primary") and (position, f["name"]) not in shared
            ]
        event_time = group.get("eventTime")
        if call.flag("with_event_time") and event_time and event_time not in event_times:
            event_times.add(event_time)
            names.append(event_time)
    return found


def _joined_on(joins: Iterable[Join]) -> Iterator[tuple[Column, Column]]:
    for join in joins:
        yield from join.on
        yield from _joined_on(join.joins)


def _chosen(
    query: dict[str, Any], dropped: set[tuple[int, str]], keys: dict[int, list[str]]
) -> dict[str, Any]:
    """The query without the `dropped` features and with the `keys` of its feature groups."""
    group = query["leftFeatureGroup"]
    wanted = keys.get(group["id"], [])
    selected = {feature["name"] for feature in query["leftFeatures"]}
    return {
        **query,
        "leftFeatures": [
            *(
                f
                for f in query["leftFeatures"]
                if f["name"] in wanted or (group["id"], f["name"]) not in dropped
            ),
            # Under its full name the SDK knows that it is no feature of the view, and drops it
            # where it must.
            *(
                {**f, "useFullyQualifiedName": True}
                for f in group["features"]
                if f["name"] in wanted and f["name"] not in selected
            ),
        ],
        "joins": [
            {**join, "query": _chosen(join["query"], dropped, keys)}
            for join in query.get("joins") or []
        ],
    }


def window(root: dict[str, Any], start: int | None, end: int | None) -> Iterator[dict[str, Any]]:
    """Filters for start <= event time < end (ms since 1970) on a view's first feature group."""
    for bound, comparison in ((start, "GREATER_THAN_OR_EQUAL"), (end, "LESS_THAN")):
        if bound is None:
            continue
        event_time = next(
            (feature for feature in root["features"] if feature["name"] == root.get("eventTime")),
            None,
        )
        if event_time is None:
            raise HopsworksError(
                f"Feature group {root['name']} has no event time to choose a time window by.",
                NO_EVENT_TIME,
            )
        if event_time["type"].lower() == "bigint":
            yield _in_either_unit(event_time, comparison, bound)
        else:
            yield {"feature": event_time, "condition": comparison, "value": str(bound)}


def _in_either_unit(event_time: dict[str, Any], comparison: str, bound: int) -> dict[str, Any]:
    """The comparison of an event time that is in seconds or in milliseconds, each for itself."""

    def compared(condition: str, value: int) -> dict[str, Any]:
        return {"feature": event_time, "condition": condition, "value": str(value)}

    milliseconds = {
        "type": "OR",
        "leftFilter": compared("GREATER_THAN", MOST_SECONDS),
        "rightFilter": compared("LESS_THAN", -MOST_SECONDS),
    }
    seconds = {
        "type": "AND",
        "leftFilter": compared("LESS_THAN_OR_EQUAL", MOST_SECONDS),
        "rightFilter": compared("GREATER_THAN_OR_EQUAL", -MOST_SECONDS),
    }
    first_second = -(-bound // 1000)
    return {
        "type": "OR",
        "leftLogic": {
            "type": "AND", "leftLogic": milliseconds, "rightFilter": compared(comparison, bound),
        },
        "rightLogic": {
            "type": "AND", "leftLogic": seconds, "rightFilter": compared(comparison, first_second),
        },
    }  # fmt: skip


def all_of(conditions: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The conjunction of Filter and Logic DTOs, as one Logic DTO (the SDK parses no bare filter
    here)."""
    combined: dict[str, Any] | None = None
    for condition in conditions:
        if not condition:
            continue
        kind = "Filter" if "condition" in condition else "Logic"
        if combined is None:
            combined = condition if kind == "Logic" else {"type": "SINGLE", "leftFilter": condition}
        else:
            combined = {"type": "AND", "leftLogic": combined, f"right{kind}": condition}
    return combined
