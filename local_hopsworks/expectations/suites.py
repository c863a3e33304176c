"""Expectation suites: what a feature group's rows must look like. The client validates; this side
remembers the suite.

An expectation's id also stands in its `meta` as `expectationId`: from there Great Expectations
copies it into each result, and that is how a result finds its expectation (see validation.py). The
routes are in routes.py.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError
from local_hopsworks.expectations.errors import (
    FEATURE_NAME_NOT_FOUND,
    ILLEGAL_EXPECTATION_UPDATE,
    TEXT_TOO_LONG,
)
from local_hopsworks.expectations.tables import expectation_suites, expectations
from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.http.calls import Call

_POLICIES = ("ALWAYS", "STRICT")
# How long the texts of a suite and of an expectation may be, as Hopsworks' backend has it
# (ExpectationSuiteController, ExpectationController)
_LONGEST_IN_SUITE = {
    "expectationSuiteName": 63,
    "meta": 1000,
    "geCloudId": 200,
    "dataAssetType": 50,
}
_LONGEST = {"expectationType": 150, "meta": 1000, "kwargs": 5000}


def of_group(call: Call, group: int) -> sa.Row[Any] | None:
    """The suite of a feature group, by its id, if it has one."""
    return call.db.execute(
        expectation_suites.select().where(expectation_suites.c.parent_id == group)
    ).one_or_none()


def document(call: Call, suite: sa.Row[Any]) -> dict[str, Any]:
    """The document of a suite with its expectations."""
    project, group = call.project.id, suite.parent_id
    rows = call.db.execute(
        expectations.select()
        .where(expectations.c.parent_id == suite.id)
        .order_by(expectations.c.id)
    )
    return {
        **suite.document,
        "id": suite.id,
        "featureStoreId": project,
        "featureGroupId": group,
        "expectations": [expectation_document(row) for row in rows],
        "href": call.href(
            f"/project/{project}/featurestores/{project}/featuregroups/{group}/expectationsuite/{suite.id}"
        ),
    }


def expectation_document(row: sa.Row[Any]) -> dict[str, Any]:
    """The DTO; the SDK takes no field beyond these, and arguments and meta only as JSON text."""
    meta = {**row.document["meta"], "expectationId": row.id}
    return {
        "id": row.id,
        "expectationType": row.document["expectationType"],
        "kwargs": json.dumps(row.document["kwargs"]),
        "meta": json.dumps(meta),
    }


def create_for(call: Call, group: int, body: dict[str, Any]) -> sa.Row[Any]:
    """Attach the suite of a DTO to a feature group that has none."""
    inserted = (
        expectation_suites.insert()
        .values(parent_id=group, document=fields(body))
        .returning(expectation_suites.c.id)
    )
    suite = call.db.execute(inserted).scalar_one()
    for expectation in body.get("expectations") or []:
        add(call, suite, expectation)
    return call.db.execute(
        expectation_suites.select().where(expectation_suites.c.id == suite)
    ).one()


def fields(body: dict[str, Any]) -> dict[str, Any]:
    """What is stored of a suite's document; raises HopsworksError if it is not right."""
    name = body.get("expectationSuiteName")
    policy = str(body.get("validationIngestionPolicy") or "ALWAYS").strip().upper()
    if not isinstance(name, str) or not name:
        raise HopsworksError("The expectation suite has no name.")
    _check_lengths(body, _LONGEST_IN_SUITE)
    if policy not in _POLICIES:
        raise HopsworksError(
            f"The validation ingestion policy is {' or '.join(_POLICIES)}, not {policy[:40]!r}."
        )
    return {
        "expectationSuiteName": name,
        "meta": json.dumps(parsed(body.get("meta"), "meta")),
        "runValidation": bool(body.get("runValidation", True)),
        "validationIngestionPolicy": policy,
        "geCloudId": body.get("geCloudId"),
        "dataAssetType": body.get("dataAssetType"),
    }


def parsed(value: Any, what: str) -> dict[str, Any]:
    """A JSON object that the SDK sends as text."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise HopsworksError(f"{what} is not JSON.") from error
    if found is not None and not isinstance(found, dict):
        raise HopsworksError(f"{what} must be a JSON object, not {str(found)[:80]!r}.")
    return found or {}


def _check_lengths(body: dict[str, Any], longest: dict[str, int]) -> None:
    for name, most in longest.items():
        text = body.get(name)
        if isinstance(text, str) and len(text) > most:
            raise HopsworksError(
                f"The {name} {text[:80]!r}… has {len(text)} characters; at most {most} are "
                "allowed.",
                TEXT_TOO_LONG,
            )


def _check_columns(call: Call, suite: int, arguments: dict[str, Any]) -> None:
    """An expectation is about features of the group that the suite is for."""
    query = (
        sa.select(feature_groups.c.document)
        .join(expectation_suites, expectation_suites.c.parent_id == feature_groups.c.id)
        .where(expectation_suites.c.id == suite)
    )
    features = [feature["name"] for feature in call.db.execute(query).scalar_one()["features"]]
    for name in _columns(arguments):
        if name not in features:
            raise HopsworksError(
                f"The expectation is about {str(name)[:80]!r}, which is none of the features "
                f"{', '.join(features)}.",
                FEATURE_NAME_NOT_FOUND,
            )


def _columns(arguments: dict[str, Any]) -> list[Any]:
    if "column" in arguments:
        return [arguments["column"]]
    for name in ("column_list", "column_set"):
        if name in arguments:
            return list(arguments[name] or [])
    return []


def _checked(call: Call, suite: int, body: dict[str, Any]) -> dict[str, Any]:
    kind = body.get("expectationType")
    if not isinstance(kind, str) or not kind.isidentifier():
        raise HopsworksError(
            "An expectation has a type like expect_column_min_to_be_between, not "
            f"{str(kind)[:80]!r}."
        )
    _check_lengths(body, _LONGEST)
    arguments, meta = parsed(body.get("kwargs"), "kwargs"), parsed(body.get("meta"), "meta")
    _check_columns(call, suite, arguments)
    meta.pop("expectationId", None)  # it is ours to give
    return {"expectationType": kind, "kwargs": arguments, "meta": meta}


def add(call: Call, suite: int, body: dict[str, Any]) -> sa.Row[Any]:
    """Add an expectation to the suite with this id."""
    inserted = (
        expectations.insert()
        .values(parent_id=suite, document=_checked(call, suite, body))
        .returning(*expectations.c)
    )
    return call.db.execute(inserted).one()


def change(call: Call, row: sa.Row[Any], body: dict[str, Any]) -> None:
    """Change an expectation; raises HopsworksError if that would make it another one."""
    changed = _checked(call, row.parent_id, body)
    for name, old, new in (
        ("type", row.document["expectationType"], changed["expectationType"]),
        ("column", row.document["kwargs"].get("column"), changed["kwargs"].get("column")),
    ):
        if old != new:  # its history would mix two things
            raise HopsworksError(
                f"The {name} of the expectation {row.id} stays {old!r}; remove it and add "
                f"one with {new!r}.",
                ILLEGAL_EXPECTATION_UPDATE,
            )
    call.db.execute(
        expectations.update().where(expectations.c.id == row.id).values(document=changed)
    )
