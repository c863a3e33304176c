"""The rows of a Delta table as it is now.

Without bounds Arrow reads them: all cores decode, and the rows stay in their order. For bounds on a
column Delta's own engine does (DataFusion, inside deltalake): of the files and pages that
statistics leave, it reads only what it needs, so a row among ten million takes 10 ms. Arrow would
decode a whole row group for it.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hopsworks.offline import delta
from local_hopsworks.offline.plan import Column, Filter, Table
from local_hopsworks.offline.sql import ROWS, to_scan

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads

BATCH_ROWS = 1 << 15  # so few that one batch is sent while the next is made
MOST_OPEN = 64  # tables


@dataclass(frozen=True)
class _Opened:
    state: Hashable
    table: Any  # a DeltaTable
    files: list[str]
    schema: pa.Schema
    engine: Any


class OpenTables:
    """The tables that a server has read, each kept open until its next commit: to read the log
    takes longer than to find a row."""

    def __init__(self) -> None:
        self._opened: dict[Path, _Opened] = {}

    def rows(
        self,
        table: Table,
        columns: Sequence[tuple[Column, str]],
        bounds: Sequence[Filter] = (),
    ) -> pa.RecordBatchReader:
        """These columns, by these names, of the rows within the bounds, in the order in which the
        table has them.

        A feature that the table lacks is NULL. Raises NotFound if nothing was ever inserted.
        """
        folder = delta.must_find(table.location, table.name)
        opened = self._open(folder, table.name)
        if not bounds:
            return _all(delta.rows(opened.table, folder, table), columns)
        delta.must_have(folder, table.name, opened.files)
        return _within(bounds, opened, columns, table)

    def _open(self, folder: Path, name: str) -> _Opened:
        state = _state(folder)
        opened = self._opened.get(folder)
        if opened is None or state is None or state != opened.state:
            opened = self._opened[folder] = _open_anew(folder, name, state)
            if len(self._opened) > MOST_OPEN:
                self._opened.pop(next(iter(self._opened)), None)
        return opened


def _all(dataset: pads.Dataset, columns: Sequence[tuple[Column, str]]) -> pa.RecordBatchReader:
    import pyarrow.dataset as pads

    scanner = dataset.scanner(
        {name: pads.field(column.name) for column, name in columns},
        batch_size=BATCH_ROWS,
        batch_readahead=1,  # least memory: for a client that stops reading, four row groups
        fragment_readahead=0,
        fragment_scan_options=pads.ParquetFragmentScanOptions(
            pre_buffer=False, use_buffered_stream=True
        ),
    )
    return scanner.to_reader()


def _within(
    bounds: Sequence[Filter],
    opened: _Opened,
    columns: Sequence[tuple[Column, str]],
    table: Table,
) -> pa.RecordBatchReader:
    import pyarrow as pa

    missing = delta.missing_fields(opened.schema, table.features)
    fields = {field.name: field for field in (*opened.schema, *missing)}
    schema = pa.schema([fields[column.name].with_name(name) for column, name in columns])
    statement = to_scan(columns, bounds, {field.name for field in missing})
    reader = pa.RecordBatchReader.from_stream(opened.engine.execute(statement))
    # they differ where Delta's engine has views of strings
    return reader if reader.schema.equals(schema) else reader.cast(schema)


def _state(folder: Path) -> Hashable:
    """What tells one state of a table from any other, even if the table was written anew in the
    same folder; None if it has just been deleted or cleared."""
    try:
        newest = max(
            name for name in os.listdir(folder / "_delta_log") if delta.COMMIT.fullmatch(name)
        )
        file = (folder / "_delta_log" / newest).stat()
    except (FileNotFoundError, ValueError):
        return None
    return newest, file.st_ino, file.st_size, file.st_mtime_ns


def _open_anew(folder: Path, name: str, state: Hashable) -> _Opened:
    import pyarrow as pa
    from deltalake import QueryBuilder

    table = delta.open_table(folder, name)
    files = [urllib.parse.unquote(file) for file in table.get_add_actions()["path"].to_pylist()]
    engine = QueryBuilder().register(ROWS, table)
    # several would mix up the order of the rows
    engine.execute("SET datafusion.execution.target_partitions = 1")
    return _Opened(state, table, files, pa.schema(table.schema().to_arrow()), engine)
