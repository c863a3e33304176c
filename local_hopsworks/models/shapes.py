"""The shapes of the bodies about models; see http/shapes.py."""

from __future__ import annotations

from local_hopsworks.tags.shapes import TAGS

MODEL = {
    "name!": str,
    "version!": int,
    "description": str,
    "framework": str,
    "metrics": dict,
    "tags": TAGS,
    "featureView": {"name!": str, "version!": int},
    "trainingDatasetVersion": int,
}
