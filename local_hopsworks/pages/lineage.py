"""What was made from what, as one picture: boxes in columns, each column made from those before it.

Each service says which boxes it has (see pages.py). A picture shows the box that a page is about,
all that it was made from, and all that was made from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST_IN_A_COLUMN = 4  # boxes; the rest become one box that counts them
MOST_BESIDE = 2  # boxes, in an upright picture: as many as a telephone has room for
_LONGEST_NAME = 16  # characters that fit into a box


@dataclass(frozen=True)
class Box:
    """A thing that was made from others, or that others were made from."""

    key: str
    kind: str  # such as «feature group»
    name: str
    address: str = ""  # empty if there is no page of it, because it was deleted or lies elsewhere
    made_from: tuple[str, ...] = ()  # keys of other boxes
    age: int = 0  # of boxes of one kind, those with the greatest number are the newest


@dataclass(frozen=True)
class Placed:
    """A box in a picture, by its left upper corner."""

    x: float
    y: float
    kind: str
    text: str  # of the name, as much as fits
    title: str
    address: str
    is_here: bool  # whether the page is about it


@dataclass(frozen=True)
class Picture:
    """Boxes and the lines between them."""

    width: float
    height: float
    box_width: float
    box_height: float
    boxes: list[Placed]
    lines: list[str]  # as SVG paths


@dataclass(frozen=True)
class _Measures:
    """The size of a box and the distances between boxes; `upright` puts columns below each
    other."""

    box_width: float
    box_height: float
    between_columns: float
    between_boxes: float
    upright: bool


_LYING = _Measures(146, 50, 30, 14, upright=False)
_UPRIGHT = _Measures(146, 50, 26, 12, upright=True)


def pictures(boxes: Iterable[Box], here: str) -> tuple[Picture, Picture] | None:
    """The picture of the box with the key `here`, lying for wide screens and upright for narrow
    ones. None if nothing is known of how it was made or what was made from it."""
    known = {box.key: box for box in boxes}
    shown = _related(known, here)
    if len(shown) < 2:
        return None
    columns = _columns(shown, here)
    rows = [
        column[start : start + MOST_BESIDE]
        for column in columns
        for start in range(0, len(column), MOST_BESIDE)
    ]
    return _picture(columns, here, _LYING), _picture(rows, here, _UPRIGHT)


def _related(known: dict[str, Box], here: str) -> dict[str, Box]:
    """The box itself, and all before and after it."""
    if here not in known:
        return {}
    made: dict[str, list[str]] = {}
    for box in known.values():
        for source in box.made_from:
            made.setdefault(source, []).append(box.key)
    found = {here}
    for following in (lambda key: known[key].made_from, lambda key: made.get(key, ())):
        waiting = [here]
        while waiting:
            for key in following(waiting.pop()):
                if key in known and key not in found:
                    found.add(key)
                    waiting.append(key)
    return {key: box for key, box in known.items() if key in found}


def _columns(shown: dict[str, Box], here: str) -> list[list[Box]]:
    """Each box in the first column after all that it was made from."""
    depths = dict.fromkeys(shown, 0)
    for _ in shown:  # at most as often as there are boxes, so a circle does not go on for ever
        for key, box in shown.items():
            before = [depths[source] for source in box.made_from if source in shown]
            depths[key] = min(max(before, default=-1) + 1, len(shown))
    columns = []
    for depth in sorted(set(depths.values())):
        newest_first = sorted(
            (box for key, box in shown.items() if depths[key] == depth),
            key=lambda box: (box.kind, -box.age, box.name),
        )
        columns.append(_shortened(newest_first, here))
    return columns


def _shortened(column: list[Box], here: str) -> list[Box]:
    """At most MOST_IN_A_COLUMN boxes, and one for all others. The page's own box stays."""
    if len(column) <= MOST_IN_A_COLUMN + 1:
        return column
    first = column[: MOST_IN_A_COLUMN - 1]
    own = [box for box in column if box.key == here and box not in first]
    shown = first + (own or column[MOST_IN_A_COLUMN - 1 : MOST_IN_A_COLUMN])
    others = [box for box in column if box not in shown]
    sources = dict.fromkeys(source for box in others for source in box.made_from)
    rest = Box(
        key=" ".join(box.key for box in others),
        kind=others[0].kind,
        name=f"{len(others)} more",
        made_from=tuple(sources),
    )
    return [*shown, rest]


def _picture(columns: list[list[Box]], here: str, measures: _Measures) -> Picture:
    across = measures.box_height if measures.upright else measures.box_width
    along = measures.box_width if measures.upright else measures.box_height
    longest = max(len(column) for column in columns)
    breadth = longest * along + (longest - 1) * measures.between_boxes
    placed: dict[str, Placed] = {}
    for position, column in enumerate(columns):
        start = position * (across + measures.between_columns)
        own = len(column) * along + (len(column) - 1) * measures.between_boxes
        offset = (breadth - own) / 2
        for box in column:
            x, y = (offset, start) if measures.upright else (start, offset)
            placed[box.key] = _placed(box, x, y, here)
            offset += along + measures.between_boxes
    length = len(columns) * across + (len(columns) - 1) * measures.between_columns
    width, height = (breadth, length) if measures.upright else (length, breadth)
    lines = _lines(columns, placed, measures)
    return Picture(
        width, height, measures.box_width, measures.box_height, list(placed.values()), lines
    )


def _placed(box: Box, x: float, y: float, here: str) -> Placed:
    text = box.name
    if len(text) > _LONGEST_NAME:  # both ends: versions stand at the end
        text = f"{text[: _LONGEST_NAME - 7]}…{text[-6:]}"
    title = f"{box.kind} {box.name}"
    return Placed(x, y, box.kind, text, title, box.address, box.key == here)


def _lines(columns: list[list[Box]], placed: dict[str, Placed], measures: _Measures) -> list[str]:
    # A box for several others has all their keys
    standing_for = {key: whole for whole in placed for key in whole.split(" ")}
    drawn: dict[tuple[str, str], str] = {}
    for column in columns:
        for box in column:
            for source in box.made_from:
                if source in standing_for:
                    pair = standing_for[source], box.key
                    drawn[pair] = _line(placed[pair[0]], placed[pair[1]], measures)
    return list(drawn.values())


def _line(source: Placed, target: Placed, measures: _Measures) -> str:
    """A curve from the middle of one side to the middle of the facing one, as an SVG path."""
    if measures.upright:
        x, y = source.x + measures.box_width / 2, source.y + measures.box_height
        end_x, end_y = target.x + measures.box_width / 2, target.y
        middle = (y + end_y) / 2
        return f"M{x:g} {y:g}C{x:g} {middle:g} {end_x:g} {middle:g} {end_x:g} {end_y:g}"
    x, y = source.x + measures.box_width, source.y + measures.box_height / 2
    end_x, end_y = target.x, target.y + measures.box_height / 2
    middle = (x + end_x) / 2
    return f"M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {end_y:g} {end_x:g} {end_y:g}"
