"""The apps' own modules, for tests that need no browser."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
PREDICT = REPOSITORY / "huggingface-spaces-titanic"
MONITOR = REPOSITORY / "huggingface-spaces-titanic-monitor"


def load(folder: Path, name: str) -> ModuleType:
    """A module of the app in `folder`, as app.py imports it.

    Both apps have modules of the same names, so none is left where another import would find it.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for added in set(sys.modules) - before:
            if (folder / f"{added}.py").is_file():
                del sys.modules[added]
