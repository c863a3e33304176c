"""Small drawings as numbers; templates/drawing.html makes SVG of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local_hopsworks.pages import words

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 132, 34
LINE_WIDTH, LINE_HEIGHT, _MARGIN = 116, 36, 5


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram: where it stands, and what it says."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Point:
    """One point of a line."""

    x: float
    y: float
    title: str


def bars(counts: Sequence[tuple[str, int]]) -> list[Bar]:
    """A histogram of HISTOGRAM_WIDTH by HISTOGRAM_HEIGHT. `counts` are labels of the bins, each
    with its number of rows."""
    most = max((count for _, count in counts), default=0)
    if most == 0:
        return []
    step = HISTOGRAM_WIDTH / len(counts)
    gap = min(2.0, step / 5)
    drawn = []
    for position, (label, count) in enumerate(counts):
        # one row among a million is still to be seen
        height = max(1.5, count / most * HISTOGRAM_HEIGHT) if count else 0.0
        title = f"{label}: {words.counted(count, 'row')}"
        x, y = position * step, HISTOGRAM_HEIGHT - height
        drawn.append(Bar(round(x, 1), round(y, 1), round(step - gap, 1), round(height, 1), title))
    return drawn


def line(values: Sequence[tuple[str, float]]) -> list[Point]:
    """A line of LINE_WIDTH by LINE_HEIGHT through values in their order, each with its label."""
    if not values:
        return []
    numbers = [value for _, value in values]
    lowest, spread = min(numbers), max(numbers) - min(numbers)
    step = (LINE_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)
    drawn = []
    for position, (label, value) in enumerate(values):
        share = (value - lowest) / spread if spread else 0.5
        x = _MARGIN + position * step
        y = LINE_HEIGHT - _MARGIN - share * (LINE_HEIGHT - 2 * _MARGIN)
        drawn.append(Point(round(x, 1), round(y, 1), f"{label}: {words.number(value)}"))
    return drawn
