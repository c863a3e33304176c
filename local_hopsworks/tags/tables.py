"""The table of tags."""

from __future__ import annotations

from sqlalchemy import Column, String

from local_hopsworks.metadata import attached_table

tags = attached_table(
    "tags",
    Column("value", String, nullable=False),  # JSON text, as the SDK sends and expects it
)
