"""The figures of the table that make bench ends with: seconds against rows, embedded and bare; and
rows a second beside what was published of others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import matplotlib

PICTURE = Path(__file__).resolve().parents[2] / "assets" / "benchmark.png"
WORK = {  # lines of the table, and what the figure calls them
    "insert into a new feature group": "insert",
    "upsert as many rows, half of them new": "upsert",
    "read": "read",
    "point-in-time join": "point-in-time join",
}
FEWEST_SIZES = 4
OURS = f"embedded, {os.cpu_count()} cores"
FIELD_PICTURE = PICTURE.with_name("benchmark_field.png")
FIELD = {  # with the largest number of rows that is published
    "read taxi trips into pandas": ("read", 10_000_000),
    "point-in-time join of 3 groups": ("point-in-time join", 5_000_000),
}
# As the pictures of titanic_batch_inference_pipeline.py
BLUE, INK, MUTED = "#1f5f99", "#16213a", "#55607a"
STYLE = {
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "text.color": INK,
}
STYLE |= {
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
STYLE |= {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


def draw(rows: list[tuple[Any, ...]], picture: Path = PICTURE) -> bool:
    """Whether there were enough sizes of each for a figure."""
    lines = {
        title: sorted(row[1:5] for row in rows if row[0] == work and row[3] == "bare")
        for work, title in WORK.items()
    }
    if any(len(line) < FEWEST_SIZES for line in lines.values()):
        return False
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure((9, 2.8))
        panels = figure.subplots(1, len(lines), sharex=True, sharey=True)
        for axes, (title, line) in zip(panels, lines.items(), strict=True):
            sizes, ours, _, bare = zip(*line, strict=True)
            axes.loglog(
                sizes, bare, color=MUTED, linestyle="--", marker="o", markersize=4, label="bare"
            )
            axes.loglog(
                sizes,
                ours,
                color=BLUE,
                linewidth=2,
                marker="o",
                markersize=4,
                label="embedded Hopsworks",
            )
            axes.set_title(title, fontsize=11)
            axes.set_xticks(sizes)
        panels[0].set_ylabel("seconds")
        panels[0].legend(frameon=False, fontsize=9)
        figure.supxlabel("rows", fontsize=11, color=MUTED)
        figure.savefig(picture)
    return True


def draw_field(rows: list[tuple[Any, ...]], picture: Path = FIELD_PICTURE) -> bool:
    """Whether the work of the field's benchmark was measured. Drawn is the largest size up to that
    which is published."""
    sizes = {
        work: max((row[1] for row in rows if row[0] == work and row[1] <= published), default=0)
        for work, (_, published) in FIELD.items()
    }
    if not all(sizes.values()):
        return False
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure((9, 2.6))
        panels = figure.subplots(1, len(FIELD))
        for axes, (work, (title, _)) in zip(panels, FIELD.items(), strict=True):
            speeds = _speeds([row for row in rows if row[:2] == (work, sizes[work])])
            names = sorted(speeds, key=speeds.__getitem__)
            colors = [BLUE if name == OURS else MUTED for name in names]
            bars = axes.barh(names, [speeds[name] for name in names], color=colors)
            axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
            axes.set_title(f"{title}, {sizes[work] / 1e6:g} M rows", fontsize=11)
            axes.margins(x=0.15)
        figure.supxlabel("million rows a second", fontsize=11, color=MUTED)
        figure.savefig(picture)
    return True


def _speeds(rows: list[tuple[Any, ...]]) -> dict[str, float]:
    """Million rows a second of everybody who did one work. A line of the table has seconds, or with
    a unit the speeds themselves."""
    found = {}
    for _, size, ours, name, other, *unit in rows:
        found[OURS] = ours if unit else size / ours / 1e6
        found[name if unit else f"{name}, {os.cpu_count()} cores"] = (
            other if unit else size / other / 1e6
        )
    return found
