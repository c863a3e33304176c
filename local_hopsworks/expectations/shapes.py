"""The shapes of the bodies about expectations; see http/shapes.py."""

from __future__ import annotations

EXPECTATION = {"id": int}
SUITE = {"expectations": [EXPECTATION]}
VALIDATION_REPORT = {"success!": bool, "results!": [dict], "ingestionResult": str}
