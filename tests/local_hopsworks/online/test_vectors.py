"""Feature vectors as a program asks for them, through SQL and through REST: the real SDK, both of
its clients, and values that are known from what was written."""

from __future__ import annotations

import asyncio
import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hopsworks import udf
from hopsworks.client.exceptions import FeatureStoreException, RestAPIError
from hsfs.feature import Feature

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


def test_a_timestamp_has_the_digits_of_its_online_type(serve, feature_store, name):
    moment = datetime.datetime(2024, 2, 29, 1, 2, 3, 456789)
    features = [
        Feature("key", "bigint"),
        Feature("seconds", "timestamp"),
        Feature("milliseconds", "timestamp", online_type="timestamp(3)"),
    ]
    rows = pd.DataFrame({"key": [1], "seconds": [moment], "milliseconds": [moment]})
    group = stored(feature_store, name, rows, ("key",), features=features)
    view = serve(group.select(["seconds", "milliseconds"]))
    whole = moment.replace(microsecond=0)
    assert view.get_feature_vector({"key": 1}) == [whole, moment.replace(microsecond=456000)]


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
        ([decimal.Decimal("1.50"), decimal.Decimal("2.00")], 2),
    ],
)
def test_keys_of_all_types_are_found(serve, feature_store, name, values, wanted):
    group = stored(feature_store, name, pd.DataFrame({"key": values, "x": [1, 2]}), ("key",))
    view = serve(group.select(["x"]))
    assert view.get_feature_vector({"key": wanted}) == [2]


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1, 2**70, 10**400])
def test_key_beyond_64_bits_finds_nothing_or_is_refused_and_the_next_is_answered(
    serve, client, tickets, key
):
    view = serve(tickets.select(["price"]))
    try:
        assert view.get_feature_vector({"ticket": key}) is None
    except RestAPIError as error:
        assert client is CLIENTS["rest"] and error.response.status_code == 400
    assert view.get_feature_vector({"ticket": 1}) == [10.5]


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


# Labels and helper columns


def test_labels_and_helpers_are_not_in_the_vector(serve, tickets, cabins):
    query = tickets.select(["price", "survived", "deck", "passenger"]).join(cabins.select(["size"]))
    view = serve(
        query,
        labels=["survived"],
        inference_helper_columns=["deck", "size"],
        training_helper_columns=["passenger"],
    )
    assert view.get_feature_vector({"ticket": 1}) == [10.5]
    assert view.get_feature_vectors([{"ticket": 2}, {"ticket": 1}]) == [[20.0], [10.5]]
    assert view.get_inference_helper({"ticket": 1}, return_type="dict") == {"deck": "A", "size": 40}
    helpers = view.get_inference_helpers([{"ticket": 2}, {"ticket": 1}], return_type="dict")
    assert helpers == [{"deck": "G", "size": 8}, {"deck": "A", "size": 40}]


def test_helpers_are_returned_as_a_frame(serve, tickets):
    view = serve(tickets.select(["price", "deck"]), inference_helper_columns=["deck"])
    assert view.get_inference_helper({"ticket": 3})["deck"].tolist() == ["B"]
    frame = view.get_inference_helpers([{"ticket": 1}, {"ticket": 3}])
    assert frame["deck"].tolist() == ["A", "B"]


def test_a_group_of_which_there_is_only_the_label_needs_no_key(serve, tickets, feature_store, name):
    outcomes = stored(
        feature_store, name, pd.DataFrame({"person": ["Rose"], "alive": [1]}), ("person",)
    )
    query = tickets.select(["price"]).join(
        outcomes.select(["alive"]), left_on=["passenger"], right_on=["person"]
    )
    view = serve(query, labels=["alive"])
    assert view.primary_keys == {"ticket"}
    assert view.get_feature_vector({"ticket": 1}) == [10.5]
    assert view.get_feature_vectors([{"ticket": 2}]) == [[20.0]]


# Transformations


@udf(float, drop=["price"])
def price_of_two(price: float) -> float:
    return price * 2


@udf(float)
def with_tip(price: float, tip: float) -> float:
    return price + tip


