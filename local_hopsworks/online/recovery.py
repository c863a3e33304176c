"""What a server does about the online store before it answers: settle what killed servers left."""

from __future__ import annotations

import sqlalchemy as sa

from local_hopsworks.feature_store.tables import feature_groups
from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.jobs import executions
from local_hopsworks.jobs.runner import Runner, Task
from local_hopsworks.jobs.tables import executions as execution_table
from local_hopsworks.jobs.tables import jobs
from local_hopsworks.online import online_table
from local_hopsworks.online.feature_groups import materialization_job
from local_hopsworks.online.kafka import remove_files_of_dead_servers
from local_hopsworks.online.materialise import is_due
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.store import OnlineStore, OnlineStores
from local_hopsworks.projects.tables import projects


def recover(hopsworks: Hopsworks) -> None:
    """Settle the online stores of all projects."""
    remove_files_of_dead_servers(hopsworks)
    with hopsworks.metadata.transaction(write=False) as db:
        rows = db.execute(projects.select()).all()
    for project in rows:
        if hopsworks.store.online(project.name).exists():
            store = hopsworks.part(OnlineStores).of(project.name)
            _remove_orphans(hopsworks, store)
            _purge(store)
            _resume_materialisation(hopsworks, store, project)


def _remove_orphans(hopsworks: Hopsworks, store: OnlineStore) -> None:
    """Remove the tables of groups that were deleted, or whose creation was broken off."""
    with store.transaction(write=False) as db:
        tables = {table.group_id for table in store.all(db)}
    groups = sa.select(feature_groups.c.id)
    with hopsworks.metadata.transaction(write=False) as metadata:
        orphans = tables - set(metadata.scalars(groups))
    if not orphans:
        return
    # No group is created while this transaction lasts
    with hopsworks.metadata.transaction(write=True) as metadata:
        orphans = tables - set(metadata.scalars(groups))
        with store.transaction(write=True) as db:
            for group_id in orphans:
                store.drop(db, group_id)


def _purge(store: OnlineStore) -> None:
    """Remove the rows that are older than the time to live of their group, which nobody sees."""
    with store.transaction(write=False) as db:
        tables = [table for table in store.all(db) if table.online and table.ttl]
    if not tables:
        return
    with store.transaction(write=True) as db:
        for table in tables:
            if online_table.is_there(db, table):
                online_table.purge(db, table)


def _resume_materialisation(
    hopsworks: Hopsworks, store: OnlineStore, project: sa.Row[tuple[int, str]]
) -> None:
    """Run the materialisation of stream groups again where it was broken off."""
    with store.transaction(write=False) as db:
        tables = [table for table in store.all(db) if table.stream]
    tasks = []
    for table in tables:
        if is_due(store, table):
            tasks += _broken_off(hopsworks, table, project)
    for task in tasks:
        hopsworks.part(Runner).start(task)


def _broken_off(hopsworks: Hopsworks, table: Table, project: sa.Row[tuple[int, str]]) -> list[Task]:
    name = materialization_job(table.name, table.version)
    same = jobs.c.parent_id == project.id, jobs.c.name == name
    with hopsworks.metadata.transaction(write=True) as db:
        job = db.execute(jobs.select().where(*same)).one_or_none()
        if job is None:
            return []
        newest = execution_table.select().where(execution_table.c.parent_id == job.id)
        newest = newest.order_by(execution_table.c.id.desc()).limit(1)
        last = db.execute(newest).one_or_none()
        if last is None or last.document["finalStatus"] in ("SUCCEEDED", "UNDEFINED"):
            return []  # a person has not asked for it yet, or it runs
        return [executions.submit(hopsworks, db, project.name, job, None, {})[1]]
