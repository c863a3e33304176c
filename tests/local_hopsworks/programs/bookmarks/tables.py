"""The table of bookmarks, a service that only test_services.py knows."""

from __future__ import annotations

from sqlalchemy import Column, String

from local_hopsworks.metadata import table

bookmarks = table("bookmarks", Column("path", String, nullable=False))