@pytest.fixture(scope="module")
def trained_tickets(feature_store, tickets):
    """A view with a scaler and its training dataset, which has what the scaler needs to know."""
    from hsfs.builtin_transformations import min_max_scaler

    tickets.insert(TICKETS, storage="offline")
    view = feature_store.create_feature_view(
        "vector_scaled",
        tickets.select(["price", "deck"]),
        1,
        transformation_functions=[min_max_scaler("price")],
    )
    view.training_data()
    return view


def test_vectors_are_scaled_as_the_training_data_was(trained_tickets, client):
    trained_tickets.init_serving(1, **client)
    low, high = TICKETS["price"].min(), TICKETS["price"].max()
    expected = (20.0 - low) / (high - low)
    assert trained_tickets.get_feature_vector({"ticket": 2}) == ["G", pytest.approx(expected)]
    raw = trained_tickets.get_feature_vector({"ticket": 2}, transform=False)
    assert raw == [20.0, "G"]
    assert trained_tickets.transform(raw) == ["G", pytest.approx(expected)]
    trained_tickets._close()


def test_batch_scoring_scales_by_a_training_dataset(trained_tickets):
    trained_tickets.init_batch_scoring(1)
    batch = trained_tickets.get_batch_data()
    assert sorted(batch["min_max_scaler_price_"]) == pytest.approx([0, 9.5 / 19.75, 1])


def test_a_training_dataset_that_is_not_there_is_refused(trained_tickets, client):
    with pytest.raises(Exception, match="training dataset"):
        trained_tickets.init_serving(99, **client)


def test_own_functions_run_on_vectors(serve, tickets):
    view = serve(tickets.select(["price"]), transformation_functions=[price_of_two("price")])
    assert view.get_feature_vector({"ticket": 1}) == [21.0]
    assert view.get_feature_vectors([{"ticket": 2}, {"ticket": 1}]) == [[40.0], [21.0]]


@pytest.fixture(scope="module")
def tipped(feature_store):
    rows = TICKETS[["ticket", "price"]].assign(tip=[1.0, 2.0, 3.0])
    return stored(
        feature_store,
        "vector_tipped",
        rows,
        transformation_functions=[with_tip("price", "tip").alias("total")],
    )


def test_on_demand_features_are_computed_from_the_request(serve, tipped):
    view = serve(tipped.select(["ticket", "price", "total"]))
    vector = view.get_feature_vector({"ticket": 1}, request_parameters={"tip": 0.5})
    assert vector == [1, 10.5, 11.0]
    vectors = view.get_feature_vectors(
        [{"ticket": 2}, {"ticket": 3}], request_parameters=[{"tip": 1.0}, {"tip": 0.0}]
    )
    assert vectors == [[2, 20.0, 21.0], [3, 30.25, 30.25]]


def test_an_on_demand_feature_without_its_parameter_is_refused_by_the_sdk(serve, tipped):
    view = serve(tipped.select(["price", "total"]))
    with pytest.raises(FeatureStoreException, match="'total' requires features 'tip'"):
        view.get_feature_vector({"ticket": 1})


def test_on_demand_features_of_a_joined_group_have_its_prefix(serve, tickets, tipped):
    query = tickets.select(["price"]).join(tipped.select(["price", "total"]), prefix="t_")
    view = serve(query)
    vector = view.get_feature_vector({"ticket": 1}, request_parameters={"tip": 4.5})
    assert vector == [10.5, 10.5, 15.0]


def test_on_demand_features_are_computed_apart_from_the_look_up(serve, tipped):
    view = serve(tipped.select(["price", "total"]))
    fetched = view.get_feature_vector({"ticket": 1}, on_demand_features=False, transform=False)
    assert fetched == [10.5]
    assert view.compute_on_demand_features(fetched, request_parameters={"tip": 2.0}) == [10.5, 12.5]


# Awaited


def test_vectors_are_awaited_many_at_a_time(serve, tickets):
    view = serve(tickets.select(["price"]))

    async def ask():
        one = view.get_feature_vector_async(entry={"ticket": 1}, return_type="list")
        entries = [{"ticket": 2}, {"ticket": 3}]
        many = view.get_feature_vectors_async(entry=entries, return_type="list")
        return await asyncio.gather(one, many, *(
            view.get_feature_vector_async(entry={"ticket": 3}, return_type="list")
            for _ in range(20)
        ))  # fmt: skip

    one, many, *others = asyncio.run(ask())
    assert (one, many) == ([10.5], [[20.0], [30.25]])
    assert others == [[30.25]] * 20
