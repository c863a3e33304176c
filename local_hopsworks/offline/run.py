"""Run a plan: Delta's own engine reads the tables, DuckDB does the rest, in memory only, as a
stream of batches."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.offline import history
from local_hopsworks.offline.plan import Column, Plan
from local_hopsworks.offline.present import BATCH_ROWS, OpenTables
from local_hopsworks.offline.sql import ROWS, alias, to_sql

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads

_CONFIGURATION = {  # a query reads the tables that are registered for it, and nothing else there is
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class Engine:
    """Runs the plans of one server; `hopsworks.part(Engine)`. Without a server it runs plans over
    any tables."""

    def __init__(self, hopsworks: Hopsworks | None = None) -> None:
        self._tables = OpenTables()
        self._made: Any = None  # the database
        self._lock = threading.Lock()

    def stream(self, plan: Plan) -> pa.RecordBatchReader:
        """The rows of a plan, computed as they are read. Raises HopsworksError if a table has no
        data."""
        if plan.is_scan:  # DuckDB would only copy
            return self._tables.rows(plan.tables[0], plan.columns, plan.bounds)
        tables = [self._rows(plan, position) for position in range(len(plan.tables))]
        if not plan.joins:
            return self._query(plan, tables)
        from local_hopsworks.offline import joins  # which imports pyarrow

        return joins.join(plan, tables, self._query)

    def table(self, plan: Plan) -> pa.Table:
        """All rows of a plan at once."""
        with closing(self.stream(plan)) as reader:
            return reader.read_all()

    def aggregate(self, plan: Plan, statement: str) -> tuple[Any, ...]:
        """The one row that a SELECT statement over ROWS, the rows of a plan, answers. They are read
        as a stream."""
        connection = self._database().cursor()
        with closing(self.stream(plan)) as reader:
            connection.register(ROWS, reader)
            row: tuple[Any, ...] = connection.execute(statement).fetchone()
            return row

    def stop(self) -> None:
        """Let go of the tables and the database, which end with the last query under way."""
        self._tables = OpenTables()
        self._made = None

    def _query(self, plan: Plan, tables: Sequence[Any]) -> pa.RecordBatchReader:
        """What DuckDB answers to a plan over these tables."""
        connection = self._database().cursor()  # what is registered in one is not seen in another
        for position, table in enumerate(tables):
            connection.register(alias(position), table)
        return connection.sql(to_sql(plan)).to_arrow_reader(BATCH_ROWS)

    def _rows(self, plan: Plan, position: int) -> pads.Dataset | pa.RecordBatchReader:
        """Of one table: what the plan needs of it."""
        table = plan.tables[position]
        if table.is_past:
            return history.rows(table)
        # of a table that only counts, its first feature stands for the rows
        needed = plan.columns_of(position) or [Column(position, *table.features[0])]
        columns = [(column, column.name) for column in needed]
        return self._tables.rows(table, columns, plan.bounds if position == 0 else ())

    def _database(self) -> Any:
        """One for all queries: to set one up takes longer than to find a row among millions, and
        each has threads of its own."""
        with self._lock:  # programs ask at the same moment
            if self._made is None:
                self._made = _new_database()
            return self._made


def _new_database() -> Any:
    import duckdb  # 0.2 s, and only this needs it

    database = duckdb.connect(":memory:", config=_CONFIGURATION)
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    # DuckDB does not know how many rows a stream has: for few it joins as of a time by a nested
    # loop
    database.execute("SET GLOBAL asof_loop_join_threshold = 0")
    return database
