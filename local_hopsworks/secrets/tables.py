"""The table of secrets."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, String

from local_hopsworks.metadata import table

secrets = table(
    "secrets",
    Column("name", String, unique=True, nullable=False),
    Column("value", String, nullable=False),  # encrypted; see security.py
    Column("document", sa.JSON, nullable=False),
)
