"""Login: projects, the credentials of the query service, and the cluster variables that the SDK
asks for."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from local_hopsworks.errors import NotFound
from local_hopsworks.http.answers import USER, Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.projects.errors import (
    PROJECT_NOT_FOUND,
    VARIABLE_NOT_FOUND,
)
from local_hopsworks.projects.tables import projects
from local_hopsworks.store import Store

routes = Routes()
SPOKEN_VERSION = "5.2.1"  # of Hopsworks; the SDK warns its user when its own major.minor differs


def create_project(db: sa.Connection, store: Store, name: str) -> None:
    """The project `name` with its datasets; nothing changes if it is there."""
    store.create_project(name)
    if db.execute(projects.select().where(projects.c.name == name)).one_or_none() is None:
        db.execute(projects.insert().values(name=name, created=now()))


@routes.add("GET", "/project/getProjectInfo/{name}")
def project_info(call: Call) -> Answer:
    """A project, by its name."""
    row = call.db.execute(
        projects.select().where(projects.c.name == call.path["name"])
    ).one_or_none()
    if row is None:
        names = ", ".join(call.db.scalars(sa.select(projects.c.name)))
        raise NotFound(
            f"There is no project {call.path['name'][:80]!r} here, but {names}.", PROJECT_NOT_FOUND
        )
    return {
        "projectId": row.id,
        "projectName": row.name,
        "owner": USER["email"],
        "description": "A project of the embedded Hopsworks",
        "created": row.created,
    }


@routes.add("GET", "/project")
def all_projects(call: Call) -> Answer:
    """All projects; the SDK asks for them when a program logs in."""
    # The SDK keeps its certificates in a folder named after the user, and deletes them there when
    # it exits: with one name for all, the first process to end would take the certificates of the
    # others away.
    user = {**USER, "username": f"local{secrets.token_hex(4)}"}
    # A program that logs in may be the one that was killed before, started again
    for settle in call.hopsworks.on_login:
        settle(call.hopsworks)
    hopsworks = call.hopsworks
    hopsworks.writes.settle(call.store, hopsworks.metadata, hopsworks.clients.is_alive)
    rows = call.db.execute(projects.select().order_by(projects.c.id)).all()
    return [
        {
            "project": {"id": row.id, "name": row.name, "owner": USER},
            "user": user,
            "teamRole": "Data owner",
        }
        for row in rows
    ]


@routes.add("GET", "/project/{project}/credentials")
def credentials(call: Call) -> Answer:
    """The certificates with which the query service lets the client in."""
    return {**call.hopsworks.security.credentials(), "projectName": call.project.name}


@routes.add("GET", "/variables/versions")
def versions(call: Call) -> Answer:
    """The version of Hopsworks, which the SDK compares with its own."""
    return [{"software": "hopsworks", "version": SPOKEN_VERSION}]


@routes.add("GET", "/variables/{name}")
def variable(call: Call) -> Answer:
    """A cluster variable; each service says in its `service.py` which it answers."""
    value = call.hopsworks.variables.get(call.path["name"])
    if value is None:
        raise NotFound(f"There is no variable {call.path['name'][:80]!r}.", VARIABLE_NOT_FOUND)
    return {"successMessage": value(call.hopsworks, call.client)}
