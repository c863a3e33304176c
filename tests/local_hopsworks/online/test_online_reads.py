"""`read(online=True)` and `show(online=True)`: queries of the online store, by the real SDK."""

from __future__ import annotations

import datetime
import decimal

import pandas as pd
import pytest

WAIT = {"wait_for_online_ingestion": True}
PEOPLE = pd.DataFrame(
    {
        "id": range(6),
        "name": ["Ann", "Bob", "Cy", "it's", "50 %", 'a "b" \\ 🚢'],
        "age": [20.0, 30.0, None, 50.0, 60.0, 70.0],
        "level": [1, 1, 2, 2, 3, 3],
        "born": pd.to_datetime([f"19{n}0-01-01 12:00" for n in range(6)]),
        "day": [datetime.date(1900 + 10 * n, 1, 1) for n in range(6)],
        "fare": [decimal.Decimal(f"{n}.50") for n in range(5)] + [decimal.Decimal("10.00")],
        "alive": [True, False] * 3,
        "raw": [b"", b"\xff\x00", b"it's", b"\\", b"X'ff'", b"a"],
    }
)


@pytest.fixture(scope="module")
def people(feature_store):
    group = feature_store.create_feature_group(
        "read_people", 1, primary_key=["id"], online_enabled=True
    )
    group.insert(PEOPLE, storage="online", write_options=WAIT)
    return group


@pytest.fixture(scope="module")
def levels(feature_store):
    group = feature_store.create_feature_group(
        "read_levels", 1, primary_key=["level"], online_enabled=True
    )
    rows = pd.DataFrame({"level": [1, 2, 4], "deck": ["B", "E", "Z"]})
    group.insert(rows, storage="online", write_options=WAIT)
    return group


def ids(query):
    return sorted(query.read(online=True)["id"].tolist())


def test_a_group_is_read_whole(people):
    frame = people.read(online=True)
    assert list(frame.columns) == list(PEOPLE.columns)
    assert frame["name"].tolist() == PEOPLE["name"].tolist()
    assert frame["born"].tolist() == PEOPLE["born"].tolist()
    assert frame["day"].tolist() == PEOPLE["day"].tolist()
    assert frame["fare"].tolist() == PEOPLE["fare"].tolist()
    assert frame["alive"].tolist() == [1, 0] * 3
    assert frame["age"].dropna().tolist() == [20, 30, 50, 60, 70]


def test_the_first_rows_are_shown(people):
    assert people.show(2, online=True)["id"].tolist() == [0, 1]
    assert len(people.select(["name"]).show(4, online=True)) == 4


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda g: g["id"] == 3, [3]),
        (lambda g: g["id"] != 3, [0, 1, 2, 4, 5]),
        (lambda g: g["id"] > 3.5, [4, 5]),
        (lambda g: g["id"] > 2**70, []),
        (lambda g: g["id"].isin([2**70, 4]), [4]),
        (lambda g: g["name"] == "it's", [3]),
        (lambda g: g["name"] == 'a "b" \\ 🚢', [5]),
        (lambda g: g["name"].like("5% \\%"), []),
        (lambda g: g["name"].like("%o%"), [1]),
        (lambda g: g["name"].like("b%"), []),
        (lambda g: g["name"].isin(["Ann", "it's", "' OR 1=1"]), [0, 3]),
        (lambda g: g["id"].isin([]), []),
        (lambda g: g["age"] >= 50, [3, 4, 5]),
        (lambda g: g["born"] < "1920-06-01", [0, 1, 2]),
        (lambda g: g["day"] == datetime.date(1930, 1, 1), [3]),
        (lambda g: g["fare"] > 2.5, [3, 4, 5]),
        (lambda g: g["fare"] == decimal.Decimal("1.5"), [1]),
        (lambda g: g["raw"] == b"\xff\x00", [1]),
        (lambda g: g["raw"] == b"", [0]),
        (lambda g: g["raw"] == bytearray(b"\\"), [3]),
        (lambda g: (g["raw"] == b"it's") | (g["raw"] == b"X'ff'"), [2, 4]),
        (lambda g: g["name"] == "X'ff'", []),
        (lambda g: g["alive"] == True, [0, 2, 4]),  # noqa: E712  a filter
        (lambda g: (g["id"] < 2) | ((g["level"] == 3) & (g["id"].isin([5, 1]))), [0, 1, 5]),
    ],
)
def test_filters_choose_rows(people, condition, expected):
    assert ids(people.select_all().filter(condition(people))) == expected


def test_groups_are_joined_by_key(people, levels):
    left = people.select(["id"]).join(levels.select(["deck"]), on=["level"])
    decks = left.read(online=True).sort_values("id")["deck"].tolist()
    assert decks == ["B", "B", "E", "E", None, None]
    inner = people.select(["id"]).join(levels.select(["deck"]), on=["level"], join_type="inner")
    assert inner.read(online=True).sort_values("id")["deck"].tolist() == ["B", "B", "E", "E"]


def test_one_side_of_a_join_is_filtered(people, levels):
    decks = levels.select(["deck"]).filter(levels["deck"] == "E")
    assert ids(people.select(["id"]).join(decks, on=["level"])) == [2, 3]


def test_more_rows_than_are_sent_at_once_come_whole(feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], online_enabled=True)
    rows = pd.DataFrame({"id": range(4_500), "x": [n / 7 for n in range(4_500)]})
    group.insert(rows, storage="online", write_options=WAIT)
    frame = group.read(online=True)
    assert frame["id"].tolist() == rows["id"].tolist()
    assert frame["x"].tolist() == rows["x"].tolist()


def test_a_group_that_is_not_online_is_not_read_online(feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(PEOPLE[["id", "name"]])
    with pytest.raises(Exception, match="which is not `online_enabled`"):
        group.read(online=True)


def test_what_was_read_before_is_refused_once_its_group_is_deleted(feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], online_enabled=True)
    group.insert(PEOPLE[["id", "name"]], storage="online", write_options=WAIT)
    query = group.select_all()
    assert len(query.read(online=True)) == 6
    group.delete()
    with pytest.raises(Exception, match=f"{name} version 1 is not online enabled"):
        query.read(online=True)
