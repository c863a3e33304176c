"""Descriptive statistics of rows, in the fields of the SDK's FeatureDescriptiveStatistics.

A number that JSON cannot hold (NaN, infinity) becomes null, as the SDK itself does it. NaN is left
out of what numbers come to, as pandas does it.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MOST_BINS = 20  # of a histogram
_PERCENTILES = [position / 100 for position in range(1, 100)]


def describe(rows: pa.Table, kinds: Collection[str] = ()) -> list[dict[str, Any]]:
    """One document per column. Numbers get minimum, maximum, sum, mean, standard deviation (of the
    sample, as pandas' describe gives it) and the 99 percentiles; the other types only counts.
    `kinds` asks for more: histograms, correlations, exactUniqueness."""
    rows = pa.table({name: _computable(rows[name]) for name in rows.column_names})
    documents = [_describe(name, rows[name]) for name in rows.column_names]
    correlations = _correlations(rows) if "correlations" in kinds else {}
    for document in documents:
        name = document["featureName"]
        values, extended = rows[name], {}
        if pa.types.is_nested(values.type) or not document["numNonNullValues"]:
            continue
        if "exactUniqueness" in kinds:
            document |= _uniqueness(values)
        if "histograms" in kinds:
            extended["histogram"] = _histogram(values)
        if name in correlations:
            extended["correlations"] = correlations[name]
        if extended:
            document["extendedStatistics"] = json.dumps(extended)
    return documents


def _computable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type that Arrow's functions know."""
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    if pa.types.is_floating(values.type):
        return pc.add(values, pa.scalar(0, values.type))  # -0.0 becomes the 0.0 that it equals
    return values.cast(pa.string()) if values.type == pa.string_view() else values


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
        distinct = len(_counts(values))
        document |= {
            "approxNumDistinctValues": distinct,
            "exactNumDistinctValues": distinct,
            "distinctness": distinct / count if count else 0.0,
        }
    if _is_number(values.type) and count > missing:
        document |= _moments(_numbers(values))
    return document


def _moments(numbers: pa.ChunkedArray) -> dict[str, Any]:
    percentiles = pc.quantile(numbers, q=_PERCENTILES).to_pylist()
    return {
        "min": _finite(pc.min(numbers).as_py()),
        "max": _finite(pc.max(numbers).as_py()),
        "sum": _finite(pc.sum(numbers).as_py()),
        "mean": _finite(pc.mean(numbers).as_py()),
        "stddev": _finite(pc.stddev(numbers, ddof=1).as_py()),
        "percentiles": {
            f"{position:.0%}": _finite(value)
            for position, value in zip(_PERCENTILES, percentiles, strict=True)
        },
    }


def _numbers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """As floating numbers, without NULL and NaN. Whole numbers beyond 2**53 lose digits."""
    numbers = pc.drop_null(values).cast(pa.float64(), safe=False)
    return numbers.filter(pc.invert(pc.is_nan(numbers)))


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _correlations(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """By column, its correlation with every column where there is one."""
    numbers = {
        name: rows[name].cast(pa.float64(), safe=False)
        for name in rows.column_names
        if _is_number(rows[name].type)
    }
    matrix = pa.table(numbers).to_pandas().corr()
    return {
        name: [
            {"column": column, "correlation": value}
            for column, value in matrix[name].items()
            if math.isfinite(value)
        ]
        for name in matrix
    }


def _counts(values: pa.ChunkedArray) -> pa.StructArray:
    """The different `values`, without NULL, and the `counts` of how often each occurs."""
    return pc.value_counts(pc.drop_null(values))


def _uniqueness(values: pa.ChunkedArray) -> dict[str, float]:
    """Uniqueness is the share of values that occur once; entropy that of their distribution, in
    nats."""
    counts = _counts(values).field("counts").to_pylist()
    total = sum(counts)
    return {
        "uniqueness": sum(1 for count in counts if count == 1) / total,
        "entropy": -sum(count / total * math.log(count / total) for count in counts),
    }


def _histogram(values: pa.ChunkedArray) -> list[dict[str, Any]]:
    """Numbers in equal bins where they are many, else every value, the commonest first."""
    counted = _counts(values)
    counts = counted.field("counts").to_pylist()
    bins = list(zip(map(str, counted.field("values")), counts, strict=True))
    total = sum(counts)
    if len(bins) > MOST_BINS:
        equal = _equal_bins(_numbers(values)) if _is_number(values.type) else []
        bins = equal or sorted(bins, key=lambda bin_: -bin_[1])[:MOST_BINS]
    return [{"value": value, "count": count, "ratio": count / total} for value, count in bins]


def _equal_bins(numbers: pa.ChunkedArray) -> list[tuple[str, int]]:
    """Bins of finite numbers, each with its count; none if the numbers lie too close together for
    so many bins."""
    import numpy as np

    finite = numbers.filter(pc.is_finite(numbers)).to_numpy()
    try:
        # halved, because the distance between two numbers can be more than a number can be
        found, edges = np.histogram(finite / 2, MOST_BINS)
    except ValueError:
        return []
    ends = [f"{edge:.6g}" for edge in (edges * 2).tolist()]
    labels = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
    return list(zip(labels, found.tolist(), strict=True))


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
