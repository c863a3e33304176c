"""The page of secrets: names only, no page ever shows a value."""

from __future__ import annotations

from local_hopsworks.http.calls import Call
from local_hopsworks.pages.pages import Page, Pages
from local_hopsworks.secrets import routes

pages = Pages()


@pages.add("/account", "/account/secrets")
def secrets(call: Call) -> Page:
    """All secrets. The SDK prints the address without /p; see pages/home.py."""
    return Page("Secrets", "secrets/templates/secrets.html", {"rows": routes.documents(call)})
