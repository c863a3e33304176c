"""The page of a feature group: its features and what is in them, first rows, commits, users."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError
from local_hopsworks.expectations import validation
from local_hopsworks.feature_store import feature_groups, queries
from local_hopsworks.feature_store.tables import feature_groups as table
from local_hopsworks.http.calls import Call
from local_hopsworks.offline import history
from local_hopsworks.pages.labels import labels
from local_hopsworks.pages.lineage import Box
from local_hopsworks.pages.pages import Crumb, Listing, Page, Pages, Rooms, address
from local_hopsworks.pages.paging import Window, paged
from local_hopsworks.search.documents import Document, Feature
from local_hopsworks.tags.routes import owner

pages = Pages()
ROWS = 10  # of data, commits or reports at once
_SECTION = "/{project}/fs/{feature_store}/fg"
# What a description says of where the rows come from: data/titanic.csv
_FILE = re.compile(r"[\w./-]+\.(?:csv|tsv|parquet|json|jsonl|xlsx)\b")


def group_address(project: int, group: int) -> str:
    """Where the page of a feature group is, as the SDK prints it."""
    return address(project, "fs", project, "fg", group)


@pages.section(
    "Feature groups",
    _SECTION,
    "feature_store/templates/feature_groups.html",
    empty="None yet. feature_store.get_or_create_feature_group(…) and insert(…) make one.",
    place=1,
)
def groups(call: Call, window: Window) -> Listing:
    """The feature groups of a project, by name and version."""
    of_project = table.c.parent_id == call.project.id
    query = table.select().where(of_project).order_by(table.c.name, table.c.version)
    rows, total = paged(call.db, query, window)
    return Listing([_listed(call, row) for row in rows], total)


def _listed(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "title": f"{row.name} {row.version}",
        "description": row.document.get("description"),
        "features": len(row.document["features"]),
        "changed": _latest_change(feature_groups.table(call, row).as_uri()),
        "address": group_address(row.parent_id, row.id),
    }


def _latest_change(location: str) -> int | None:
    """The time of the latest commit that changed rows, in ms since 1970."""
    commits = history.commits(location, 1, changing=True)
    return commits[0]["commitTime"] if commits else None


@pages.add(_SECTION + "/{id}")
def feature_group(call: Call) -> Page:
    """A feature group."""
    row = feature_groups.find(call, call.integer("id"))
    document = feature_groups.document(call, row)
    window = Window.asked(call.query, ROWS, "commits")
    commits = history.commits(document["location"], window.end + 1, changing=True)
    reports = validation.documents(call, row.id)[:ROWS]
    context = {
        "group": document,
        "features": [_feature(f, document.get("eventTime")) for f in document["features"]],
        "labels": labels(call, owner(table, row.id)),
        "users": _users(call, row),
        "versions": _versions(call, row),
        "changed": _latest_change(document["location"]),
        "commits": window.of(commits),
        "window": window,
        "total": len(commits),
        "reports": [{**report, "missed": validation.missed(report)} for report in reports],
        "data": _data(call, row, document["location"]),
    }
    return Page(
        f"{row.name} {row.version}",
        "feature_store/templates/feature_group.html",
        context,
        kind="Feature group",
        crumbs=(Crumb("Feature groups", address(row.parent_id, "fs", row.parent_id, "fg")),),
        here=owner(table, row.id),
    )


def _feature(feature: dict[str, Any], event_time: str | None) -> dict[str, Any]:
    roles = {
        "primary key": feature.get("primary"),
        "partition key": feature.get("partition"),
        "event time": feature["name"] == event_time,
    }
    role = ", ".join(name for name, has in roles.items() if has)
    return {**feature, "role": role, "is_key": bool(feature.get("primary"))}


def _users(call: Call, row: sa.Row[Any]) -> list[Box]:
    """What was made from a feature group directly."""
    key = owner(table, row.id)
    return [box for box in call.hopsworks.part(Rooms).boxes(call) if key in box.made_from]


def _versions(call: Call, row: sa.Row[Any]) -> list[tuple[int, str]]:
    """The other versions of a feature group, each with its address."""
    same = table.c.parent_id == row.parent_id, table.c.name == row.name, table.c.id != row.id
    others = call.db.execute(table.select().where(*same).order_by(table.c.version))
    return [(other.version, group_address(other.parent_id, other.id)) for other in others]


def _data(call: Call, row: sa.Row[Any], location: str) -> dict[str, Any]:
    """What is in the feature group: `summaries` by the names of the features, and some `rows`; or
    the `problem` that keeps from reading them."""
    # Bring pyarrow, which no program need wait for
    from local_hopsworks.offline import run, summary

    changed = _latest_change(location)
    if changed is None:
        return {"problem": "Nothing was inserted yet."}
    names = [{"name": feature["name"]} for feature in row.document["features"]]
    query = {"leftFeatureGroup": {"id": row.id}, "leftFeatures": names}
    window = Window.asked(call.query, ROWS, "rows")
    try:
        plan = queries.plan(call.db, call.store, call.project, query)
        summaries = call.hopsworks.part(summary.Summaries)
        found = {each.name: each for each in summaries.of(plan, changed)}
        head = summary.head(call.hopsworks.part(run.Engine), plan, window.start, window.size)
    except HopsworksError as error:
        return {"problem": error.message}
    count = max((each.rows for each in found.values()), default=0)
    return {"problem": "", "summaries": found, "head": head, "window": window, "count": count}


@pages.lineage
def boxes(call: Call) -> Iterator[Box]:
    """Every feature group of a project, and before it what it was made from."""
    rows = call.db.execute(call.in_project(table)).all()
    for row in rows:
        parents = row.document.get("parents") or []
        before = [
            # a parent is older than what was made from it; anything else would be a circle
            Box(f"{table.name}/{parent['id']}", "feature group", _title(parent))
            for parent in parents
            if parent["id"] < row.id
        ]
        known = {each.id for each in rows}
        yield from (box for box in before if int(box.key.rpartition("/")[2]) not in known)
        file = _FILE.search(row.document.get("description") or "")
        if file and not before:
            before.append(Box(f"file/{file[0]}", "file", file[0].rpartition("/")[2]))
            yield before[0]
        yield Box(
            owner(table, row.id),
            "feature group",
            f"{row.name} {row.version}",
            group_address(row.parent_id, row.id),
            tuple(box.key for box in before),
            row.id,
        )


def _title(parent: dict[str, Any]) -> str:
    return f"{parent['name']} {parent['version']}"


@pages.search
def documents(call: Call) -> Iterator[Document]:
    """Every feature group of a project, and each of its features."""
    for row in call.db.execute(call.in_project(table)):
        features = tuple(
            Feature(feature["name"], feature.get("description") or "")
            for feature in row.document["features"]
        )
        place = group_address(row.parent_id, row.id)
        more = ["created"]
        group = Document.of(
            "FEATUREGROUP", table, row, place, more, version=row.version, features=features
        )
        yield group
        for feature in features:
            yield replace(
                group,
                kind="FEATURE",
                name=feature.name,
                description=feature.description,
                features=(),
                more={**group.more, "featuregroup": row.name},
            )
