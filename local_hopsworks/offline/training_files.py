"""Training data as files: how rows are dealt out to splits, and how a split is written."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from local_hopsworks.errors import HopsworksError
from local_hopsworks.offline.errors import UNSUPPORTED_DATA_FORMAT

STREAMED_ROWS = 1 << 14  # in a batch
PAGE_BYTES = 1 << 16  # a reader holds two pages of each column, which would be of 1 MiB
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def random_split(table: pa.Table, shares: list[float], seed: int) -> list[pa.Table]:
    """Rows dealt out by `shares` (the last gets the rest) in an order that only the seed
    decides."""
    order = list(range(len(table)))
    random.Random(seed).shuffle(order)
    parts, start = [], 0
    for position, share in enumerate(shares):
        end = len(order) if position == len(shares) - 1 else start + int(len(order) * share)
        parts.append(table.take(pa.array(sorted(order[start:end]), pa.int64())))
        start = end
    return parts


def write(table: pa.Table, folder: Path, data_format: str) -> None:
    """One file in a new folder; `data_format` is parquet, csv or tsv. Raises HopsworksError for a
    column that the format cannot hold."""
    if data_format == "parquet":
        folder.mkdir(parents=True)
        pyarrow.parquet.write_table(
            table,
            folder / "part-0.parquet",
            data_page_size=PAGE_BYTES,
            dictionary_pagesize_limit=PAGE_BYTES,
        )
        return
    for field in table.schema:
        if pa.types.is_nested(field.type) or _is_bytes(field.type):
            raise HopsworksError(
                f"The feature {field.name!r} is {field.type}, which {data_format} cannot hold; "
                "write the training data as parquet, or leave the feature out.",
                UNSUPPORTED_DATA_FORMAT,
            )
    folder.mkdir(parents=True)
    options = pyarrow.csv.WriteOptions(delimiter=_DELIMITERS[data_format])
    pyarrow.csv.write_csv(table, folder / f"part-0.{data_format}", options)


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_fixed_size_binary(type_)
    )


def stream(path: Path) -> pa.RecordBatchReader:
    """The rows of a Parquet file, or of all in a folder, decoded a few at a time: a reader that has
    stopped reading holds no more of them."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    opened = [pyarrow.parquet.ParquetFile(file, memory_map=True) for file in files]

    def batches() -> Iterator[pa.RecordBatch]:
        for file in opened:
            yield from file.iter_batches(STREAMED_ROWS, use_threads=False)

    return pa.RecordBatchReader.from_batches(opened[0].schema_arrow, batches())


def read(folder: Path, data_format: str) -> pa.Table:
    """What `write` wrote."""
    if data_format == "parquet":
        return pyarrow.parquet.read_table(folder / "part-0.parquet")
    options = pyarrow.csv.ParseOptions(delimiter=_DELIMITERS[data_format], newlines_in_values=True)
    convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    file = folder / f"part-0.{data_format}"
    return pyarrow.csv.read_csv(file, parse_options=options, convert_options=convert)
