"""Secrets of the user: stored encrypted with the store's own key, shown to clients with the API
key."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.http.answers import USER, Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.projects.tables import projects
from local_hopsworks.secrets.errors import SECRET_EXISTS, SECRET_NOT_FOUND
from local_hopsworks.secrets.tables import secrets

routes = Routes()
PATH = "/users/secrets"
LONGEST_NAME, LONGEST_VALUE = 200, 9000  # characters, as in Hopsworks
_NO_NAMES = (".", "..", "shared")  # clients take the first two out of an address
_VISIBILITIES = ("PRIVATE", "PROJECT")


def documents(call: Call) -> list[dict[str, Any]]:
    """All secrets without their values, as Hopsworks lists them."""
    return [_document(row) for row in call.db.execute(secrets.select().order_by(secrets.c.name))]


def _document(row: sa.Row[Any]) -> dict[str, Any]:
    return {"name": row.name, "owner": USER["username"], **row.document}


def _find(call: Call, name: str) -> sa.Row[Any]:
    row = call.db.execute(secrets.select().where(secrets.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"There is no secret {name[:80]!r}.", SECRET_NOT_FOUND)
    return row


def _with_value(call: Call, row: sa.Row[Any]) -> Answer:
    return items([{**_document(row), "secret": call.hopsworks.security.decrypt(row.value)}])


@routes.add("POST", PATH)
def create(call: Call) -> Answer:
    """Keep a secret, encrypted."""
    body = call.document
    name, value, visibility = (
        body.get("name"),
        body.get("secret"),
        body.get("visibility") or "PRIVATE",
    )
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or "/" in name:
        raise HopsworksError(f"A secret's name is 1 to {LONGEST_NAME} characters without a slash.")
    if name in _NO_NAMES:
        raise HopsworksError(f"No secret can be called {name!r}: its address is another call's.")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_VALUE:
        raise HopsworksError(
            f"The value of the secret {name!r} must be 1 to {LONGEST_VALUE} characters long."
        )
    if visibility not in _VISIBILITIES:
        raise NotEmbedded(f"a secret of visibility {str(visibility)[:40]!r}")
    scope = body.get("scope") if visibility == "PROJECT" else None
    if (
        visibility == "PROJECT"
        and call.db.scalar(sa.select(projects.c.id).where(projects.c.id == scope)) is None
    ):
        raise HopsworksError(
            f"There is no project with id {str(scope)[:40]} to share the secret {name!r} with."
        )
    secret = {"visibility": visibility, "scope": scope, "addedOn": now()}
    try:
        encrypted = call.hopsworks.security.encrypt(value)
        call.db.execute(secrets.insert().values(name=name, value=encrypted, document=secret))
    except sa.exc.IntegrityError as error:
        raise HopsworksError(
            f"The secret {name!r} exists already; delete it first.", SECRET_EXISTS, 409
        ) from error
    return {"successMessage": "Added new secret"}


@routes.add("GET", PATH)
def get_all(call: Call) -> Answer:
    """All secrets without their values."""
    return items(documents(call))


@routes.add("GET", PATH + "/shared", options=["name", "owner"])
def get_shared(call: Call) -> Answer:
    """A secret that its owner shares with a project; here all are of one owner."""
    name, owner = call.option("name") or "", call.option("owner")
    row = _find(call, name)
    if owner not in (USER["username"], USER["email"]) or row.document["visibility"] != "PROJECT":
        raise NotFound(f"{str(owner)[:80]} shares no secret {name[:80]!r}.", SECRET_NOT_FOUND)
    return _with_value(call, row)


@routes.add("GET", PATH + "/{name}")
def get(call: Call) -> Answer:
    """One secret with its value."""
    return _with_value(call, _find(call, call.path["name"]))


@routes.add("DELETE", PATH + "/{name}")
def delete(call: Call) -> Answer:
    """Remove a secret."""
    call.db.execute(secrets.delete().where(secrets.c.id == _find(call, call.path["name"]).id))
    return None
