"""Query JSON that nobody honest sends: whatever becomes of it, it is one SELECT over the tables
that it may read."""

from __future__ import annotations

import json

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_hopsworks.errors import HopsworksError
from local_hopsworks.feature_store import queries
from local_hopsworks.feature_store.shapes import QUERY
from local_hopsworks.http import shapes
from local_hopsworks.http.bodies import parsed
from local_hopsworks.offline.planner import make_plan
from local_hopsworks.offline.sql import alias, to_sql
from tests.reliability.hostile import spoilt

pytestmark = pytest.mark.reliability
SECRET = "what-nobody-may-read"
TYPES = {
    "id": "bigint",
    "at": "timestamp",
    "x": "double",
    "y": "bigint",
    "s": "string",
    "w": "double",
    "z": "string",
    "b": "boolean",
    "d": "date",
    "n": "decimal(10,2)",
    "f": "float",
    "a": "array<bigint>",
}
DUCKDB = {"timestamp": "TIMESTAMPTZ", "string": "VARCHAR", "array<bigint>": "BIGINT[]"}
DEFAULTS = {"s": "'; DROP TABLE secret; --", "w": "0.5"}
GROUPS = {
    key: {
        "id": key,
        "name": f"g{key}",
        "version": 1,
        "location": f"file:///g{key}",
        "eventTime": event_time,
        "features": [
            {
                "name": name,
                "type": kind,
                "primary": name == "id",
                "defaultValue": DEFAULTS.get(name),
            }
            for name, kind in TYPES.items()
        ],
    }
    for key, event_time in ((1, "at"), (2, None))
}
MEANT = {"coalesce", "epoch_ms", "abs", "*", "~~", "count_star", "list_value"}


@pytest.fixture(scope="module")
def database():
    """As many tables as a query may have, all empty but for one row, and one that no query may
    read."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE secret AS SELECT ? AS id, ? AS s", [SECRET, SECRET])
        columns = ", ".join(f'"{name}" {DUCKDB.get(kind, kind)}' for name, kind in TYPES.items())
        for table in range(60):
            connection.execute(f"CREATE TABLE {alias(table)} ({columns})")
            connection.execute(
                f"INSERT INTO {alias(table)} (id, \"at\", x, s) VALUES (1, '2026-01-02', 0.5, 'a')"
            )
        yield connection


def nodes(tree):
    yield tree
    for child in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(child, dict | list):
            yield from nodes(child)


def assert_is_meant(database, statement, tables):
    """One SELECT of the allowed tables, by the allowed functions, and nothing in it that reads
    anything else."""
    assert [found.type for found in duckdb.extract_statements(statement)] == [
        duckdb.StatementType.SELECT
    ]
    tree = json.loads(database.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()[0])
    assert not tree["error"], tree
    for node in nodes(tree["statements"]):
        if isinstance(node, dict):
            assert node.get("type") != "TABLE_FUNCTION"
            if node.get("type") == "BASE_TABLE":
                assert (
                    node["table_name"] in {alias(table) for table in range(tables)}
                    and not node["schema_name"]
                )
            if node.get("class") == "FUNCTION":
                assert node["function_name"] in MEANT
            assert node.get("class") != "SUBQUERY"


@pytest.mark.timeout(1200)
def test_no_query_reads_what_it_may_not(store_in_use, database, record):
    sent = [
        request.document
        for request in store_in_use.sent
        if request.path.endswith("/featurestores/query")
    ]
    # Else most of what is spoilt would be what nobody looks at
    asked = [queries.slim(query) for query in sent]
    answered = 0

    @settings(
        max_examples=3000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(document=st.sampled_from(asked).flatmap(spoilt))
    def ask(document):
        nonlocal answered
        record(inputs_tried=1)
        try:
            query = parsed(json.dumps(document))
            shapes.check(query, QUERY)
            plan = make_plan(queries.slim(query), lambda key: GROUPS[1 + key % 2], "project")
            statement = to_sql(plan)
        except (HopsworksError, UnicodeEncodeError):  # as bodies.py expects them
            return
        answered += 1
        assert_is_meant(database, statement, len(plan.tables))
        assert SECRET not in str(database.execute(statement).fetchall())

    ask()
    assert answered > 300
