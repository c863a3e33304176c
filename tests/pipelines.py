"""The pipelines as tests use them: as modules, and as scripts over a store of their own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
FEATURES = ["pclass", "sex", "age_bin", "fare_bin"]
Done = subprocess.CompletedProcess[str]


def load(name: str) -> ModuleType:
    """The pipeline `name` (feature, training, batch_inference) as a module; importing it does
    nothing."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / f"titanic_{name}_pipeline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def historical_encoding(feature_pipeline: ModuleType) -> dict[str, Any]:
    """The encoding with the historical passengers counted, made of the CSV without a Hopsworks."""
    passengers = feature_pipeline.read_passengers(feature_pipeline.TITANIC_CSV).fillna(
        {"Age": 28.0}
    )
    encoding = feature_pipeline.make_encoding([7.9104, 14.4542, 31.0])
    rows = feature_pipeline.encode(passengers, encoding)
    counted = rows.groupby([*FEATURES, "survived"]).size().reset_index().to_numpy().tolist()
    return {**encoding, "passengers": counted}


class Scripts:
    """Runs programs in `folder`, over the store in it. `run` is the fixture of that name."""

    def __init__(self, run: Callable[..., Done], folder: Path) -> None:
        self._run, self.folder, self.store = run, folder, folder / "store"

    def __call__(self, name: str, **toggles: str | Path) -> Done:
        """Run the pipeline `name` with these toggles."""
        return self._start(REPOSITORY / f"titanic_{name}_pipeline.py", self.folder, toggles)

    def together(self, *runs: tuple[str, dict[str, str]]) -> list[Done]:
        with ThreadPoolExecutor(len(runs)) as pool:
            return list(pool.map(lambda one: self(one[0], **one[1]), runs))

    def look(self, program: str, folder: Path | None = None) -> dict[str, Any]:
        """What `program` has found out: the JSON it prints after STATE."""
        done = self._start(program, folder or self.folder, {})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.split("STATE")[1].splitlines()[0])

    def _start(self, program: str | Path, folder: Path, toggles: dict[str, str | Path]) -> Done:
        given = [program] if isinstance(program, Path) else ["-c", program]
        env = {"LOCAL_HOPSWORKS_HOME": str(self.store)} | {
            name: str(value) for name, value in toggles.items()
        }
        return self._run(sys.executable, *given, env=env, cwd=folder, timeout=600)
