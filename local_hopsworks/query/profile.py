"""Descriptive statistics of a plan's rows, in the fields of the SDK's FeatureDescriptiveStatistics."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from local_hopsworks.query import run
from local_hopsworks.query.plan import Plan

_PERCENTILES = [position / 100 for position in range(1, 100)]


def describe(plan: Plan) -> list[dict[str, Any]]:
    """One document per column. Numbers get minimum, maximum, sum, mean, standard deviation (of the sample, as pandas'
    describe gives it) and the 99 percentiles; the other types only counts."""
    rows = run.table(plan)
    types = [column.type for column, _ in plan.columns]
    return [_describe(name, type_, rows[name]) for name, type_ in zip(rows.column_names, types, strict=True)]


def _describe(name: str, type_: str, values: pa.ChunkedArray) -> dict[str, Any]:
    count, missing = len(values), values.null_count
    document: dict[str, Any] = {
        "featureName": name,
        "featureType": _kind(values.type),
        "count": count,
        "numNonNullValues": count - missing,
        "numNullValues": missing,
        "completeness": (count - missing) / count if count else 0.0,
    }
    if not pa.types.is_nested(values.type):
        distinct = pc.count_distinct(values, mode="only_valid").as_py()
        document |= {
            "approxNumDistinctValues": distinct,
            "exactNumDistinctValues": distinct,
            "distinctness": distinct / count if count else 0.0,
        }
    if _is_number(values.type) and count > missing:
        numbers = values.cast(pa.float64())
        percentiles = pc.quantile(numbers, q=_PERCENTILES).to_pylist()
        document |= {
            "min": _finite(pc.min(numbers)),
            "max": _finite(pc.max(numbers)),
            "sum": _finite(pc.sum(numbers)),
            "mean": _finite(pc.mean(numbers)),
            "stddev": _finite(pc.stddev(numbers, ddof=1)),
            "percentiles": {
                f"{position:.0%}": value for position, value in zip(_PERCENTILES, percentiles, strict=True)
            },
        }
    return document


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "Boolean"
    if pa.types.is_integer(type_):
        return "Integral"
    return "Fractional" if _is_number(type_) else "String"


def _finite(scalar: pa.Scalar) -> float | None:
    value = scalar.as_py()
    return value if value is not None and math.isfinite(value) else None
