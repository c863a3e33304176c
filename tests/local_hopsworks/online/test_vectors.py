"""Feature vectors as a program asks for them, through SQL and through REST: the real SDK, both of its
clients, and values that are known from what was written."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hopsworks.client.exceptions import FeatureStoreException

WAIT = {"wait_for_online_ingestion": True}
CLIENTS = {
    "sql": {"init_sql_client": True, "init_rest_client": False},
    "rest": {"init_sql_client": False, "init_rest_client": True, "reset_rest_client": True},
}
TICKETS = pd.DataFrame(
    {
        "ticket": [1, 2, 3],
        "passenger": ["Rose", 'Jack\'s \\ "dad" 🚢', "Cal"],
        "price": [10.5, 20.0, 30.25],
        "survived": [1, 0, 1],
        "deck": ["A", "G", "B"],
    }
)
CABINS = pd.DataFrame({"ticket": [1, 2], "size": [40, 8], "price": [4.0, 1.5]})


def stored(feature_store, name, rows, primary_key=("ticket",), **options):
    """A new online feature group with these rows."""
    group = feature_store.create_feature_group(
        name, 1, primary_key=list(primary_key), online_enabled=True, **options
    )
    group.insert(rows, storage="online", write_options=WAIT)
    return group


@pytest.fixture(params=CLIENTS)
def client(request):
    """Which of the SDK's two clients reads."""
    return CLIENTS[request.param]


@pytest.fixture(scope="module")
def tickets(feature_store):
    return stored(feature_store, "vector_tickets", TICKETS)


@pytest.fixture(scope="module")
def cabins(feature_store):
    return stored(feature_store, "vector_cabins", CABINS)


@pytest.fixture
def serve(feature_store, client, name):
    """A new feature view of a query, ready to serve; its connections are closed at the end."""
    views = []

    def make(query, version=1, **options):
        view = feature_store.create_feature_view(f"{name}_{len(views)}", query, 1, **options)
        views.append(view)
        view.init_serving(version, **client)
        return view

    yield make
    for view in views:
        view._close()


# One feature group


def test_a_vector_has_the_features_in_the_order_of_the_query(serve, tickets):
    view = serve(tickets.select(["price", "passenger", "ticket"]))
    assert view.get_feature_vector({"ticket": 2}) == [20.0, 'Jack\'s \\ "dad" 🚢', 2]


def test_vectors_come_in_the_order_of_the_entries(serve, tickets):
    view = serve(tickets.select(["ticket", "price"]))
    entries = [{"ticket": 3}, {"ticket": 1}, {"ticket": 3}]
    assert view.get_feature_vectors(entries) == [[3, 30.25], [1, 10.5], [3, 30.25]]


def test_a_key_need_not_be_among_the_features(serve, tickets):
    view = serve(tickets.select(["price"]))
    assert view.get_feature_vector({"ticket": 1}) == [10.5]
    assert view.get_feature_vectors([{"ticket": 3}, {"ticket": 2}]) == [[30.25], [20.0]]


@pytest.mark.parametrize("return_type", ["list", "numpy", "pandas"])
def test_vectors_are_returned_as_asked(serve, tickets, return_type):
    view = serve(tickets.select(["ticket", "price"]))
    one = view.get_feature_vector({"ticket": 1}, return_type=return_type)
    many = view.get_feature_vectors([{"ticket": 1}, {"ticket": 2}], return_type=return_type)
    if return_type == "pandas":
        assert (list(one.columns), len(one), len(many)) == (["ticket", "price"], 1, 2)
        one, many = one.to_numpy()[0], many.to_numpy()
    assert np.array_equal(one, [1, 10.5])
    assert np.array_equal(many, [[1, 10.5], [2, 20.0]])


def test_composite_keys_are_looked_up_together(serve, feature_store, name):
    rows = pd.DataFrame({"ship": ["T", "T", "O"], "berth": [1, 2, 1], "fare": [7, 8, 9]})
    group = stored(feature_store, name, rows, ("ship", "berth"))
    view = serve(group.select(["fare"]))
    assert view.get_feature_vector({"ship": "T", "berth": 2}) == [8]
    entries = [{"ship": "O", "berth": 1}, {"ship": "T", "berth": 1}]
    assert view.get_feature_vectors(entries) == [[9], [7]]
    with pytest.raises(FeatureStoreException, match="Provide either all composite serving keys"):
        view.get_feature_vector({"ship": "T"})


