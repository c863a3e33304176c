"""The page of the search."""

from __future__ import annotations

from typing import Any

from local_hopsworks.http.calls import Call
from local_hopsworks.pages.pages import Page, Pages
from local_hopsworks.pages.paging import Window
from local_hopsworks.search.everywhere import Place, everywhere
from local_hopsworks.search.finding import Hit, Question, found

pages = Pages()
HITS = 25  # on a page
LONGEST = 200  # characters of a term
_KINDS = {
    "FEATUREGROUP": "feature group",
    "FEATUREVIEW": "feature view",
    "TRAININGDATASET": "training dataset",
    "FEATURE": "feature",
    "JOB": "job",
    "MODEL": "model",
    "DEPLOYMENT": "deployment",
}


@pages.add("/search", "/{project}/search")
def search(call: Call) -> Page:
    """What is found in a project, or in all projects."""
    term = call.query.get("q", "").strip()[:LONGEST]
    places = [Place(call)] if "project" in call.path else everywhere(call)
    hits = [
        (place.call.project.name, hit)
        for place in places
        for hit in (found(place.call, place.documents(), Question(term)) if term else [])
    ]
    window = Window.asked(call.query, HITS)
    context = {
        "term": term,
        "hits": [_shown(project, hit) for project, hit in window.of(hits)],
        "window": window,
        "total": len(hits),
        "is_global": "project" not in call.path,
    }
    return Page("Search", "search/templates/search.html", context)


def _shown(project: str, hit: Hit) -> dict[str, Any]:
    document = hit.document
    features = [part for both in hit.features for part in both if part]
    tags = [part for both in hit.tags for part in both if part]
    return {
        "kind": _KINDS.get(document.kind, document.kind.lower()),
        "project": project,
        "address": document.address,
        "name": hit.name or [(document.name, False)],
        "version": None if document.kind == "FEATURE" else document.version,
        "description": hit.description or [(document.description, False)],
        "of": document.more.get("featuregroup"),
        "where": [("features", features), ("tags", tags), ("keywords", hit.keywords)],
    }
