"""States and final statuses of executions, as in Hopsworks."""

from __future__ import annotations

UNDER_WAY = ("INITIALIZING", "RUNNING")
LOST = {"state": "FRAMEWORK_FAILURE", "finalStatus": "FAILED", "progress": 1.0}
