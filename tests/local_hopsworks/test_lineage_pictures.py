"""The picture of lineage: which boxes it has, in which columns, and where the lines go."""

from __future__ import annotations

import itertools
import re

import pytest

from local_hopsworks.pages.lineage import MOST_IN_A_COLUMN, Box, pictures


def chain(*keys: str) -> list[Box]:
    """Boxes of which each was made from the one before."""
    return [
        Box(key, "thing", key, f"/{key}", (before,) if before else ())
        for before, key in itertools.pairwise(["", *keys])
    ]


def columns(picture) -> list[list[str]]:
    """The titles of the boxes, column by column."""
    by_x = sorted(picture.boxes, key=lambda box: (box.x, box.y))
    grouped = itertools.groupby(by_x, key=lambda box: box.x)
    return [[box.title.removeprefix("thing ") for box in boxes] for _, boxes in grouped]


def test_boxes_stand_after_what_they_were_made_from():
    boxes = [
        *chain("csv", "group", "view", "model"),
        Box("late", "thing", "late", "", ("csv", "view")),
    ]
    lying, _ = pictures(boxes, "csv")
    assert columns(lying) == [["csv"], ["group"], ["view"], ["late", "model"]]


def test_only_what_is_before_and_after_is_shown():
    boxes = [*chain("group", "view", "model"), *chain("other", "other view")]
    boxes.append(Box("sibling", "thing", "sibling", "", ("group",)))
    lying, _ = pictures(boxes, "view")
    assert columns(lying) == [["group"], ["view"], ["model"]]


@pytest.mark.parametrize("here", ["alone", "not there"])
def test_thing_without_relations_has_no_picture(here):
    assert pictures([Box("alone", "thing", "alone"), *chain("a", "b")], here) is None


def test_circle_ends():
    boxes = [Box("a", "thing", "a", "", ("b",)), Box("b", "thing", "b", "", ("a",))]
    lying, _ = pictures(boxes, "a")
    assert len(lying.boxes) == 2


@pytest.mark.parametrize("here", ["source", "made 3"])
def test_many_boxes_become_one_that_counts_them(here):
    made = [Box(f"made {n}", "thing", f"made {n}", "/", ("source",), n) for n in range(40)]
    lying, _ = pictures([Box("source", "thing", "source"), *made], here)
    second = columns(lying)[-1]
    if here == "source":
        shown = [f"made {number}" for number in (39, 38, 37, 36)]
        assert second == [*shown[:MOST_IN_A_COLUMN], "36 more"]
    else:  # what is made from the same source is no relation of it
        assert second == ["made 3"]


def test_lines_join_the_sides_of_boxes():
    lying, upright = pictures(chain("a", "b"), "a")
    for picture in (lying, upright):
        (line,) = picture.lines
        numbers = [float(number) for number in re.findall(r"[\d.]+", line)]
        first, second = picture.boxes
        sides = {
            "right": (first.x + picture.box_width, first.y + picture.box_height / 2),
            "bottom": (first.x + picture.box_width / 2, first.y + picture.box_height),
        }
        assert tuple(numbers[:2]) in sides.values()
        assert numbers[-2:] in (
            [second.x, second.y + picture.box_height / 2],
            [second.x + picture.box_width / 2, second.y],
        )


def test_no_box_lies_on_another_or_outside():
    boxes = chain("csv", "group")
    boxes += [Box(f"view {n}", "thing", f"view {n}", "/", ("group",), n) for n in range(3)]
    boxes += [
        Box(f"model {n}", "thing", f"model {n}", "/", (f"view {n % 3}",), n) for n in range(9)
    ]
    for picture in pictures(boxes, "group"):
        for one, other in itertools.combinations(picture.boxes, 2):
            apart = abs(one.x - other.x) >= picture.box_width
            assert apart or abs(one.y - other.y) >= picture.box_height
        for box in picture.boxes:
            assert 0 <= box.x <= picture.width - picture.box_width
            assert 0 <= box.y <= picture.height - picture.box_height


def test_upright_picture_fits_a_telephone():
    boxes = chain("group")
    boxes += [Box(f"view {n}", "thing", f"view {n}", "/", ("group",), n) for n in range(9)]
    _, upright = pictures(boxes, "group")
    assert upright.width <= 390 - 2 * 12 - 2 * 14 - 2


def test_long_name_is_cut_in_the_middle_and_whole_in_the_title():
    name = "a_very_long_name_of_a_feature_group 12"
    lying, _ = pictures([Box("a", "thing", name), Box("b", "thing", "b", "", ("a",))], "b")
    assert lying.boxes[0].text.startswith("a_very") and lying.boxes[0].text.endswith("up 12")
    assert lying.boxes[0].title == f"thing {name}"
