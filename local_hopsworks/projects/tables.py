"""The table of projects."""

from __future__ import annotations

from sqlalchemy import Column, String

from local_hopsworks.metadata import table

projects = table(
    "projects",
    Column("name", String, unique=True, nullable=False),
    Column("created", String, nullable=False),
)
