"""The versions of a model side by side: which has the best of each metric, as far as the metric's
name tells whether more is better."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

MORE_IS_BETTER = (
    "accuracy", "auc", "auroc", "precision", "recall", "f1", "fscore", "r2", "ndcg", "map", "mrr",
    "kappa", "mcc", "sensitivity", "specificity",
)  # fmt: skip
LESS_IS_BETTER = (
    "loss", "error", "mse", "rmse", "mae", "mape", "brier", "perplexity", "deviance", "std",
    "stddev", "variance",
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One metric over versions; a version without it has None."""

    name: str
    versions: list[int]
    values: list[float | None]  # in the order of the versions
    best: float | None  # None if its name does not tell what is better, or for a single value

    def is_best(self, value: float | None) -> bool:
        """Whether no version has a better one."""
        return value is not None and value == self.best

    @property
    def course(self) -> list[tuple[str, float]]:
        """The values from the oldest version to the newest, each with its version in words."""
        known = [
            (version, value)
            for version, value in zip(self.versions, self.values, strict=True)
            if value is not None
        ]
        return [(f"version {version}", value) for version, value in sorted(known)]


def compared(rows: Sequence[sa.Row[Any]]) -> list[Metric]:
    """Every metric that any of the versions has, by its name."""
    measured = [row.document.get("metrics") or {} for row in rows]
    names = dict.fromkeys(name for metrics in measured for name in metrics)
    versions = [row.version for row in rows]
    found = []
    for name in names:
        values = [_number(metrics.get(name)) for metrics in measured]
        found.append(Metric(name, versions, values, _best(name, values)))
    return found


def _number(value: Any) -> float | None:
    """Metrics come as numbers or as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _best(name: str, values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    if len(set(numbers)) < 2:
        return None
    words = re.split(r"[^a-z0-9]+", name.lower())
    # «accuracy_std» is a spread, so what is to be small decides
    if any(word in LESS_IS_BETTER for word in words):
        return min(numbers)
    if any(word in MORE_IS_BETTER for word in words):
        return max(numbers)
    return None
