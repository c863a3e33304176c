"""The search: which documents have a term in their names, descriptions, features, tags or keywords.

Hopsworks asks OpenSearch for names and descriptions that contain the term (its
OpenSearchController, wildcard *term*), whatever the case. So does this; OpenSearch's guesses at
misspelt words it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from local_hopsworks.http.calls import Call
from local_hopsworks.keywords.tables import keywords
from local_hopsworks.search.documents import BUCKETS, Document, Feature
from local_hopsworks.tags.tables import tags

Parts = list[tuple[str, bool]]  # of a text, and whether each is what was searched for


@dataclass(frozen=True)
class Tag:
    """A tag of a document; its value may be text or an object of several fields."""

    name: str
    value: Any


@dataclass(frozen=True)
class TagFilter:
    """A tag that a document must have."""

    name: str
    key: str
    value: str

    def fits(self, tag: Tag) -> bool:
        """Whether a tag is the one that is meant."""
        if tag.name != self.name:
            return False
        if isinstance(tag.value, dict):
            return _told(tag.value.get(self.key)) == self.value
        return self.key == self.name and _told(tag.value) == self.value


@dataclass(frozen=True)
class Question:
    """What is searched for. All that is given must fit."""

    term: str = ""
    kinds: frozenset[str] = frozenset(BUCKETS)
    keywords: tuple[str, ...] = ()
    tags: tuple[TagFilter, ...] = ()


@dataclass
class Hit:
    """A document that was found, and where the term is in it."""

    document: Document
    name: Parts = field(default_factory=list)
    description: Parts = field(default_factory=list)
    features: list[tuple[Parts, Parts]] = field(default_factory=list)  # names and descriptions
    feature_groups: list[Parts] = field(default_factory=list)
    tags: list[tuple[Parts, Parts]] = field(default_factory=list)  # names and values
    keywords: list[Parts] = field(default_factory=list)

    @property
    def is_anywhere(self) -> bool:
        """Whether the term is anywhere in the document."""
        return any(
            (
                self.name,
                self.description,
                self.features,
                self.feature_groups,
                self.tags,
                self.keywords,
            )
        )

    def rank(self, term: str) -> tuple[int, str, int]:
        """The first is what is called exactly so, then what begins so, then names, then others."""
        name, term = self.document.name.lower(), term.lower()
        place = 3
        if name == term:
            place = 0
        elif name.startswith(term):
            place = 1
        elif term in name:
            place = 2
        return place, name, -(self.document.version or 0)


def found(call: Call, documents: Iterable[Document], question: Question) -> list[Hit]:
    """Those of the documents that fit a question, the most likely first."""
    labels = _Labels(call)
    hits = [
        hit
        for document in documents
        if document.kind in question.kinds and (hit := _hit(document, labels, question)) is not None
    ]
    return sorted(hits, key=lambda hit: hit.rank(question.term))


class _Labels:
    """The tags and keywords of everything in the store, by owner."""

    def __init__(self, call: Call) -> None:
        self.tags: dict[str, list[Tag]] = {}
        self.keywords: dict[str, list[str]] = {}
        for row in call.db.execute(sa.select(tags).order_by(tags.c.name)):
            self.tags.setdefault(row.owner, []).append(Tag(row.name, json.loads(row.value)))
        for row in call.db.execute(sa.select(keywords).order_by(keywords.c.name)):
            self.keywords.setdefault(row.owner, []).append(row.name)


def _hit(document: Document, labels: _Labels, question: Question) -> Hit | None:
    own_tags = labels.tags.get(document.owner, [])
    own_keywords = labels.keywords.get(document.owner, [])
    if not set(question.keywords) <= set(own_keywords):
        return None
    if not all(any(wanted.fits(tag) for tag in own_tags) for wanted in question.tags):
        return None
    if not question.term:
        # keywords and tags are those of a feature group, not of its features
        return None if document.kind == "FEATURE" else Hit(document)
    term = question.term
    hit = Hit(
        document,
        name=marked(document.name, term),
        description=marked(document.description, term),
    )
    if document.kind != "FEATURE":
        hit.features = [_feature(each, term) for each in document.features]
        hit.features = [each for each in hit.features if any(each)]
        hit.feature_groups = _texts(document.feature_groups, term)
        hit.tags = [(marked(tag.name, term), marked(_told(tag.value), term)) for tag in own_tags]
        hit.tags = [each for each in hit.tags if any(each)]
        hit.keywords = _texts(own_keywords, term)
    return hit if hit.is_anywhere else None


def _feature(feature: Feature, term: str) -> tuple[Parts, Parts]:
    return marked(feature.name, term), marked(feature.description, term)


def _texts(texts: Iterable[str], term: str) -> list[Parts]:
    parts = (marked(text, term) for text in texts)
    return [each for each in parts if each]


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def marked(text: str, term: str) -> Parts:
    """The text in parts; empty if the term is not in it."""
    return list(_parts(text, term)) if term.lower() in text.lower() else []


def _parts(text: str, term: str) -> Iterator[tuple[str, bool]]:
    lower, start = text.lower(), 0
    if len(lower) != len(text):  # a few letters become two
        yield text, True
        return
    while (place := lower.find(term.lower(), start)) >= 0:
        if place > start:
            yield text[start:place], False
        start = place + len(term)
        yield text[place:start], True
    if start < len(text):
        yield text[start:], False
