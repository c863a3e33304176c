"""The pages of the feature store."""

from __future__ import annotations

from local_hopsworks.feature_store import group_page, view_page
from local_hopsworks.pages.pages import Pages

pages = Pages(group_page.pages, view_page.pages)
