"""The pipelines as tests use them: as modules, and as scripts over a store of their own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = REPOSITORY / "tests" / "programs"
FEATURES = ["pclass", "sex", "age_bin", "fare_bin"]
Done = subprocess.CompletedProcess[str]


def load(name: str, folder: Path = REPOSITORY) -> ModuleType:
    """The pipeline `name` (feature, training, batch_inference) or a tool as a module."""
    path = folder / f"titanic_{name}_pipeline.py"
    if not path.exists():
        path = folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Scripts:
    """Runs programs in `folder`, over the store in it. `run` is the fixture of that name."""

    def __init__(self, run: Callable[..., Done], folder: Path) -> None:
        self._run, self.folder, self.store = run, folder, folder / "store"

    @classmethod
    def over_copy(cls, run: Callable[..., Done], stored: Path, folder: Path) -> Scripts:
        """Runs programs over a copy of a store that another fixture made."""
        shutil.copytree(stored, folder, dirs_exist_ok=True)
        return cls(run, folder)

    def __call__(self, name: str, *options: str, **toggles: str | Path) -> Done:
        """Run the pipeline `name` with these options and environment variables."""
        return self.start(REPOSITORY / f"titanic_{name}_pipeline.py", *options, **toggles)

    def together(self, *runs: tuple[str, dict[str, str]]) -> list[Done]:
        """Run several pipelines at the same time."""
        with ThreadPoolExecutor(len(runs)) as pool:
            return list(pool.map(lambda one: self(one[0], **one[1]), runs))

    def start(self, program: Path, *options: str, **variables: str | Path) -> Done:
        """Run any program of the repository over the store."""
        env = {"LOCAL_HOPSWORKS_HOME": str(self.store)}
        env |= {name: str(value) for name, value in variables.items()}
        return self._run(sys.executable, program, *options, env=env, cwd=self.folder, timeout=600)

    def look(self, program: str = "show_stored.py") -> dict[str, Any]:
        """What is stored, as a program prints it after STATE; by default rows of both feature
        groups, encoding, monitor and model versions."""
        done = self.start(PROGRAMS / program)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.split("STATE")[1].splitlines()[0])

    def file(self, path: str) -> Path:
        """A file in dataset storage, as it lies on disk."""
        return self.store / "projects" / "local" / path
