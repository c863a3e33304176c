"""Tags and keywords of a thing, for its page."""

from __future__ import annotations

import json

import sqlalchemy as sa

from local_hopsworks.http.calls import Call
from local_hopsworks.keywords.tables import keywords
from local_hopsworks.tags.tables import tags


def labels(call: Call, owner: str) -> list[str]:
    """Each tag as «name: value», then each keyword."""
    tagged = sa.select(tags.c.name, tags.c.value).where(tags.c.owner == owner)
    found = [
        f"{row.name}: {_told(row.value)}" for row in call.db.execute(tagged.order_by(tags.c.name))
    ]
    words = sa.select(keywords.c.name).where(keywords.c.owner == owner)
    return [*found, *call.db.scalars(words.order_by(keywords.c.name))]


def _told(value: str) -> str:
    """The JSON value of a tag as people write it."""
    found = json.loads(value)
    if isinstance(found, dict):
        return ", ".join(f"{key} {each}" for key, each in found.items())
    return str(found)
