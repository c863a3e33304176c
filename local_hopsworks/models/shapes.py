"""The shapes of the bodies about models; see http/shapes.py."""

from __future__ import annotations

from local_hopsworks.tags.shapes import TAGS

FRAMEWORKS = ("TENSORFLOW", "TORCH", "PYTHON", "SKLEARN", "LLM")  # that the SDK has classes for
MODEL = {
    "name!": str,
    "version!": int,
    "description": str,
    "framework!": FRAMEWORKS,
    "metrics": dict,
    "tags": TAGS,
    "featureView": {"name!": str, "version!": int},
    "trainingDatasetVersion": int,
}
