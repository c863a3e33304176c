"""What `local_hopsworks check` looks at in jobs: executions whose server was killed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from local_hopsworks.faults import Fault
from local_hopsworks.jobs import runner
from local_hopsworks.metadata import Metadata
from local_hopsworks.store import Store


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The executions that are marked as running and do not run."""
    with metadata.transaction(write=False) as db:
        lost = runner.lost(db, store)
    for row in lost:
        state = row.document["state"]
        what = f"The execution {row.id} of a job is marked as {state}, but its server was killed."
        yield Fault(what, "it is marked as failed.", partial(runner.recover, store, metadata))
