"""The table of deployments."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Integer, String

from local_hopsworks.metadata import versioned_table

# `asked` is what a person last asked for: Created, Running or Stopped. `revision` counts the
# changes of `document` and the starts. `runner` is the server that has the deployment's process,
# and `instance` what is known of that process; see instances.py.
deployments = versioned_table(
    "deployments",
    "projects",
    Column("asked", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("runner", String, nullable=True),
    Column("instance", sa.JSON, nullable=True),
)
