"""The figure in README.md: seconds against rows, embedded and bare, of the table that make bench
ends with."""

from __future__ import annotations

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