def test_what_is_no_key_is_refused_by_the_sdk(serve, tickets):
    view = serve(tickets.select(["price"]))
    with pytest.raises(FeatureStoreException, match="Provided key deck is not a serving key"):
        view.get_feature_vector({"deck": "A"})


def test_the_latest_row_of_a_key_is_served(serve, feature_store, name):
    group = stored(feature_store, name, TICKETS)
    view = serve(group.select(["price"]))
    assert view.get_feature_vector({"ticket": 1}) == [10.5]
    group.insert(TICKETS.assign(price=[1.0, 2.0, 3.0]), storage="online", write_options=WAIT)
    assert view.get_feature_vector({"ticket": 1}) == [1.0]


# Types


TYPES = pd.DataFrame(
    {
        "key": [1, 2],
        "small": np.array([7, -8], "int16"),
        "single": np.array([0.1, -1.5], "float32"),
        "double": [0.1, -1e300],
        "flag": [True, False],
        "when": pd.to_datetime(["2024-02-29 23:59:59", "1970-01-01 00:00:01"]),
        "day": [datetime.date(2024, 2, 29), datetime.date(1912, 4, 15)],
        "price": [decimal.Decimal("12.50"), decimal.Decimal("-0.01")],
        "raw": [b"\x00\xff'\\", b"`"],
        "list": [[1.5, 2.0], []],
        "record": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    }
)


def test_values_come_back_as_ron_db_has_them(serve, feature_store, name, client):
    group = stored(feature_store, name, TYPES, ("key",))
    view = serve(group.select(list(TYPES.columns)))
    # a boolean is a tinyint there; JSON has no decimals
    money = float if client is CLIENTS["rest"] else decimal.Decimal
    first = [
        1, 7, 0.1, 0.1, 1, datetime.datetime(2024, 2, 29, 23, 59, 59), datetime.date(2024, 2, 29),
        money("12.50"), b"\x00\xff'\\", [1.5, 2.0], {"a": 1, "b": "x"},
    ]  # fmt: skip
    second = [
        2, -8, -1.5, -1e300, 0, datetime.datetime(1970, 1, 1, 0, 0, 1), datetime.date(1912, 4, 15),
        money("-0.01"), b"`", [], {"a": 2, "b": "y"},
    ]  # fmt: skip
    assert view.get_feature_vector({"key": 1}) == first
    assert view.get_feature_vectors([{"key": 2}, {"key": 1}]) == [second, first]


def test_missing_values_are_none(serve, feature_store, name):
    rows = pd.DataFrame({"key": [1, 2], "a": [1.5, None], "b": ["x", None], "c": [[1], None]})
    group = stored(feature_store, name, rows, ("key",))
    view = serve(group.select(["a", "b", "c"]))
    assert view.get_feature_vectors([{"key": 2}, {"key": 1}]) == [[None] * 3, [1.5, "x", [1]]]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["it's", 'a "key" \\ 🚢'], 'a "key" \\ 🚢'),
        ([datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)], "2024-01-02 00:00:00"),
        ([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], "2024-01-02"),
        ([-(2**62), 2**62], 2**62),
    ],
)
def test_keys_of_all_types_are_found(serve, feature_store, name, values, wanted):
    group = stored(feature_store, name, pd.DataFrame({"key": values, "x": [1, 2]}), ("key",))
    view = serve(group.select(["x"]))
    assert view.get_feature_vector({"key": wanted}) == [2]


# Several feature groups


def test_groups_that_share_a_key_need_it_once(serve, tickets, cabins):
    view = serve(tickets.select(["price"]).join(cabins.select(["size", "price"]), prefix="cabin_"))
    assert [key.required_serving_key for key in view.serving_keys] == ["ticket", "ticket"]
    assert view.get_feature_vector({"ticket": 1}) == [10.5, 40, 4.0]
    assert view.get_feature_vectors([{"ticket": 2}, {"ticket": 1}]) == [
        [20.0, 8, 1.5],
        [10.5, 40, 4.0],
    ]


