"""The SDK's search: `search`, `search_feature_groups`, `search_features` … and `hops search`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from local_hopsworks.errors import HopsworksError
from local_hopsworks.http import shapes
from local_hopsworks.http.answers import USER, Answer
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes
from local_hopsworks.search.documents import BUCKETS
from local_hopsworks.search.everywhere import Place, everywhere
from local_hopsworks.search.finding import Hit, Parts, Question, TagFilter, found

routes = Routes()
_OPTIONS = ("docType", "from", "size", "searchTerm", "keywords", "tags")
_MOST = 10_000  # results at once, as in Hopsworks
_KEYWORDS = [{"value!": str}]
_TAGS = [{"name!": str, "key!": str, "value!": str}]


@routes.add("GET", "/project/{project}/elastic/featurestore", options=_OPTIONS)
def search_project(call: Call) -> Answer:
    """What is found in a project."""
    return _answer(call, [Place(call)])


@routes.add("GET", "/elastic/featurestore", options=_OPTIONS)
def search_all(call: Call) -> Answer:
    """What is found in all projects."""
    return _answer(call, everywhere(call))


def _answer(call: Call, places: Sequence[Place]) -> Answer:
    start, size = call.number("from") or 0, call.number("size")
    size = 100 if size is None else size
    if start < 0 or not 0 <= size <= _MOST:
        raise HopsworksError(f"A search skips 0 or more results and returns 0 to {_MOST}.")
    question = _question(call)
    buckets: dict[str, list[dict[str, Any]]] = {kind: [] for kind in BUCKETS}
    for place in places:
        for hit in found(place.call, place.documents(), question):
            buckets[hit.document.kind].append(_item(place.call, hit))
    answer: dict[str, Any] = {}
    for kind, name in BUCKETS.items():
        answer[name] = buckets[kind][start : start + size]
        answer[f"{name}From"] = start
        answer[f"{name}Total"] = len(buckets[kind])
    return answer


def _question(call: Call) -> Question:
    kind = call.option("docType") or "ALL"
    if kind != "ALL" and kind not in BUCKETS:
        kinds = ", ".join(["ALL", *BUCKETS])
        raise HopsworksError(f"docType is one of {kinds}, not {kind[:80]!r}.")
    # as it is: «None» may well be searched for
    term = call.query.get("searchTerm", "").strip()
    keywords = _filter(call, "keywords", _KEYWORDS)
    tags = _filter(call, "tags", _TAGS)
    if not term and not keywords and not tags:
        raise HopsworksError("A search needs a search term, keywords or tags.")
    return Question(
        term,
        frozenset(BUCKETS if kind == "ALL" else [kind]),
        tuple(keyword["value"] for keyword in keywords),
        tuple(TagFilter(tag["name"], tag["key"], tag["value"]) for tag in tags),
    )


def _filter(call: Call, name: str, shape: shapes.Shape) -> list[dict[str, str]]:
    """A filter is JSON that the SDK has quoted once more than a query needs."""
    text = call.option(name)
    if text is None:
        return []
    try:
        value = json.loads(unquote(text))
    except (ValueError, RecursionError) as error:
        raise HopsworksError(f"The filter {name} is not JSON: {text[:80]!r}.") from error
    shapes.check(value, shape, name)
    filters: list[dict[str, str]] = value
    return filters


def _item(call: Call, hit: Hit) -> dict[str, Any]:
    document, project = hit.document, call.project
    return {
        "name": document.name,
        "version": document.version,
        "description": document.description,
        "featurestoreId": project.id,
        "parentProjectId": project.id,
        "parentProjectName": project.name,
        "accessProjects": {str(project.id): project.name},
        "creator": USER,
        **document.more,
        "highlights": _highlights(hit),
    }


def _highlights(hit: Hit) -> dict[str, Any]:
    """Where the term is, in the marks that OpenSearch puts around it."""
    shown: dict[str, Any] = {
        "features": [
            {"name": _marks(name), "description": _marks(description)}
            for name, description in hit.features
        ],
        "tags": [{"key": _marks(name), "value": _marks(value)} for name, value in hit.tags],
        "keywords": [_marks(keyword) for keyword in hit.keywords],
        "sourceFeatureGroups": [_marks(group) for group in hit.feature_groups],
    }
    if hit.name:
        shown["name"] = _marks(hit.name)
    if hit.description:
        shown["description"] = _marks(hit.description)
    return shown


def _marks(parts: Parts) -> str | None:
    if not parts:
        return None
    return "".join(f"<em>{text}</em>" if is_term else text for text, is_term in parts)
