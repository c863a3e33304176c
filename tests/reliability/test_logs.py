"""What the log says: the cause of what the SDK only calls a failure, and never a secret."""

from __future__ import annotations

import logging

import pandas as pd
import pytest
from hopsworks.client.exceptions import FeatureStoreException

from local_hopsworks.pages.access import cookie, token
from local_hopsworks.security import Security


def test_no_secret_is_in_a_log_however_much_is_logged(store_in_use):
    security = Security(store_in_use.home / "security", lambda: pytest.fail("its keys are there"))
    log, sent = (
        store_in_use.log,
        b"".join(request.body or b"" for request in store_in_use.sent).decode(errors="replace"),
    )
    assert "sqlalchemy" in log  # much was
    assert "hidden-value" in sent and "hidden-variable" in sent
    keys = {
        name: security.read(name).decode(errors="replace")
        for name in ("server.key", "client.key", "secrets_key")
    }
    secrets = {
        "API key": security.api_key,
        "its second half": security.api_key.partition(".")[2],
        "the user's secret": "hidden-value",
        "a job's variable": "hidden-variable",
        **{
            name: key.strip().splitlines()[len(key.splitlines()) // 2] for name, key in keys.items()
        },
        "the token of links to pages": token(security),
        "the cookie of browsers": cookie(security)[1],
    }
    assert [name for name, secret in secrets.items() if secret in log] == []
    assert "hopsworks-signature" not in log and '"expires"' not in log  # tickets


@pytest.mark.parametrize("asked", ["all rows", "a join"])
def test_log_has_the_cause_that_the_sdk_hides(feature_store, server, name, caplog, asked):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": range(1000), "x": 0.5}))
    query = group.select_all()
    if asked == "a join":
        query = query.join(group.select(["x"]), on=["id"], prefix="again_")
    (damaged,) = server.store.feature_group("tests", name, 1, group.id).glob("*.parquet")
    content = bytearray(damaged.read_bytes())
    # The footer stays: it is noticed only when rows are read
    content[4:-200] = b"\xff" * (len(content) - 204)
    damaged.write_bytes(content)
    caplog.set_level(logging.WARNING, "local_hopsworks")
    with pytest.raises(
        FeatureStoreException, match="Could not read data using Hopsworks Query Service"
    ):
        query.read()
    (cause,) = [
        record
        for record in caplog.records
        if record.name == "local_hopsworks" and name in record.getMessage()
    ]
    assert cause.levelno == logging.ERROR and cause.exc_info
    assert f"failed at the read of {name}_1" in cause.getMessage() and "parquet" in str(
        cause.exc_info[1]
    )
