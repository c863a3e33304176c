"""What `local_hopsworks check` looks at in the secrets: those that cannot be decrypted."""

from __future__ import annotations

from collections.abc import Iterator

from local_hopsworks.errors import HopsworksError
from local_hopsworks.faults import Fault
from local_hopsworks.metadata import Metadata
from local_hopsworks.secrets.tables import secrets
from local_hopsworks.security import Security
from local_hopsworks.store import Store


def faults(store: Store, metadata: Metadata) -> Iterator[Fault]:
    """The secrets that were encrypted with another key."""
    with metadata.transaction(write=False) as db:
        rows = db.execute(secrets.select()).all()
    if rows and store.security.is_dir():
        security = Security(store.security, store.new_draft)
        for row in rows:
            try:
                security.decrypt(row.value)
            except HopsworksError:
                what = (
                    f"The secret {row.name!r} was encrypted with another key than that in "
                    f"{store.security}."
                )
                yield Fault(
                    what, "Put back the file secrets_key, or delete the secret and create it anew."
                )
