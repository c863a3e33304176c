"""The shapes of the bodies about jobs; see http/shapes.py."""

from __future__ import annotations

JOB = {"type!": str, "appPath": str, "files": str, "defaultArgs": str}
SCHEDULE = {
    "startDateTime!": int,
    "endDateTime": int,
    "cronExpression!": str,
    "enabled": bool,
    "catchup": bool,
    "maxActiveRuns": int,
    "startTimeOffsetSeconds": int,
    "endTimeOffsetSeconds": int,
}
