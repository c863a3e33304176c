"""The metadata of one store (SQLite through SQLAlchemy): what exists. The bytes lie in dataset
storage and the Delta tables.

Each service declares its tables in its module `tables.py`, with the helpers here; no list names
them. Columns are what this server searches by; `document` is the rest of the object as the SDK sent
it.

One transaction per request: a reading one sees one state, a writing one takes SQLite's write lock
at its start, so two processes that create the next version of something wait for each other.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Integer, String, UniqueConstraint

from local_hopsworks import disk
from local_hopsworks.errors import HopsworksError
from local_hopsworks.home import StoreError
from local_hopsworks.sqlite import BUSY_SECONDS, use_write_ahead_log

_tables = sa.MetaData()


def table(name: str, *columns: Column[Any]) -> sa.Table:
    """A table of things with ids, which are never reused (AUTOINCREMENT)."""
    identifier = Column("id", Integer, primary_key=True)
    return sa.Table(name, _tables, identifier, *columns, sqlite_autoincrement=True)


def versioned_table(name: str, parent: str, *columns: Column[Any]) -> sa.Table:
    """A table of things with a name and a version that belong to a row of the table `parent`, and
    end with it."""
    owner = ForeignKey(f"{parent}.id", ondelete="CASCADE")
    made = table(
        name,
        Column("parent_id", Integer, owner, nullable=False),
        Column("name", String, nullable=False),
        Column("version", Integer, nullable=False),
        Column("document", sa.JSON, nullable=False),
        *columns,
    )
    made.append_constraint(UniqueConstraint("parent_id", "name", "version"))
    return made


def child_table(name: str, parent: str, *columns: Column[Any]) -> sa.Table:
    """A table of things that belong to a row of the table `parent`, and end with it."""
    owner = ForeignKey(f"{parent}.id", ondelete="CASCADE")
    return table(
        name,
        Column("parent_id", Integer, owner, nullable=False, index=True),
        Column("document", sa.JSON, nullable=False),
        *columns,
    )


def attached_table(name: str, *columns: Column[Any]) -> sa.Table:
    """A table of named facts that hang on a thing of any kind. Its column `owner` says on which,
    such as feature_groups/3; see `forget()`."""
    key = [Column(column, String, primary_key=True) for column in ("owner", "name")]
    return sa.Table(name, _tables, *key, *columns)


# Writes that take more than one transaction or one rename; see unfinished.py.
unfinished = table(
    "unfinished",
    Column("server", String, nullable=False),
    Column("client", String, nullable=False),
    Column("action", String, nullable=False),
    Column("path", String, nullable=False),  # inside the store
    Column("document", sa.JSON, nullable=False),
)


class Metadata:
    """The database of one store."""

    def __init__(self, file: Path) -> None:
        _import_tables()
        self._engine = sa.create_engine(
            # As text, its ? and % would mean something
            sa.URL.create("sqlite", database=str(file)),
            pool_size=8,
            max_overflow=64,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            hide_parameters=True,  # what is stored does not reach a log with an error
        )
        sa.event.listen(self._engine, "connect", _configure)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            # SQLite would leave its mode, and that of its journals, to the umask
            disk.make_file(file)
            with self.transaction(write=True) as db:
                _tables.create_all(db)
                for index in _indexes():  # a table of an older store lacks the newer ones
                    db.execute(sa.schema.CreateIndex(index, if_not_exists=True))
        except sa.exc.DatabaseError as error:
            raise StoreError(f"The metadata in {file} cannot be used: {error.orig}.") from error
        except OSError as error:
            raise StoreError(f"The metadata in {file} cannot be used: {error.strerror}.") from error

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[sa.Connection]:
        """A connection whose changes are all kept at the end, or, if an error escapes, none."""
        with self._engine.connect().execution_options(writes=write) as db, db.begin():
            yield db

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _import_tables() -> None:
    """Import every service's `tables.py`, so that no table is missing in a new database."""
    folder = Path(__file__).parent
    for module in pkgutil.iter_modules([str(folder)]):
        name = f"local_hopsworks.{module.name}.tables"
        if module.ispkg and importlib.util.find_spec(name):
            importlib.import_module(name)


def _indexes() -> Iterator[sa.Index]:
    for declared in _tables.tables.values():
        yield from declared.indexes


def _configure(connection: Any, _record: object) -> None:
    # the driver must not begin transactions of its own; see _begin
    connection.isolation_level = None
    use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous=FULL")  # what is answered survives a power cut
    connection.execute("PRAGMA fullfsync=ON")  # on macOS too; elsewhere it means nothing
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN"
    )


def insert_version(
    db: sa.Connection,
    table: sa.Table,
    parent_id: int,
    name: str,
    version: int | None,
    document: dict[str, Any],
    taken: HopsworksError | None = None,
    **columns: Any,
) -> sa.Row[Any]:
    """Add a thing under `version`, or under the next free one; raises `taken` if the version is.

    Without `taken`, the caller has looked before whether the version is free."""
    if version is None:
        highest = sa.select(sa.func.coalesce(sa.func.max(table.c.version), 0)).where(
            table.c.parent_id == parent_id, table.c.name == name
        )
        version = db.scalar(highest) + 1  # type: ignore[operator]  # coalesce leaves no NULL
    values = {
        "parent_id": parent_id,
        "name": name,
        "version": version,
        "document": document,
        **columns,
    }
    try:
        key = db.execute(table.insert().values(**values)).inserted_primary_key
    except sa.exc.IntegrityError as error:
        raise (taken or error) from error
    assert key is not None
    return db.execute(table.select().where(table.c.id == key[0])).one()


def forget(db: sa.Connection, owner: str) -> None:
    """Remove what hangs on `owner` (its tags, keywords, statistics) and on everything below it."""
    for attached in _tables.tables.values():
        column = attached.c.get("owner")
        if column is not None:
            below = column.startswith(f"{owner}/", autoescape=True)
            db.execute(attached.delete().where(sa.or_(column == owner, below)))
