"""Keywords of feature groups, feature views and training datasets: words to find them by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError
from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.feature_store import feature_views as views
from local_hopsworks.feature_store import training_datasets as training
from local_hopsworks.feature_store.tables import feature_groups, feature_views, training_datasets
from local_hopsworks.http.answers import Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.http.times import now
from local_hopsworks.keywords.tables import keywords as table
from local_hopsworks.tags import routes as tags

routes = Routes()
LONGEST = 255  # characters


def _of(call: Call, owner: str) -> dict[str, Any]:
    rows = call.db.execute(
        table.select().where(table.c.owner == owner).order_by(table.c.name)
    ).all()
    listed = [{"name": row.name, "createdOn": row.created} for row in rows]
    return {"keywords": [row.name for row in rows], "items": listed}


def _register(path: str, find_owner: Callable[[Call], str]) -> None:
    def get(call: Call) -> Answer:
        return _of(call, find_owner(call))

    def replace(call: Call) -> Answer:
        owner, words = find_owner(call), call.document.get("keywords")
        if not isinstance(words, list) or not all(
            isinstance(word, str) and 0 < len(word) <= LONGEST for word in words
        ):
            raise HopsworksError(f"keywords must be a list of words of 1 to {LONGEST} characters.")
        known = set(call.db.scalars(sa.select(table.c.name).where(table.c.owner == owner)))
        call.db.execute(table.delete().where(table.c.owner == owner, table.c.name.not_in(words)))
        for word in set(words) - known:
            call.db.execute(table.insert().values(owner=owner, name=word, created=now()))
        return _of(call, owner)

    def delete(call: Call) -> Answer:
        owner = find_owner(call)
        call.db.execute(
            table.delete().where(table.c.owner == owner, table.c.name == call.option("keyword"))
        )
        return _of(call, owner)

    routes.add("GET", path)(get)
    routes.add("POST", path)(replace)
    routes.add("DELETE", path, options=["keyword"])(delete)


_register(
    groups.PATH + "/{id}/keywords",
    lambda call: tags.owner(feature_groups, groups.find(call, call.integer("id")).id),
)
_register(views.VERSION + "/keywords", lambda call: tags.owner(feature_views, views.find(call).id))
_register(
    training.VERSION + "/keywords",
    lambda call: tags.owner(training_datasets, training.find(call).id),
)


@routes.add("GET", "/project/{project}/featurestores/keywords")
def get_all(call: Call) -> Answer:
    """Every word in use; a real Hopsworks tells those of the whole cluster too."""
    return {
        "keywords": list(call.db.scalars(sa.select(table.c.name).distinct().order_by(table.c.name)))
    }
