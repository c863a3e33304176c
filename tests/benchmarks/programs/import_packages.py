"""Imports what the pipelines import, and nothing else; PYTHONPATH leads to the repository."""

from importlib import import_module

for name in ("feature", "training", "batch_inference"):
    import_module(f"titanic_{name}_pipeline")
