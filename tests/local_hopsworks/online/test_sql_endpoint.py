"""The SQL endpoint: whom it lets in, which statements it answers, and what strangers can do to
it."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time

import pandas as pd
import pymysql
import pytest
import requests

from local_hopsworks.online import mysql_wire, sql_endpoint

WAIT = {"wait_for_online_ingestion": True}
PORT = 3306


@pytest.fixture(scope="module")
def group(feature_store):
    group = feature_store.create_feature_group(
        "endpoint_people", 1, primary_key=["id"], online_enabled=True
    )
    rows = pd.DataFrame({"id": range(5), "name": ["Ann", "Bob", "Cy", "Di", "O'Neil"]})
    group.insert(rows, storage="online", write_options=WAIT)
    return group


@pytest.fixture(scope="module")
def connector(api, group):
    """Host, user and password, as the server tells them to those who have its key."""
    path = "/project/1/featurestores/1/storageconnectors/onlinefeaturestore"
    told = api("GET", path).json()
    arguments = {each["name"]: each["value"] for each in told["arguments"]}
    host = told["connectionString"].removeprefix("jdbc:mysql://").partition(":")[0]
    return {"host": host, "connect_timeout": 60, **arguments}


@pytest.fixture(scope="module")
def statements(api, feature_store, group):
    """The statement for one key, and for many."""
    feature_store.create_feature_view("endpoint_people", group.select(["id", "name"]), 1)
    path = "/project/1/featurestores/1/featureview/endpoint_people/version/1/preparedstatement"
    found = {}
    for batch in ("false", "true"):
        answer = api("GET", path, params={"batch": batch}).json()
        found[batch] = answer["items"][0]["queryOnline"]
    return found["false"], found["true"]


@pytest.fixture
def ask(connector):
    """Send a statement as PyMySQL does, and return the rows."""

    def query(statement, **options):
        with (
            pymysql.connect(**{**connector, "database": "tests", **options}) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall())

    return query


# Who is let in


@pytest.mark.parametrize(
    "wrong", [{"password": "guess"}, {"password": ""}, {"user": "root"}, {"user": ""}]
)
def test_a_wrong_user_or_password_is_refused(ask, wrong):
    with pytest.raises(pymysql.err.OperationalError, match="Access denied") as refusal:
        ask("SELECT 1", **wrong)
    assert refusal.value.args[0] == 1045


def test_tls_is_not_offered(ask):
    with pytest.raises(pymysql.err.OperationalError, match="SSL is required"):
        ask("SELECT 1", ssl={"ssl": True})


def test_it_listens_on_one_loopback_address_alone(connector, server):
    listening = server._hopsworks.part(sql_endpoint.SqlEndpoint)._server.socket.getsockname()
    assert listening == (connector["host"], PORT)
    assert connector["host"].startswith("127.") and connector["host"] != "127.0.0.1"


def test_the_connector_is_for_those_who_have_the_key(server):
    path = "/hopsworks-api/api/project/1/featurestores/1/storageconnectors/onlinefeaturestore"
    answer = requests.get(server.address + path, verify=str(server.store.security / "ca.pem"))
    assert answer.status_code == 401


# Which statements are answered


def test_a_statement_that_was_handed_out_is_answered(ask, statements):
    one, many = statements
    assert ask(one.replace("?", "1")) == [(1, "Bob")]
    assert ask(one.replace("?", "99")) == []
    assert sorted(ask(many.replace("?", "((3), (4), (3))"))) == [(3, "Di"), (4, "O'Neil")]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM endpoint_people_1",
        "SELECT * FROM `tests`.`endpoint_people_1`",
        "SELECT name FROM sqlite_master",
        "SELECT * FROM information_schema.tables",
        "SELECT load_file('/etc/passwd')",
        "SELECT load_extension('x')",
        "DROP TABLE endpoint_people_1",
        "DELETE FROM `tests`.`endpoint_people_1`",
        "INSERT INTO `tests`.`endpoint_people_1` VALUES (1, 'x')",
        "ATTACH DATABASE '/tmp/x' AS x",
        "PRAGMA writable_schema = 1",
        "SET GLOBAL x = 1",
        "COMMIT; DROP TABLE x",
    ],
)
def test_other_statements_are_refused(ask, statement):
    with pytest.raises(pymysql.err.MySQLError, match="Only the statements"):
        ask(statement)


@pytest.mark.parametrize(
    "value",
    [
        "1 OR 1=1",
        "1 OR `fg0`.`id` > 0",
        "1 UNION SELECT 1, 2",
        "(SELECT 1)",
        "'x' OR '1'='1'",
        "1; DROP TABLE x",
        "1 /* */",
        "1 -- ",
        "`fg0`.`id`",
        "'\\' OR 1=1 -- '",
        "1e9999",
        "?",
        "x'00'",
        "1, 2",
    ],
)
def test_a_value_cannot_become_a_condition(ask, statements, value):
    try:
        found = ask(statements[0].replace("?", value))
    except pymysql.err.MySQLError:
        found = []
    assert found == []


def test_a_value_cannot_leave_its_list(ask, statements):
    for value in (
        "((1)) OR (1=1)",
        "(SELECT 1)",
        "((1), (SELECT 2))",
        "(1) UNION SELECT 1, 2",
        "()",
    ):
        with pytest.raises(pymysql.err.MySQLError):
            ask(statements[1].replace("?", value))


def test_a_statement_with_a_changed_signature_or_shape_is_refused(ask, statements):
    one = statements[0].replace("?", "1")
    signature = one.split("/* ")[1][:32]
    changed = [
        one.replace(signature, "0" * 32),
        one.replace("`name`", "`id`"),
        one.replace("`tests`", "`other`"),
        one.partition(" /*")[0],
        one.replace("WHERE", "WHERE 1 OR"),
    ]
    for statement in changed:
        with pytest.raises(pymysql.err.MySQLError, match="Only the statements"):
            ask(statement)


def test_a_value_of_the_wrong_type_is_refused_with_a_sentence(ask, statements):
    with pytest.raises(pymysql.err.ProgrammingError, match=r"'Ann' is no value of the feature id"):
        ask(statements[0].replace("?", "'Ann'"))


def test_a_store_of_its_own_signs_its_own_statements(ask, statements, tmp_path):
    from local_hopsworks import Server
    from local_hopsworks.online import statements as signing

    with Server(tmp_path, project="tests") as other:
        shape = statements[0].partition(" /*")[0]
        foreign = signing.signed(other._hopsworks.security, shape)
    with pytest.raises(pymysql.err.MySQLError, match="Only the statements"):
        ask(foreign.replace("?", "1"))


def test_statements_are_answered_after_a_restart_of_the_server(tmp_path):
    """A client keeps its statements and its password, and finds the server where it was."""
    from local_hopsworks import Server
    from local_hopsworks.online import statements as signing

    with Server(tmp_path, project="tests") as first:
        endpoint = first._hopsworks.part(sql_endpoint.SqlEndpoint)
        known = (endpoint.host, endpoint.password)
        signed = signing.signed(first._hopsworks.security, "SELECT `fg0`.`id` AS `id`")
    with Server(tmp_path, project="tests") as second:
        endpoint = second._hopsworks.part(sql_endpoint.SqlEndpoint)
        assert (endpoint.host, endpoint.password) == known
        assert signing.received(second._hopsworks.security, signed)


def test_two_servers_of_one_store_have_an_address_each(tmp_path):
    from local_hopsworks import Server

    with Server(tmp_path, project="tests") as one, Server(tmp_path, project="tests") as other:
        hosts = {server._hopsworks.part(sql_endpoint.SqlEndpoint).host for server in (one, other)}
        assert len(hosts) == 2


def test_a_port_that_is_taken_is_said_with_what_to_do_instead(tmp_path, monkeypatch):
    from local_hopsworks import Server
    from local_hopsworks.errors import HopsworksError

    # Elsewhere than on Linux there is one loopback address, and another program may have its port
    monkeypatch.setattr(sql_endpoint.sys, "platform", "darwin")
    with socket.socket() as taken, Server(tmp_path, project="tests") as server:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        with pytest.raises(HopsworksError, match="init_rest_client=True"):
            server._hopsworks.part(sql_endpoint.SqlEndpoint)


# Strangers


@pytest.fixture
def stranger(connector):
    """Connect without logging in; returns what the server sent until it closed."""
    connections = []

    def connect():
        connection = socket.create_connection((connector["host"], PORT), 60)
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


def until_closed(connection):
    received = b""
    try:
        while part := connection.recv(4096):
            received += part
    except ConnectionError:
        pass
    return received


@pytest.mark.parametrize(
    "data",
    [
        random.Random(1).randbytes(3000),
        b"\xff\xff\xff\x01" + bytes(100_000),
        b"\x00\x00\x00\x01",
        b"\x05\x00\x00\x01abcde",
        struct.pack("<I", 40 | 1 << 24) + struct.pack("<I", 0x80000) + bytes(36),
        struct.pack("<I", 36 | 1 << 24) + struct.pack("<I", 0x80000) + b"x" * 32,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_no_login_end_the_connection(stranger, ask, data):
    connection = stranger()
    with contextlib.suppress(OSError):  # it may have ended the connection already
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    assert b"Access denied" not in until_closed(connection)[:4]
    assert ask("SELECT 1") == [(1,)]


def test_a_login_that_does_not_come_is_not_waited_for(stranger, monkeypatch):
    monkeypatch.setattr(mysql_wire, "LOGIN_SECONDS", 0.3)
    silent, dripping = stranger(), stranger()
    with contextlib.suppress(OSError):  # it may have ended the connection already
        for _ in range(3):
            dripping.sendall(b"\x10")
            time.sleep(0.05)
    for connection in (silent, dripping):
        assert until_closed(connection).endswith(b"mysql_native_password\0")  # only the greeting


def test_a_login_may_come_in_pieces(stranger):
    connection = stranger()
    connection.recv(4096)
    capabilities = struct.pack("<IIB23x", 0x80000 | 0x8000 | 0x200, 2**24, 255)
    login = capabilities + b"online\0" + b"\x14" + bytes(20) + b"mysql_native_password\0"
    packet = struct.pack("<I", len(login) | 1 << 24) + login
    for byte in packet:
        connection.sendall(bytes((byte,)))
    assert b"Access denied" in until_closed(connection)


def test_silent_strangers_do_not_keep_a_client_out(stranger, ask, statements):
    for _ in range(300):
        stranger()
    assert ask(statements[0].replace("?", "2")) == [(2, "Cy")]


def test_one_connection_too_many_is_refused(stranger, ask, monkeypatch):
    monkeypatch.setattr(sql_endpoint, "MOST_CONNECTIONS", 0)
    assert b"too many connections" in until_closed(stranger())
    monkeypatch.undo()
    assert ask("SELECT 1") == [(1,)]


def test_a_client_that_breaks_off_ends_nothing_else(connector, ask, statements):
    for _ in range(20):
        connection = pymysql.connect(**connector, database="tests")
        connection._sock.sendall(b"\xff\x00\x00\x00\x03SEL")
        connection._sock.close()
    assert ask(statements[0].replace("?", "0")) == [(0, "Ann")]


def test_a_packet_that_is_too_large_is_refused(connector):
    connection = pymysql.connect(**connector, database="tests")
    connection._sock.sendall(b"\xff\xff\xff\x00")
    assert b"bytes here" in until_closed(connection._sock)


def test_many_clients_at_once_get_each_their_own(ask, statements):
    wrong = []

    def work(number):
        for turn in range(30):
            wanted = (number + turn) % 5
            found = ask(statements[0].replace("?", str(wanted)))
            if [row[0] for row in found] != [wanted]:
                wrong.append((number, found))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
