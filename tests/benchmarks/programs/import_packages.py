"""Imports what the pipelines import, and nothing else."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
for name in ("feature", "training", "batch_inference"):
    import_module(f"titanic_{name}_pipeline")
