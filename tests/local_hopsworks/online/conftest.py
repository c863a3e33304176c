"""What the tests of the online feature store share: groups that are online, and what is in their
tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_hopsworks.online import online_table
from local_hopsworks.online.store import OnlineStore

WAIT = {"wait_for_online_ingestion": True}


@pytest.fixture(scope="session")
def online_store(server: Any) -> Iterator[OnlineStore]:
    """The online store of the tests' project, opened once more beside the server's."""
    store = OnlineStore(server.store.online(server.project))
    yield store
    store.close()


@pytest.fixture
def online_rows(online_store: OnlineStore, name: str) -> Callable[..., list[dict[str, Any]] | None]:
    """The rows that are in the online table of the test's group, with Python's values, in the order
    of their keys; None if there is no table."""

    def rows(group: str = name, version: int = 1) -> list[dict[str, Any]] | None:
        with online_store.transaction(write=False) as db:
            table = online_store.find_version(db, group, version)
            if table is None:
                return None
            found = list(online_table.scan(db, table, table.names))
        return [
            {
                column.name: column.value(value)
                for column, value in zip(table.columns, row, strict=True)
            }
            for row in found
        ]

    return rows


@pytest.fixture
def online_group(feature_store: Any, name: str) -> Callable[..., Any]:
    """An online feature group under the test's own name."""

    def create(**options: Any) -> Any:
        return feature_store.get_or_create_feature_group(
            name, version=1, **{"primary_key": ["id"], "online_enabled": True, **options}
        )

    return create
