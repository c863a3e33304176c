"""The tables of the feature store."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, String

from local_hopsworks.metadata import table, versioned_table

feature_groups = versioned_table("feature_groups", "projects")
feature_views = versioned_table("feature_views", "projects")
training_datasets = versioned_table("training_datasets", "feature_views")
transformation_functions = versioned_table("transformation_functions", "projects")
# What hangs on a thing of any kind, such as feature_groups/3 or training_datasets/5
statistics = table(
    "statistics",
    Column("owner", String, nullable=False, index=True),
    Column("document", sa.JSON, nullable=False),
)
