"""The offline half of a stream feature group: from its Kafka topic into its Delta table.

The program of the job `{group}_{version}_offline_fg_materialization`, which the SDK runs after an
insert: `python -m local_hopsworks.online.materialise --group ID`. On Hopsworks it is Hudi's
DeltaStreamer. Every commit of the table says up to which offset it has the topic, so a run that was
killed anywhere is gone on with by the next, and no row is written twice or left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hopsworks import disk
from local_hopsworks.offline import archive
from local_hopsworks.online import arrow, record_batch, subjects, topics
from local_hopsworks.online.avro import BadRow, RowReader
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.record_batch import Run
from local_hopsworks.online.store import OnlineStore
from local_hopsworks.online.topics import KeptBatch

if TYPE_CHECKING:
    import pyarrow as pa

COMMIT_BYTES = 32 * 2**20  # of record batches in one commit
_ATTEMPTS = 10  # at a commit, of which other writers may be the faster
_ONLINE_ONLY = b"online"


@dataclass(frozen=True)
class Target:
    """The Delta table of a stream group."""

    folder: Path
    group_id: int
    partition_key: list[str]


def materialise(store: OnlineStore, table: Table, target: Target) -> int:
    """Write what has come into the topic since the last time; how many rows there were.

    Of several runs at once, one goes on when the other is through.
    """
    total = 0
    with _alone(store.file.with_suffix(f".{table.group_id}.lock")):
        position = _position(store, table, target)
        while True:
            with store.transaction(write=False) as db:
                batches = topics.batches(db, table.topic, 0, position, COMMIT_BYTES)
                rows = _rows(db, table, batches)
            if not batches:
                return total
            position = batches[-1].next
            if rows:
                _commit(table, target, rows, position)
            with store.transaction(write=True) as db:
                topics.set_materialised(db, table.group_id, table.topic, position)
            total += len(rows)


def is_due(store: OnlineStore, table: Table) -> bool:
    """Whether rows wait in the topic that the offline table lacks."""
    with store.transaction(write=False) as db:
        position = topics.materialised(db, table.group_id, table.topic)
        return bool(topics.batches(db, table.topic, 0, position, 1))


def _position(store: OnlineStore, table: Table, target: Target) -> int:
    """Killed between the commit and the note of it, the table knows better than the note: then it
    is noted now."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    with store.transaction(write=False) as db:
        noted = topics.materialised(db, table.group_id, table.topic)
    with contextlib.suppress(TableNotFoundError):
        committed = DeltaTable(target.folder).transaction_version(_application(table)) or 0
        if committed > noted:
            with store.transaction(write=True) as db:
                topics.set_materialised(db, table.group_id, table.topic, committed)
            return committed
    return noted


def _application(table: Table) -> str:
    return f"materialise/{table.topic}"


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    disk.make_file(file)
    with disk.Lock(file):
        yield


# -------------------------------------------------------------------------------------------------
# rows out of the topic


