"""What can be found: one document for each thing that has a name.

Each service tells its own (see pages/pages.py), for the search of the pages and that of the SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from local_hopsworks.tags.routes import owner

# The kinds by Hopsworks' names, with the names of their lists in its answer
BUCKETS = {
    "FEATUREGROUP": "featuregroups",
    "FEATUREVIEW": "featureViews",
    "TRAININGDATASET": "trainingdatasets",
    "FEATURE": "features",
    "JOB": "jobs",
    "APP": "apps",
    "MODEL": "models",
    "DEPLOYMENT": "deployments",
    "AGENT": "agents",
}


@dataclass(frozen=True)
class Feature:
    """A feature of the thing that is found."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class Document:
    """A thing that can be found."""

    kind: str  # one of BUCKETS
    name: str
    address: str  # of its page
    owner: str  # of its tags and keywords, such as feature_groups/3
    version: int | None = None
    description: str = ""
    features: tuple[Feature, ...] = ()
    feature_groups: tuple[str, ...] = ()  # names of those that its features come from
    more: dict[str, Any] = field(default_factory=dict)  # fields that only its kind has

    @classmethod
    def of(
        cls,
        kind: str,
        table: sa.Table,
        row: sa.Row[Any],
        address: str,
        more: Sequence[str] = (),
        **fields: Any,
    ) -> Document:
        """The document of a row with a name. `more` are those fields of the row's own document that
        only its kind has."""
        return cls(
            kind,
            row.name,
            address,
            owner(table, row.id),
            description=row.document.get("description") or "",
            more={name: row.document.get(name) for name in more},
            **fields,
        )
