"""Keywords of feature groups, feature views and training datasets: words to find them by."""

from __future__ import annotations

import re
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
from local_hopsworks.keywords.tables import keywords
from local_hopsworks.tags import routes as tags

routes = Routes()
_WORD = re.compile(r"[a-zA-Z0-9_]{1,63}")
KEYWORD_FORMAT = 270134  # Hopsworks' error code


@routes.add("GET", "/project/{project}/featurestores/keywords")
def get_all(call: Call) -> Answer:
    """Every word in use; a real Hopsworks tells those of the whole cluster too."""
    words = sa.select(keywords.c.name).distinct().order_by(keywords.c.name)
    return {"keywords": list(call.db.scalars(words))}


def _document(call: Call, owner: str) -> dict[str, Any]:
    query = keywords.select().where(keywords.c.owner == owner).order_by(keywords.c.name)
    rows = call.db.execute(query).all()
    return {
        "keywords": [row.name for row in rows],
        "items": [{"name": row.name, "createdOn": row.created} for row in rows],
    }


def _checked(words: Any) -> set[str]:
    are_texts = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not are_texts or not all(_WORD.fullmatch(word) for word in words):
        raise HopsworksError(
            "keywords must be a list of words of 1 to 63 letters, digits and underscores, "
            f"not {str(words)[:200]}.",
            KEYWORD_FORMAT,
        )
    return set(words)


def _routes_below(path: str, find_owner: Callable[[Call], str]) -> Routes:
    """The routes of the keywords of one kind of thing; `find_owner` names the thing of a call."""
    made = Routes()

    @made.add("GET", path)
    def get(call: Call) -> Answer:
        return _document(call, find_owner(call))

    @made.add("POST", path)
    def replace(call: Call) -> Answer:
        owner, words = find_owner(call), _checked(call.document.get("keywords"))
        same_owner = keywords.c.owner == owner
        known = set(call.db.scalars(sa.select(keywords.c.name).where(same_owner)))
        call.db.execute(keywords.delete().where(same_owner, keywords.c.name.not_in(words)))
        for word in sorted(words - known):
            call.db.execute(keywords.insert().values(owner=owner, name=word, created=now()))
        return _document(call, owner)

    @made.add("DELETE", path, options=["keyword"])
    def delete(call: Call) -> Answer:
        owner, word = find_owner(call), call.option("keyword")
        same = keywords.c.owner == owner, keywords.c.name == word
        call.db.execute(keywords.delete().where(*same))
        return _document(call, owner)

    return made


def _group(call: Call) -> str:
    return tags.owner(feature_groups, groups.find(call, call.integer("id")).id)


def _view(call: Call) -> str:
    return tags.owner(feature_views, views.find(call).id)


def _training_dataset(call: Call) -> str:
    return tags.owner(training_datasets, training.find(call).id)


routes += _routes_below(groups.PATH + "/{id}/keywords", _group)
routes += _routes_below(views.VERSION + "/keywords", _view)
routes += _routes_below(training.VERSION + "/keywords", _training_dataset)
