"""The routes of expectation suites and their expectations; what they do is in suites.py."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.expectations import shapes, suites
from local_hopsworks.expectations.errors import (
    EXPECTATION_NOT_FOUND,
    EXPECTATION_SUITE_EXISTS,
    EXPECTATION_SUITE_NOT_FOUND,
)
from local_hopsworks.expectations.tables import expectation_suites, expectations
from local_hopsworks.feature_store import commits
from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes

routes = Routes()
PATH = groups.PATH + "/{id}/expectationsuite"
SUITE = PATH + "/{suite}"
EXPECTATION = SUITE + "/expectations/{expectation}"


def _suite(call: Call) -> sa.Row[Any]:
    suite = suites.of_group(call, groups.find(call, call.integer("id")).id)
    if suite is None or suite.id != call.integer("suite"):
        raise NotFound(
            "The feature group has no such expectation suite.", EXPECTATION_SUITE_NOT_FOUND
        )
    return suite


def _row(call: Call, suite: sa.Row[Any], identifier: int) -> sa.Row[Any]:
    query = expectations.select().where(
        expectations.c.id == identifier, expectations.c.parent_id == suite.id
    )
    row = call.db.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"The expectation suite has no expectation with id {identifier}.", EXPECTATION_NOT_FOUND
        )
    return row


@routes.add("GET", PATH)
def get_before_insert(call: Call) -> Answer:
    """The suite, or an empty list: the SDK cannot parse an empty body here.

    The SDK asks for it before every insert, and announces an insert in no other way, so the insert
    begins with this call (hsfs/core/feature_group_engine.py, `insert`).
    """
    group = groups.find(call, call.integer("id"))
    commits.begin_insert(call, group)
    suite = suites.of_group(call, group.id)
    return items([]) if suite is None else suites.document(call, suite)


@routes.add("POST", PATH, body=shapes.SUITE)
def create(call: Call) -> Answer:
    """Attach a suite to a feature group that has none."""
    group = groups.find(call, call.integer("id"))
    if suites.of_group(call, group.id) is not None:
        message = (
            f"Feature group {group.name} has an expectation suite already; update or delete that."
        )
        raise HopsworksError(message, EXPECTATION_SUITE_EXISTS, 409)
    return suites.document(call, suites.create_for(call, group.id, call.document))


@routes.add("PUT", SUITE, body=shapes.SUITE)
def update(call: Call) -> Answer:
    """Expectations with an id are changed, those without are added, and those that are no longer
    named removed."""
    suite, listed = _suite(call), call.document.get("expectations") or []
    known = {expectation["id"] for expectation in listed if expectation.get("id")}
    for identifier in known:
        _row(call, suite, identifier)
    call.db.execute(
        expectations.delete().where(
            expectations.c.parent_id == suite.id, expectations.c.id.not_in(known)
        )
    )
    for expectation in listed:
        if expectation.get("id"):
            suites.change(call, _row(call, suite, expectation["id"]), expectation)
        else:
            suites.add(call, suite.id, expectation)
    return update_metadata(call)


@routes.add("PUT", SUITE + "/metadata")
def update_metadata(call: Call) -> Answer:
    """Change a suite's name, policy and the like; its expectations stay."""
    suite = _suite(call)
    same = expectation_suites.c.id == suite.id
    call.db.execute(
        expectation_suites.update().where(same).values(document=suites.fields(call.document))
    )
    return suites.document(call, _suite(call))


@routes.add("DELETE", SUITE)
def delete(call: Call) -> Answer:
    """The reports stay."""
    call.db.execute(expectation_suites.delete().where(expectation_suites.c.id == _suite(call).id))
    return None


@routes.add("GET", SUITE + "/expectations")
def get_expectations(call: Call) -> Answer:
    """All expectations of a suite."""
    return items(suites.document(call, _suite(call))["expectations"])


@routes.add("POST", SUITE + "/expectations", body=shapes.EXPECTATION)
def add_expectation(call: Call) -> Answer:
    """Add an expectation to a suite."""
    return suites.expectation_document(suites.add(call, _suite(call).id, call.document))


@routes.add("GET", EXPECTATION)
def get_expectation(call: Call) -> Answer:
    """One expectation."""
    return suites.expectation_document(_row(call, _suite(call), call.integer("expectation")))


@routes.add("PUT", EXPECTATION, body=shapes.EXPECTATION)
def update_expectation(call: Call) -> Answer:
    """Change an expectation's arguments or meta; its type and column stay."""
    suites.change(call, _row(call, _suite(call), call.integer("expectation")), call.document)
    return get_expectation(call)


@routes.add("DELETE", EXPECTATION)
def remove_expectation(call: Call) -> Answer:
    """Remove an expectation from its suite; its results stay."""
    row = _row(call, _suite(call), call.integer("expectation"))
    call.db.execute(expectations.delete().where(expectations.c.id == row.id))
    return None
