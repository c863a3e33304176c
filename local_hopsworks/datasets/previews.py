"""What is in a file, a page at a time: no file is ever whole in memory, but for short JSON."""

from __future__ import annotations

import codecs
import csv
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hopsworks.pages.paging import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from local_hopsworks.offline.summary import Head

PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
ROWS = 50  # of a table on a page
TEXT_BYTES = 64 * 2**10  # on a page
JSON_BYTES = 256 * 2**10  # that are laid out; longer JSON is shown as the text it is
_TRIED = 8192  # bytes, to see whether a file is text
_LINE = 2**20  # characters that are taken for one line at most


@dataclass(frozen=True)
class Preview:
    """One of: a picture, rows of a table, text; or why there is nothing to see."""

    kind: str  # picture, table, text or none
    head: Head | None = None
    text: str = ""
    note: str = ""
    window: Window | None = None
    total: int = 0  # rows, or bytes of text; of a CSV file, one more than is shown if it goes on
    total_is_known: bool = True
    things: str = field(default="rows")


def preview(path: Path, query: Any) -> Preview:
    """What there is to see of a file; `query` says which part of it."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return Preview("picture")
    if suffix == ".parquet":
        return _parquet(path, Window.asked(query, ROWS))
    if suffix in (".csv", ".tsv"):
        return _csv(path, Window.asked(query, ROWS), "\t" if suffix == ".tsv" else ",")
    if not _is_text(path):
        return Preview("none", note="There is no preview of this kind of file.")
    if suffix == ".json" and path.stat().st_size <= JSON_BYTES:
        return _json(path)
    return _text(path, Window.asked(query, TEXT_BYTES))


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(_TRIED)
    if b"\0" in start:
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(start, final=len(start) < _TRIED)  # else the last letter may be cut in two
    except UnicodeDecodeError:
        return False
    return True


def _text(path: Path, window: Window) -> Preview:
    with path.open("rb") as file:
        file.seek(window.start)
        text = file.read(window.size).decode(errors="replace")
    size = path.stat().st_size
    return Preview("text", text=text, window=window, total=size, things="bytes")


def _json(path: Path) -> Preview:
    text = path.read_text(errors="replace")
    try:
        return Preview("text", text=json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError) as error:
        return Preview("text", text=text, note=f"This is no valid JSON: {error}.")


def _csv(path: Path, window: Window, delimiter: str) -> Preview:
    from local_hopsworks.offline.summary import Head, HeadColumn

    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(iter(lambda: file.readline(_LINE), ""), delimiter=delimiter)
        try:
            names = next(rows, [])
            asked = itertools.islice(rows, window.start, window.end + 1)
            shown = [tuple(row[: len(names)]) for row in asked]
        except csv.Error as error:
            return Preview("none", note=f"This is no valid CSV: {error}.")
    columns = [
        HeadColumn(name, all(_is_number(row, position) for row in shown))
        for position, name in enumerate(names)
    ]
    total = window.start + len(shown)
    head = Head(columns, shown[: window.size], len(shown) > window.size)
    return Preview("table", head=head, window=window, total=total, total_is_known=False)


def _is_number(row: tuple[str, ...], position: int) -> bool:
    try:
        float(row[position] or 0)
    except (ValueError, IndexError):
        return False
    return True


def _parquet(path: Path, window: Window) -> Preview:
    import pyarrow as pa  # a second that other previews need not wait for
    import pyarrow.parquet as pq

    from local_hopsworks.offline.summary import head_of

    try:
        with pq.ParquetFile(path) as file:
            skipped, batches = _from(file, window.start)
            start = window.start - skipped
            head = head_of(file.schema_arrow, batches, start, window.size)
            return Preview("table", head=head, window=window, total=file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        return Preview("none", note=f"This cannot be read as Parquet: {error}.")


def _from(file: Any, start: int) -> tuple[int, Iterator[pa.RecordBatch]]:
    """The batches of a Parquet file from the row group on that has this row, and how many rows are
    before them."""
    skipped, group = 0, 0
    while group < file.num_row_groups:
        rows = file.metadata.row_group(group).num_rows
        if skipped + rows > start:
            break
        skipped, group = skipped + rows, group + 1
    return skipped, file.iter_batches(1024, range(group, file.num_row_groups))
