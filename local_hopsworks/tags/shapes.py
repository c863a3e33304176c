"""The shapes of the bodies that carry tags; see http/shapes.py."""

from __future__ import annotations

TAGS = {"items": [{"name!": str}]}
