"""What can be found: one document for each thing that has a name.

Each service tells its own (see pages/pages.py), for the search of the pages and that of the SDK.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