def _rows(db: sqlite3.Connection, table: Table, batches: list[KeptBatch]) -> list[dict[str, Any]]:
    """The rows for the offline table, by feature; of each key the last one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    readers: dict[bytes, RowReader] = {}
    key = [column.name for column in table.key]
    if table.event_time:
        key.append(table.event_time)
    for batch in batches:
        for run in record_batch.read(batch.data).runs:
            if not _is_meant(run, table):
                continue
            subject = run.headers["subjectId"]
            if subject not in readers:
                readers[subject] = _reader(db, table, int(subject))
            for row in _readable(readers[subject], run.values):
                found[tuple(row[name] for name in key)] = row
    return list(found.values())


def _readable(reader: RowReader, encoded: list[bytes]) -> Iterator[dict[str, Any]]:
    """The rows by feature, without those that are no rows of the group."""
    try:
        rows = reader.rows(encoded)
    except BadRow:
        rows = []
        for one in encoded:
            try:
                rows += reader.rows([one])
            except BadRow as error:
                print(f"A row is left out: {error}.", file=sys.stderr)
    for row in rows:
        yield dict(zip(reader.names, row, strict=True))


def _is_meant(run: Run, table: Table) -> bool:
    """Whether records are rows for the offline table of this group."""
    return (
        run.headers.get("featureGroupId") == str(table.group_id).encode()
        and run.headers.get("storage") != _ONLINE_ONLY
        and run.headers.get("operation") != b"delete"
    )


def _reader(db: sqlite3.Connection, table: Table, identifier: int) -> RowReader:
    subject = subjects.find_id(db, identifier, table.group_id)
    if subject is None:
        raise ValueError(f"The topic {table.topic} has rows in a schema that is not known.")
    return RowReader(table, subject.schema)


# -------------------------------------------------------------------------------------------------
# rows into the Delta table


def _commit(table: Table, target: Target, rows: list[dict[str, Any]], position: int) -> None:
    """Insert or update the rows, in one commit that says how far the topic is in the table."""
    from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
    from deltalake.exceptions import CommitFailedError, TableNotFoundError

    data = arrow.table_of(table, rows)
    mark = CommitProperties(app_transactions=[Transaction(_application(table), position)])
    for attempt in range(_ATTEMPTS):
        try:
            existing = DeltaTable(target.folder)
        except TableNotFoundError:
            write_deltalake(
                target.folder,
                data,
                partition_by=target.partition_key or None,
                configuration={"delta.enableChangeDataFeed": "true"},  # as the SDK makes its tables
                commit_properties=mark,
            )
            return
        try:
            with archive.held(target.folder):
                _merge(existing, table, target, data, mark)
            return
        except CommitFailedError:
            if attempt == _ATTEMPTS - 1:
                raise


def _merge(existing: Any, table: Table, target: Target, data: pa.Table, mark: Any) -> None:
    """As the SDK merges: a row is the same if its keys and its event time are."""
    keys = [each.name for each in table.key]
    keys += [name for name in (table.event_time, *target.partition_key) if name]
    condition = " AND ".join(f"target.`{name}` = source.`{name}`" for name in dict.fromkeys(keys))
    merge = existing.merge(
        arrow.as_in(existing, data),
        condition,
        source_alias="source",
        target_alias="target",
        commit_properties=mark,
    )
    merge.when_matched_update_all().when_not_matched_insert_all().execute()


# -------------------------------------------------------------------------------------------------
# the program


def main(arguments: Sequence[str]) -> None:
    """Materialise one feature group of the store in LOCAL_HOPSWORKS_HOME."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--group", type=int, required=True)
    # The SDK says from which offset on there are rows; it is known here
    parser.add_argument("-initialCheckPointString", default="")
    group_id = parser.parse_args(arguments).group
    print(json.dumps({"group": group_id, "rows": _materialise_group(group_id)}))


def _materialise_group(group_id: int) -> int:
    import sqlalchemy as sa

    from local_hopsworks.feature_store.tables import feature_groups
    from local_hopsworks.home import default_home
    from local_hopsworks.metadata import Metadata
    from local_hopsworks.projects.tables import projects
    from local_hopsworks.store import Store

    store = Store(default_home())
    metadata = Metadata(store.metadata_file)
    joined = feature_groups.join(projects, feature_groups.c.parent_id == projects.c.id)
    query = sa.select(feature_groups, projects.c.name.label("project")).select_from(joined)
    same = feature_groups.c.id == group_id
    with metadata.transaction(write=False) as db:
        group = db.execute(query.where(same)).one_or_none()
    if group is None:
        raise SystemExit(f"There is no feature group with id {group_id}.")
    online = OnlineStore(store.online(group.project))
    with online.transaction(write=False) as rows:
        table = online.find_with_topic(rows, group_id)
    if table is None:
        raise SystemExit(f"The feature group {group.name} has no topic.")
    partition_key = [each["name"] for each in group.document["features"] if each.get("partition")]
    folder = store.feature_group(group.project, group.name, group.version, group_id)
    written = materialise(online, table, Target(folder, group_id, partition_key))
    with metadata.transaction(write=True) as db:  # from now on a missing table is a fault
        document = {**group.document, "written": True}
        db.execute(feature_groups.update().where(same).values(document=document))
    online.close()
    metadata.close()
    store.close()
    return written


if __name__ == "__main__":
    main(sys.argv[1:])
