"""Run a plan: DuckDB over the Delta tables, in memory only, as a stream of Arrow record batches."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from local_hopsworks.query import delta
from local_hopsworks.query.plan import Plan
from local_hopsworks.query.sql import alias, to_sql

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1 << 17
_CONFIGURATION = {  # a query reads the tables that are registered for it, and nothing else there is
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_databases: list[Any] = []
_database_lock = threading.Lock()


def stream(plan: Plan) -> pa.RecordBatchReader:
    """The rows of a plan, computed as they are read. Raises HopsworksError if a table has no data."""
    import pyarrow.dataset as pads

    tables = [delta.read(table.location, table.name, table.features, table.as_of, table.since) for table in plan.tables]
    if plan.is_projection and isinstance(tables[0], pads.Dataset):  # half of DuckDB's work, which would only copy
        columns = {name: pads.field(column.name) for column, name in plan.columns}
        return tables[0].scanner(columns, batch_size=BATCH_ROWS, batch_readahead=4, fragment_readahead=2).to_reader()
    connection = _database().cursor()  # what is registered in one is not seen in another
    for position, table in enumerate(tables):
        connection.register(alias(position), table)
    return connection.sql(to_sql(plan)).to_arrow_reader(BATCH_ROWS)


def _database() -> Any:
    """One for all queries: to set one up takes longer than to find a row among millions."""
    with _database_lock:  # programs ask at the same moment, and each database would have threads of its own
        if not _databases:
            import duckdb  # 0.2 s, and only this needs it

            database = duckdb.connect(":memory:", config=_CONFIGURATION)
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            # DuckDB does not know how many rows an Arrow dataset has: for few it joins as of a time by a nested loop
            database.execute("SET GLOBAL asof_loop_join_threshold = 0")
            _databases.append(database)
        return _databases[0]


def table(plan: Plan) -> pa.Table:
    """All rows of a plan at once."""
    with closing(stream(plan)) as reader:
        return reader.read_all()
