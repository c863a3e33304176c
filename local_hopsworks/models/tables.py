"""The table of the model registry."""

from __future__ import annotations

from sqlalchemy import Column, String

from local_hopsworks.metadata import versioned_table

# The uid reaches clients as the model's id. It is unique over all stores, because the SDK caches
# downloads on disk by it.
models = versioned_table("models", "projects", Column("uid", String, unique=True, nullable=False))
