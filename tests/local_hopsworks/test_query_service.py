"""The query service: every question is signed or shows what only a client with the API key was
handed, and readers that stop reading hold little."""

import json
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from local_hopsworks.certificates import QUERY_SERVICE_NAME
from local_hopsworks.offline import training_files
from local_hopsworks.offline.plan import Table
from local_hopsworks.offline.query_service import _Answering
from local_hopsworks.offline.service import Queries


@pytest.fixture
def client(server):
    """A client with the certificate of the store, and nothing else."""
    keys = server.store.security
    with flight.FlightClient(
        f"grpc+tls://{server._hopsworks.part(Queries).address}",
        override_hostname=QUERY_SERVICE_NAME,
        tls_root_certs=(keys / "ca.pem").read_text(),
        cert_chain=(keys / "client.pem").read_text(),
        private_key=(keys / "client.key").read_text(),
    ) as connected:
        yield connected


def options(password):
    shown = json.dumps({"kstore": "", "tstore": "", "cert_key": password}).encode()
    headers = [] if password is None else [(b"x-certificates-json", shown)]
    return flight.FlightCallOptions(timeout=120, headers=headers)


@pytest.fixture
def training_data(feature_store, name):
    """The path of training data of two rows, as the SDK asks for it, and its view."""
    group = feature_store.get_or_create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    view = feature_store.create_feature_view(name, group.select_all(), version=1)
    view.create_training_data(data_format="parquet")
    return f"/Projects/tests/tests_Training_Datasets/{name}_1_1/{name}_1", view


def read(client, path, password):
    ticket = flight.Ticket(json.dumps({"path": path}))
    return client.do_get(ticket, options(password)).read_all()


def test_training_data_is_read_by_whoever_was_handed_a_certificate(client, server, training_data):
    path, view = training_data
    handed = server._security.credentials()["password"]
    assert sorted(read(client, path, handed)["id"].to_pylist()) == [1, 2]
    assert len(view.get_training_data(1)[0]) == 2  # as the SDK does it


@pytest.mark.parametrize("password", [None, "", "0" * 32, 5, None])
def test_certificate_alone_reads_no_training_data(client, training_data, password):
    with pytest.raises(flight.FlightServerError, match="does not come from a client of this Hop"):
        read(client, training_data[0], password)


def test_key_of_the_api_is_not_what_the_query_service_wants(client, server, training_data):
    with pytest.raises(flight.FlightServerError, match="does not come from a client of this Hop"):
        read(client, training_data[0], server.api_key[:16])


@pytest.mark.parametrize("header", [b"", b"{", b"[]", b'"x"', b"5", b"{}", b'{"cert_key": null}'])
def test_header_that_makes_no_sense_is_refused(client, training_data, header):
    ticket = flight.Ticket(json.dumps({"path": training_data[0]}))
    shown = flight.FlightCallOptions(timeout=60, headers=[(b"x-certificates-json", header)])
    with pytest.raises(flight.FlightServerError, match="does not come from a client of this Hop"):
        client.do_get(ticket, shown).read_all()


@pytest.mark.parametrize("password", [None, "0" * 32])
def test_certificate_alone_writes_no_training_data(client, server, training_data, password, name):
    request = {"query": {}, "fv_name": name, "fv_version": 1, "tds_version": 1}
    action = flight.Action("create-training-dataset", json.dumps(request).encode())
    folder = server.store.dataset("tests", training_data[0])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(flight.FlightServerError, match="does not come from a client of this Hop"):
        list(client.do_action(action, options(password)))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_read_of_a_feature_group_that_is_deleted_meanwhile_says_so(
    api, client, feature_store, name, tmp_path
):
    """Between the question over HTTPS and that for the rows, and while these are sent."""
    group = feature_store.get_or_create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1]}))
    query = {"leftFeatureGroup": {"id": group.id}, "leftFeatures": [{"name": "id"}]}
    planned = api("PUT", "/project/1/featurestores/query?hqs=True", json=query).json()
    ticket = flight.Ticket(json.dumps({"query": planned["hqsPayload"]}))
    signature = planned["hqsPayloadSignature"].encode()
    signed = flight.FlightCallOptions(timeout=60, headers=[(b"hopsworks-signature", signature)])
    assert len(client.do_get(ticket, signed).read_all()) == 1
    group.delete()
    with pytest.raises(flight.FlightServerError, match=f"No data found: .* with id {group.id}"):
        client.do_get(ticket, signed).read_all()
    gone = Table(1, "gone_1", (tmp_path / "gone").as_uri(), None, None, ())
    sentence = "No data found for featuregroup gone_1: it has just been deleted. Details:"
    with pytest.raises(flight.FlightServerError, match=sentence), _Answering("a read", [gone]):
        raise pa.ArrowInvalid("part-0.parquet not found")


READERS, ROWS, COLUMNS = 25, 1_000_000, 8
MOST_PER_READER = 4 * training_files.STREAMED_ROWS * COLUMNS * 8  # bytes: four batches


@pytest.mark.long
def test_readers_of_training_data_that_stop_reading_hold_a_few_batches(client, server, name):
    values = np.random.default_rng(0).random((ROWS, COLUMNS))
    table = pa.table({f"x{column}": values[:, column] for column in range(COLUMNS)})
    training_files.write(table, server.store.dataset("tests", f"Resources/{name}"), "parquet")
    password = server._security.credentials()["password"]
    ticket = flight.Ticket(json.dumps({"path": f"/Projects/tests/Resources/{name}"}))
    before = pa.total_allocated_bytes()
    readers = [client.do_get(ticket, options(password)) for _ in range(READERS)]
    chunks = [reader.read_chunk() for reader in readers]
    held = (pa.total_allocated_bytes() - before) / READERS
    assert held < MOST_PER_READER < table.nbytes / 10
    rest = readers[0].read_all()
    assert pa.concat_tables([pa.Table.from_batches([chunks[0].data]), rest]).equals(table)
    for reader in readers[1:]:
        reader.cancel()


ROW_GROUP = 1 << 20  # rows; delta-rs starts another after so many


@pytest.mark.long
def test_reader_of_a_feature_group_that_stops_reading_holds_four_row_groups(feature_store, name):
    values = np.arange(8 * ROW_GROUP)
    rows = pd.DataFrame({"id": values, "x": values / 7})
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], statistics_config=False)
    group.insert(rows)
    before = pa.total_allocated_bytes()
    with group.select_all().read_batches() as batches:
        first = next(batches)
        time.sleep(2)  # in which all of them would be decoded
        held = pa.total_allocated_bytes() - before
        rest = pa.Table.from_batches([first, *batches]).to_pandas()
    assert held < 4.5 * ROW_GROUP * 16
    pd.testing.assert_frame_equal(rest, rows)
    group.delete()