def test_a_joined_group_has_a_key_of_its_own_under_its_prefix(serve, tickets, feature_store, name):
    decks = stored(
        feature_store, name, pd.DataFrame({"letter": ["A", "G"], "height": [60, 5]}), ("letter",)
    )
    query = tickets.select(["price"]).join(
        decks.select(["height"]), left_on=["deck"], right_on=["letter"], prefix="deck_"
    )
    view = serve(query)
    assert view.primary_keys == {"ticket", "deck_letter"}
    assert view.get_feature_vector({"ticket": 1, "deck_letter": "G"}) == [10.5, 5]
    entries = [{"ticket": 2, "deck_letter": "A"}, {"ticket": 3, "deck_letter": "G"}]
    assert view.get_feature_vectors(entries) == [[20.0, 60], [30.25, 5]]


def test_keys_of_one_name_get_a_number(serve, tickets, feature_store, name):
    """As in Hopsworks: two groups whose keys are called the same, joined on something else."""
    group = stored(feature_store, name, pd.DataFrame({"ticket": [7], "level": ["A"], "z": [1]}))
    query = tickets.select(["price"]).join(
        group.select(["z"]), left_on=["deck"], right_on=["level"]
    )
    view = serve(query)
    assert view.primary_keys == {"ticket", "0_ticket"}
    assert view.get_feature_vector({"ticket": 1, "0_ticket": 7}) == [10.5, 1]
    assert view.get_feature_vectors([{"ticket": 2, "0_ticket": 7}]) == [[20.0, 1]]


def test_features_of_one_name_without_a_prefix_are_told_apart(serve, tickets, cabins):
    view = serve(tickets.select(["ticket", "price"]).join(cabins.select(["price"])))
    assert view.get_feature_vector({"ticket": 2}) == [2, 20.0, 1.5]
    assert view.get_feature_vectors([{"ticket": 1}]) == [[1, 10.5, 4.0]]


def test_a_view_on_a_group_that_is_not_online_is_refused_by_the_sdk(
    feature_store, tickets, client, name
):
    offline = feature_store.create_feature_group(name, 1, primary_key=["ticket"])
    offline.insert(CABINS)
    query = tickets.select(["deck"]).join(offline.select(["size"]))
    view = feature_store.create_feature_view(name, query, 1)
    with pytest.raises(FeatureStoreException, match=r"are not online enabled"):
        view.init_serving(1, **client)


# What is not there


def test_an_entry_without_a_row_is_said(serve, tickets):
    view = serve(tickets.select(["ticket", "price"]))
    assert view.get_feature_vector({"ticket": 99}, allow_missing=True) == [99, None]
    assert view.get_feature_vector({"ticket": 99}) is None
    assert view.get_feature_vectors([{"ticket": 99}, {"ticket": 1}]) == [[1, 10.5]]


def test_a_row_in_one_group_alone_is_said(serve, tickets, cabins):
    view = serve(tickets.select(["price"]).join(cabins.select(["size"])))
    with pytest.raises(FeatureStoreException, match=r"\{'size'\} is missing from vector"):
        view.get_feature_vector({"ticket": 3})
    assert view.get_feature_vector({"ticket": 3}, allow_missing=True) == [30.25, None]
    assert view.get_feature_vectors([{"ticket": 3}, {"ticket": 1}], allow_missing=True) == [
        [30.25, None],
        [10.5, 40],
    ]


def test_passed_features_take_the_place_of_stored_ones(serve, tickets, cabins):
    view = serve(tickets.select(["price"]).join(cabins.select(["size"])))
    assert view.get_feature_vector({"ticket": 1}, passed_features={"size": 1}) == [10.5, 1]
    assert view.get_feature_vector({"ticket": 3}, passed_features={"size": 2}) == [30.25, 2]
    passed = [{"size": 3}, {"price": 0.5, "size": 4}]
    entries = [{"ticket": 3}, {"ticket": 99}]
    assert view.get_feature_vectors(entries, passed_features=passed) == [[30.25, 3], [0.5, 4]]
