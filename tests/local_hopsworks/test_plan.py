"""Plans and their SQL without a server: random filters against Python, values that stay values,
limits that hold."""

import datetime
import decimal
import json

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from local_hopsworks.errors import HopsworksError, NotEmbedded
from local_hopsworks.feature_store import queries
from local_hopsworks.offline.plan import Column, Filter, Plan, Table
from local_hopsworks.offline.planner import DEEPEST_FILTER, MOST_JOINS, make_plan
from local_hopsworks.offline.run import Engine
from local_hopsworks.offline.sql import to_sql
from tests.local_hopsworks.conditions import COMPARE

ENGINE = Engine()
TYPES = {
    "id": "bigint",
    "n": "bigint",
    "x": "double",
    "s": "string",
    "b": "boolean",
    "d": "date",
    "t": "timestamp",
}
TYPES |= {"m": "decimal(9,2)"}
GROUPS = {
    key: {
        "id": key,
        "name": f"g{key}",
        "version": 1,
        "location": f"file:///g{key}",
        "eventTime": None,
        "features": [
            {"name": name, "type": kind, "primary": name == "id"} for name, kind in TYPES.items()
        ],
    }
    for key in (1, 2)
}
TABLE = [
    {
        "id": 0,
        "n": 1,
        "x": 0.5,
        "s": "a",
        "b": True,
        "d": datetime.date(2024, 1, 1),
        "t": datetime.datetime(2024, 1, 1),
    },
    {
        "id": 1,
        "n": -1,
        "x": -2.5,
        "s": "",
        "b": False,
        "d": datetime.date(2024, 1, 2),
        "t": datetime.datetime(2024, 1, 1, 0, 0, 0, 1),
    },
    {
        "id": 2,
        "n": 2**62,
        "x": 0.1,
        "s": "'; --",
        "b": True,
        "d": datetime.date(1969, 12, 31),
        "t": datetime.datetime(1, 1, 1),
    },
    {"id": 3, "n": None, "x": None, "s": None, "b": None, "d": None, "t": None},
    {
        "id": 4,
        "n": 1,
        "x": 1e300,
        "s": "A%_",
        "b": False,
        "d": datetime.date(2024, 1, 1),
        "t": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    },
    {
        "id": 5,
        "n": 0,
        "x": -0.0,
        "s": "中文🚢",
        "b": None,
        "d": datetime.date(9999, 12, 31),
        "t": datetime.datetime.max,
    },
]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Run the plan of a query over TABLE, which is in three files, as the query service would; the
    ids."""
    folder = tmp_path_factory.mktemp("store") / "table"
    types = {
        "id": pa.int64(),
        "n": pa.int64(),
        "x": pa.float64(),
        "s": pa.string(),
        "b": pa.bool_(),
    }
    # "m" is appended, so missing
    schema = pa.schema([*types.items(), ("d", pa.date32()), ("t", pa.timestamp("us"))])
    for part in (TABLE[4:], TABLE[2:4], TABLE[:2]):  # the newest file is read first
        write_deltalake(folder, pa.Table.from_pylist(part, schema), mode="append")

    def run_plan(document):
        plan = make_plan(
            document, lambda key: {**GROUPS[key], "location": folder.as_uri()}, "project"
        )
        return ENGINE.table(plan)["id"].to_pylist()

    return run_plan


def query(where=None, features=("id",), **more):
    selected = [{"name": name, "type": None} for name in features]
    return {"leftFeatureGroup": {"id": 1}, "leftFeatures": selected, "filter": where, **more}


def sql(document):
    return to_sql(make_plan(document, GROUPS.__getitem__, "project"))


def joined(document, depth):
    """`document` with `depth` joins, each inside the one before."""
    for i in range(depth):
        on = [{"name": "id"}]
        inner = {**document, "leftFeatureGroup": {"id": 1 + i % 2}}
        document = query(joins=[{"query": inner, "on": on, "type": "LEFT", "prefix": f"p{i}_"}])
    return document


# Random filter trees: the oracle is SQL's three-valued logic, written in Python

SAMPLES = {
    "n": st.one_of(
        st.sampled_from([row["n"] for row in TABLE if row["n"] is not None]),
        st.integers(-(2**70), 2**70),
    ),
    "x": st.one_of(
        st.sampled_from([row["x"] for row in TABLE if row["x"] is not None]),
        st.floats(allow_nan=False),
    ),
    "s": st.one_of(
        st.sampled_from([row["s"] for row in TABLE if row["s"] is not None]), st.text(max_size=6)
    ),
    "b": st.booleans(),
    "d": st.one_of(
        st.sampled_from([row["d"] for row in TABLE if row["d"] is not None]), st.dates()
    ),
    "t": st.one_of(
        st.sampled_from([row["t"] for row in TABLE if row["t"] is not None]), st.datetimes()
    ),
}


@st.composite
def comparisons(draw):
    name = draw(st.sampled_from(sorted(SAMPLES)))
    condition = draw(st.sampled_from([*COMPARE, "IN", "MISSING"]))
    feature = {"name": name, "featureGroupId": draw(st.sampled_from([1, None]))}
    if condition == "MISSING":
        return {
            "feature": feature,
            "condition": draw(st.sampled_from(["EQUALS", "NOT_EQUALS"])),
            "value": None,
        }
    if condition == "IN":
        listed = draw(st.lists(SAMPLES[name], max_size=3))
        return {"feature": feature, "condition": "IN", "value": json.dumps(listed, default=str)}
    return {"feature": feature, "condition": condition, "value": str(draw(SAMPLES[name]))}


def side(name, node):
    return {f"{name}{'Filter' if 'condition' in node else 'Logic'}": node}


trees = st.recursive(
    comparisons(),
    lambda inner: st.builds(
        lambda kind, left, right: {"type": kind, **side("left", left), **side("right", right)},
        st.sampled_from(["AND", "OR"]),
        inner,
        inner,
    ),
    max_leaves=12,
)


def holds(node, row):
    """True, False or None (unknown)."""
    if "condition" not in node:
        parts = [holds(node[key], row) for key in node if key != "type"]
        decisive = node["type"] == "OR"
        return decisive if decisive in parts else None if None in parts else not decisive
    value, name = row[node["feature"]["name"]], node["feature"]["name"]
    if node["value"] is None:
        return (value is None) == (node["condition"] == "EQUALS")
    if node["condition"] == "IN":
        listed = json.loads(node["value"])
        return (
            False
            if not listed
            else None
            if value is None
            else any(value == typed(name, str(v)) for v in listed)
        )
    return None if value is None else COMPARE[node["condition"]](value, typed(name, node["value"]))


def typed(name, text):
    parse = {
        "n": int,
        "x": float,
        "s": str,
        "b": lambda t: t == "True",
        "d": datetime.date.fromisoformat,
    }
    parse["t"] = datetime.datetime.fromisoformat
    return parse[name](text)


@pytest.mark.long
@given(where=trees)
@settings(max_examples=300, deadline=None)
def test_filters_find_what_python_finds(read, where):
    assert read(query(where)) == [row["id"] for row in TABLE if holds(where, row) is True]


@pytest.mark.long
@given(where=trees, kind=st.sampled_from(["INNER", "LEFT", "RIGHT", "FULL"]), other=trees)
@settings(max_examples=100, deadline=None)
def test_bounds_leave_out_nothing_that_a_join_returns(read, where, kind, other):
    """The first table is read within bounds of the filter; without them the result must be the
    same."""
    right = {**query(other), "leftFeatureGroup": {"id": 2}}
    document = query(
        where, joins=[{"query": right, "on": [{"name": "id"}], "type": kind, "prefix": "r_"}]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "bounds", ())
        expected = read(document)
    assert read(document) == expected


PARTS = {
    "id": ("bigint", [1, 2, 3]),
    "n": ("bigint", [1, 2, None]),
    "s": ("string", ["a b/c", "ü:%20", None]),
    "b": ("boolean", [True, False, None]),
    "d": ("date", [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), None]),
    "t": ("timestamp", [datetime.datetime(2020, 1, 1, 5), None, datetime.datetime(2021, 1, 1)]),
    "m": ("decimal(9,2)", [decimal.Decimal("1.50"), None, decimal.Decimal("2.25")]),
}


@pytest.mark.parametrize(
    "by", [["n"], ["s"], ["b"], ["d"], ["t"], ["m"], ["n", "d", "s"]], ids=" ".join
)
def test_rows_come_back_as_they_were_stored_whatever_partitions_them(tmp_path, by):
    stored = pa.table({name: values for name, (_, values) in PARTS.items()})
    write_deltalake(tmp_path, stored, partition_by=by)
    features = tuple((name, kind) for name, (kind, _) in PARTS.items())
    table = Table(1, "parts", tmp_path.as_uri(), None, None, features)
    columns = {name: Column(0, name, kind) for name, kind in features}
    plan = Plan([table], [(column, name) for name, column in columns.items()])
    assert ENGINE.table(plan).sort_by("id").to_pylist() == stored.to_pylist()
    first = PARTS[by[0]][1][0]
    # As the planner has it
    value = first.replace(tzinfo=datetime.timezone.utc) if by == ["t"] else first
    plan.condition = Filter(columns[by[0]], "EQUALS", value)
    assert ENGINE.table(plan)["id"].to_pylist() == [1]


# Values stay values


def shape(statement):
    """The statement with every literal replaced."""
    tree = sqlglot.parse_one(statement, dialect="duckdb")
    return tree.transform(
        lambda node: sqlglot.exp.Null() if isinstance(node, sqlglot.exp.Literal) else node
    ).sql()


@pytest.mark.long
@given(
    value=st.text(max_size=40) | st.text(alphabet="'\"\\;-/*%$?{}()\n\x00\u2028eEbBxX", max_size=40)
)
@settings(max_examples=300, deadline=None)
def test_no_text_changes_the_structure_of_the_sql(value):
    for condition, text in (("EQUALS", value), ("LIKE", value), ("IN", json.dumps([value, "z"]))):
        node = {"feature": {"name": "s"}, "condition": condition, "value": text}
        harmless = {**node, "value": json.dumps(["y", "z"]) if condition == "IN" else "y"}
        assert shape(sql(query(node))) == shape(sql(query(harmless)))
    duckdb.execute("CREATE OR REPLACE TEMP TABLE fg0 AS SELECT 99 AS id, ? AS s", [value])
    found = duckdb.execute(
        sql(query({"feature": {"name": "s"}, "condition": "EQUALS", "value": value}))
    ).fetchall()
    assert found == [(99,)]


@given(name=st.text(max_size=30).filter(lambda text: text not in TYPES))
@settings(max_examples=100, deadline=None)
def test_only_stored_names_reach_the_sql(name):
    for document in (
        query(features=[name]),
        query({"feature": {"name": name}, "condition": "EQUALS", "value": "1"}),
        query(joins=[{"query": query(), "on": [{"name": name}], "type": "INNER"}]),
    ):
        with pytest.raises(HopsworksError, match="has no feature"):
            sql(document)


@given(prefix=st.text(min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_prefix_is_only_a_name(prefix):
    statement = sql(
        query(joins=[{"query": query(), "on": [{"name": "id"}], "type": "INNER", "prefix": prefix}])
    )
    assert shape(statement).count("SELECT") == 1
    assert sqlglot.parse_one(statement, dialect="duckdb").named_selects == ["id", f"{prefix}id"]


# Refusals: one sentence each, never an internal error

REFUSED = {
    "no group": ({**query(), "leftFeatureGroup": {}}, "names no feature group"),
    "no feature": (query(features=[]), "selects no feature"),
    "same feature twice": (
        query(features=["id", "id"]),
        "Two features of the query are called 'id'",
    ),
    "unknown condition": (
        query({"feature": {"name": "n"}, "condition": "OR 1=1", "value": "1"}),
        "no condition",
    ),
    "unknown logic": (query({"type": "XOR", "leftFilter": {}}), "joins conditions by AND or OR"),
    "unknown join": (query(joins=[{"query": query(), "type": "SEMI"}]), "no join of type 'SEMI'"),
    "unequal keys": (
        query(
            joins=[
                {
                    "query": query(),
                    "leftOn": [{"name": "id"}],
                    "rightOn": [{"name": "id"}, {"name": "n"}],
                }
            ]
        ),
        "of equal length",
    ),
    "list without list": (
        query({"feature": {"name": "n"}, "condition": "IN", "value": "5,"}),
        "needs a list",
    ),
    "list of lists": (
        query({"feature": {"name": "n"}, "condition": "IN", "value": "[[1]]"}),
        "needs a list",
    ),
    "list nested deeply": (
        query({"feature": {"name": "n"}, "condition": "IN", "value": "[" * 10**6}),
        "needs a list",
    ),
    "limit of text": (query(limit="1; DROP TABLE fg0"), "needs a whole number"),
    "time of text": (query(leftFeatureGroupEndTime="now"), "needs a whole number"),
    "decimal that is no number": (
        query({"feature": {"name": "m"}, "condition": "EQUALS", "value": "NaN"}),
        r"is no decimal\(9,2\)",
    ),
    "number too long": (
        query({"feature": {"name": "n"}, "condition": "EQUALS", "value": "1e9x" * 999}),
        "is no bigint",
    ),
}


@pytest.mark.parametrize(("document", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_planned_is_refused_with_a_sentence(document, sentence):
    with pytest.raises(HopsworksError, match=sentence) as caught:
        sql(document)
    assert caught.value.status == 400 and len(caught.value.message) < 300


@pytest.mark.parametrize("unsupported", ["lookback", "spine"])
def test_what_is_not_embedded_is_refused_by_its_name(unsupported):
    with pytest.raises(NotEmbedded, match=unsupported):
        sql(query(**{unsupported: {"default": {}}}))


def test_as_deep_a_filter_as_allowed_is_answered(read):
    node = {"feature": {"name": "n"}, "condition": "EQUALS", "value": "1"}
    tree = node
    for i in range(DEEPEST_FILTER):
        tree = {"type": ("AND", "OR")[i % 2], **side("left", tree), "rightFilter": node}
    assert read(query(tree)) == [0, 4]
    with pytest.raises(HopsworksError, match="nested more than"):
        sql(query({"type": "AND", "leftLogic": tree, "rightFilter": node}))


def test_as_many_joins_as_allowed_are_answered():
    beside = [
        {"query": query(), "on": [{"name": "id"}], "type": "INNER", "prefix": f"p{i}_"}
        for i in range(MOST_JOINS)
    ]
    assert sql(query(joins=beside)).count(" JOIN ") == MOST_JOINS
    assert sql(joined(query(), MOST_JOINS)).count(" JOIN ") == MOST_JOINS
    for document in (query(joins=beside * 2), joined(query(), MOST_JOINS + 1)):
        with pytest.raises(HopsworksError, match="joins at most"):
            sql(document)


def test_joins_nested_without_end_are_refused_before_anything_else():
    with pytest.raises(HopsworksError, match="nested at most"):
        queries.slim(joined(query(), 5000))


def test_a_body_nested_without_end_is_refused_with_a_sentence(api):
    bodies = {
        "[" * 10**6: "not JSON",
        '{"a":' * 10**5 + "1" + "}" * 10**5: "not JSON",
        '{"joins":[{"query":' * 200 + "{}" + "}]}" * 200: "nested at most",
    }
    for body, sentence in bodies.items():
        answer = api("PUT", "/project/1/featurestores/query", data=body)
        assert answer.status_code == 400 and sentence in answer.json()["errorMsg"]
