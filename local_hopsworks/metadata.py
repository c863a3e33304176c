"""The metadata tables (SQLite through SQLAlchemy): what exists; the bytes lie in dataset storage
and the Delta tables.

Columns are what this server searches by; `document` is the rest of the object as the SDK sent it.
One transaction per
request: a reading one sees one state, a writing one takes SQLite's write lock at its start, so two
processes that create the next version of something wait for each other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Integer, String, UniqueConstraint

from local_hopsworks.store import StoreError

BUSY_SECONDS = 30
_tables = sa.MetaData()


def _versioned(name: str, parent: str, *columns: Column[Any]) -> sa.Table:
    """A table of things with a name and a version; ids are never reused (AUTOINCREMENT)."""
    return sa.Table(
        name,
        _tables,
        Column("id", Integer, primary_key=True),
        Column(
            "parent_id", Integer, ForeignKey(f"{parent}.id", ondelete="CASCADE"), nullable=False
        ),
        Column("name", String, nullable=False),
        Column("version", Integer, nullable=False),
        Column("document", sa.JSON, nullable=False),
        *columns,
        UniqueConstraint("parent_id", "name", "version"),
        sqlite_autoincrement=True,
    )


def _below(name: str, parent: str, *columns: Column[Any]) -> sa.Table:
    """A table of things that belong to one thing and end with it; ids are never reused."""
    return sa.Table(
        name,
        _tables,
        Column("id", Integer, primary_key=True),
        Column(
            "parent_id",
            Integer,
            ForeignKey(f"{parent}.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        Column("document", sa.JSON, nullable=False),
        *columns,
        sqlite_autoincrement=True,
    )


projects = sa.Table(
    "projects",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True, nullable=False),
    Column("created", String, nullable=False),
    sqlite_autoincrement=True,
)
feature_groups = _versioned("feature_groups", "projects")
feature_views = _versioned("feature_views", "projects")
training_datasets = _versioned("training_datasets", "feature_views")
transformation_functions = _versioned("transformation_functions", "projects")
# The uid reaches clients as the model's id: unique over all stores, because the SDK caches
# downloads on disk by it.
models = _versioned("models", "projects", Column("uid", String, unique=True, nullable=False))
jobs = _versioned("jobs", "projects")

# The runner is the server that has the execution's process; see runner.py.
executions = _below("executions", "jobs", Column("runner", String, nullable=False))
# `due` is the next time to run the job, in ms since 1970; NULL while it is paused or when it is
# over.
job_schedules = _below("job_schedules", "jobs", Column("due", Integer, nullable=True, index=True))
expectation_suites = _below("expectation_suites", "feature_groups")
expectations = _below("expectations", "expectation_suites")
validation_reports = _below("validation_reports", "feature_groups")
# One expectation's outcome in a report; the history of an expectation is asked for by its id.
validation_results = _below(
    "validation_results",
    "validation_reports",
    Column("expectation_id", Integer, nullable=True, index=True),
)
secrets = sa.Table(
    "secrets",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True, nullable=False),
    Column("value", String, nullable=False),  # encrypted; see security.py
    Column("document", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)

# What hangs on a thing of any kind; `owner` is e.g. "feature_groups/3".
tags = sa.Table(
    "tags",
    _tables,
    Column("owner", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),  # JSON text, as the SDK sends and expects it
)
keywords = sa.Table(
    "keywords",
    _tables,
    Column("owner", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("created", String, nullable=False),
)
statistics = sa.Table(
    "statistics",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("owner", String, nullable=False, index=True),
    Column("document", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)
# Writes that take more than one transaction or one rename; see unfinished.py.
unfinished = sa.Table(
    "unfinished",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("server", String, nullable=False),
    Column("client", String, nullable=False),
    Column("action", String, nullable=False),
    Column("path", String, nullable=False),  # inside the store
    Column("document", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)

tables = _tables.tables  # by name


class Metadata:
    """The database of one store."""

    def __init__(self, file: Path) -> None:
        self._engine = sa.create_engine(
            f"sqlite:///{file}",
            pool_size=8,
            max_overflow=64,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            hide_parameters=True,  # what is stored does not reach a log with an error
        )
        sa.event.listen(self._engine, "connect", _configure)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            with self.transaction(write=True) as db:
                _tables.create_all(db)
        except sa.exc.DatabaseError as error:
            raise StoreError(f"The metadata in {file} cannot be used: {error.orig}.") from error

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[sa.Connection]:
        """A connection whose changes are all kept at the end, or, if an error escapes, none."""
        with self._engine.connect().execution_options(writes=write) as db, db.begin():
            yield db

    def close(self) -> None:
        self._engine.dispose()


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = (
        None  # the driver must not begin transactions of its own; see _begin
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
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
    **columns: Any,
) -> sa.Row[Any]:
    """Add a thing under `version`, or under the next free one; IntegrityError if the version is
    taken."""
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
    key = db.execute(table.insert().values(**values)).inserted_primary_key
    assert key is not None
    return db.execute(table.select().where(table.c.id == key[0])).one()


def forget(db: sa.Connection, owner: str) -> None:
    """Remove the tags, keywords and statistics of `owner` and of everything below it."""
    for table in (tags, keywords, statistics):
        db.execute(
            table.delete().where(
                sa.or_(
                    table.c.owner == owner, table.c.owner.startswith(f"{owner}/", autoescape=True)
                )
            )
        )
