"""Values of every type, from a frame into the online table and out of it."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math

import fastavro
import numpy as np
import pandas as pd
import pytest

from local_hopsworks.errors import HopsworksError
from local_hopsworks.online.types import Column, avro_type, column, online_type
from tests.local_hopsworks.online.conftest import WAIT

DAY = datetime.date(2026, 5, 6)
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)

# What a program has in a column, and what the online table gives back for it
VALUES = {
    "int8": (pd.array([-128, None], dtype="Int8"), [-128, None]),
    "int16": (pd.array([32767, None], dtype="Int16"), [32767, None]),
    "int32": (pd.array([-(2**31), None], dtype="Int32"), [-(2**31), None]),
    "int64": (pd.array([2**63 - 1, None], dtype="Int64"), [2**63 - 1, None]),
    "float": (np.array([1.5, np.inf], dtype="float32"), [1.5, math.inf]),
    "double": (np.array([0.1, np.nan]), [0.1, None]),
    "boolean": ([True, False], [True, False]),
    "string": (["é 'quoted' \\ 🚢", None], ["é 'quoted' \\ 🚢", None]),
    "binary": ([b"\x00\xff", b""], [b"\x00\xff", b""]),
    "timestamp": (pd.array([MOMENT, None], dtype="datetime64[us]"), [MOMENT, None]),
    "before_1970": (pd.array([datetime.datetime(1912, 4, 15)] * 2, dtype="datetime64[us]"),
                    [datetime.datetime(1912, 4, 15)] * 2),
    "date": ([DAY, None], [DAY, None]),
    "decimal": ([decimal.Decimal("-12.30"), None], [decimal.Decimal("-12.30"), None]),
}  # fmt: skip
COMPLEX = {
    "floats": [[1.0, None], []],
    "words": [["a", "b"], None],
    "struct": [{"number": 1, "word": "x"}, {"number": None, "word": None}],
    "nested": [[{"values": [1, 2]}], [{"values": []}]],
}


@pytest.fixture(scope="module")
def written(server, feature_store):
    """A group with two rows that have a feature of every type."""
    frame = pd.DataFrame({"id": [1, 2]})
    for name, (values, _) in VALUES.items():
        frame[name] = values
    for name, values in COMPLEX.items():
        frame[name] = values
    group = feature_store.get_or_create_feature_group(
        "every_type", version=1, primary_key=["id"], online_enabled=True
    )
    group.insert(frame, write_options=WAIT)
    return group


@pytest.mark.parametrize("name", VALUES)
def test_value_comes_back_as_it_was(written, online_rows, name):
    found = [row[name] for row in online_rows("every_type")]
    expected = VALUES[name][1]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_value_is_avro_as_the_sdk_decodes_it(written, online_rows, name):

    schema = fastavro.parse_schema(json.loads(written._get_feature_avro_schema(name)))
    decoded = [
        fastavro.schemaless_reader(io.BytesIO(row[name]), schema, None)
        for row in online_rows("every_type")
    ]
    assert decoded == COMPLEX[name]


def test_both_stores_have_the_same_values(written, online_rows):
    offline = written.read().sort_values("id").reset_index(drop=True)
    for row, online in enumerate(online_rows("every_type")):
        for name in ("int8", "int64", "string", "boolean", "timestamp", "date", "decimal"):
            value = offline[name][row]
            assert pd.isna(value) if online[name] is None else value == online[name]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({"type": "bigint"}, "bigint"),
        ({"type": "boolean"}, "tinyint"),
        ({"type": "string"}, "varchar(100)"),
        ({"type": "string", "onlineType": "VARCHAR(300)"}, "varchar(300)"),
        ({"type": "array<double>"}, "varbinary(100)"),
        ({"type": "array<double>", "onlineType": "varbinary(1000)"}, "varbinary(1000)"),
        ({"type": "Decimal(10, 2)"}, "decimal(10,2)"),
    ],
)
def test_type_in_rondb_is_the_one_that_hopsworks_chooses(feature, expected):
    assert online_type({"name": "x", **feature}) == expected


def test_avro_type_of_a_nested_struct_keeps_the_names_of_its_fields():
    found = avro_type("struct<Name:string,tags:map<string,array<decimal(5,2)>>>", "f")
    record = found[1]
    assert [field["name"] for field in record["fields"]] == ["Name", "tags"]
    values = record["fields"][1]["type"][1]["values"][1]["items"][1]
    assert (values["logicalType"], values["precision"], values["scale"]) == ("decimal", 5, 2)
    fastavro.parse_schema(found)


@pytest.mark.parametrize(
    ("type_", "value", "stored"),
    [
        ("bigint", 7, 7),
        ("bigint", "7", 7),
        ("double", 7, 7.0),
        ("string", 7, "7"),
        ("boolean", True, 1),
        ("timestamp", datetime.datetime(1970, 1, 1, 0, 0, 1), 1_000_000),
        ("timestamp", "1970-01-01T00:00:01Z", 1_000_000),
        ("timestamp", "1970-01-01 02:00:01+02:00", 1_000_000),
        ("timestamp", 1000, 1_000_000),
        ("date", datetime.date(1970, 1, 2), 1),
        ("date", "1970-01-02", 1),
        ("decimal(5,2)", decimal.Decimal("1.50"), "1.50"),
        ("bigint", None, None),
    ],
)
def test_key_that_a_caller_names_is_looked_up_as_it_is_stored(type_, value, stored):
    assert column({"name": "x", "type": type_}).stored(value) == stored


@pytest.mark.parametrize(
    ("type_", "value"),
    [("bigint", "seven"), ("bigint", 1.5), ("date", 3), ("timestamp", "today"), ("decimal", "x")],
)
def test_value_of_another_type_is_refused_by_its_feature(type_, value):
    with pytest.raises(HopsworksError, match="no value of the feature x"):
        Column("x", type_, type_, False).stored(value)
