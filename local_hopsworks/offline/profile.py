"""Descriptive statistics of a plan's rows, in the fields of the SDK's
FeatureDescriptiveStatistics."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from local_hopsworks.offline import run
from local_hopsworks.offline.plan import Plan

MOST_BINS = 20  # of a histogram
_PERCENTILES = [position / 100 for position in range(1, 100)]


def describe(plan: Plan, kinds: Collection[str] = ()) -> list[dict[str, Any]]:
    """One document per column. Numbers get minimum, maximum, sum, mean, standard deviation (of the
    sample, as pandas' describe gives it) and the 99 percentiles; the other types only counts.
    `kinds` asks for more: histograms, correlations, exactUniqueness."""
    rows = run.table(plan)
    documents = [_describe(name, rows[name]) for name in rows.column_names]
    numbers = rows.select([name for name in rows.column_names if _is_number(rows[name].type)])
    matrix = numbers.to_pandas().astype(float).corr() if "correlations" in kinds else None
    for document in documents:
        values, extended = rows[document["featureName"]], {}
        if pa.types.is_nested(values.type) or not document["numNonNullValues"]:
            continue
        if "exactUniqueness" in kinds:
            document |= _uniqueness(values)
        if "histograms" in kinds:
            extended["histogram"] = _histogram(values)
        if matrix is not None and document["featureName"] in matrix:
            pairs = matrix[document["featureName"]].dropna().items()
            extended["correlations"] = [
                {"column": column, "correlation": value} for column, value in pairs
            ]
        if extended:
            document["extendedStatistics"] = json.dumps(extended)
    return documents


def _counts(values: pa.ChunkedArray) -> dict[Any, int]:
    counted = pc.value_counts(pc.drop_null(values)).to_pylist()
    return {entry["values"]: entry["counts"] for entry in counted}


def _uniqueness(values: pa.ChunkedArray) -> dict[str, float]:
    """Uniqueness is the share of values that occur once; entropy that of their distribution, in
    nats."""
    counts = _counts(values)
    total = sum(counts.values())
    return {
        "uniqueness": sum(1 for count in counts.values() if count == 1) / total,
        "entropy": -sum(count / total * math.log(count / total) for count in counts.values()),
    }


def _histogram(values: pa.ChunkedArray) -> list[dict[str, Any]]:
    """Numbers in equal bins where they are many, else every value, the commonest first."""
    counts, bins = _counts(values), MOST_BINS
    total = sum(counts.values())
    if _is_number(values.type) and len(counts) > bins:
        edges, found = _binned(values, bins)
        counts = {
            f"{low:.2f} to {high:.2f}": count
            for low, high, count in zip(edges, edges[1:], found, strict=False)
        }
    commonest = (
        sorted(counts.items(), key=lambda item: -item[1])[:bins]
        if len(counts) > bins
        else counts.items()
    )
    return [
        {"value": str(value), "count": count, "ratio": count / total} for value, count in commonest
    ]


def _binned(values: pa.ChunkedArray, bins: int) -> tuple[list[float], list[int]]:
    import numpy as np

    numbers = pc.drop_null(values).cast(pa.float64()).to_numpy()
    found, edges = np.histogram(numbers[np.isfinite(numbers)], bins)
    return edges.tolist(), found.tolist()


def _describe(name: str, values: pa.ChunkedArray) -> dict[str, Any]:
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
                f"{position:.0%}": value
                for position, value in zip(_PERCENTILES, percentiles, strict=True)
            },
        }
    return document


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "Boolean"
    if pa.types.is_integer(type_):
        return "Integral"
    return "Fractional" if _is_number(type_) else "String"


def _finite(scalar: pa.Scalar) -> float | None:
    value = scalar.as_py()
    return value if value is not None and math.isfinite(value) else None
