"""The table of keywords."""

from __future__ import annotations

from sqlalchemy import Column, String

from local_hopsworks.metadata import attached_table

keywords = attached_table(
    "keywords",
    Column("created", String, nullable=False),
)
