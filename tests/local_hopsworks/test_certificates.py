"""Certificates are valid whatever the clock says, and those of earlier versions are renewed in
time."""

import datetime
import logging
import sys
from pathlib import Path

import pytest
from cryptography import x509

from local_hopsworks import Server, certificates

NAMES = ("ca.pem", "server.pem", "client.pem")
UTC = datetime.timezone.utc
PROGRAM = Path(__file__).with_name("programs") / "reads_and_writes.py"


@pytest.fixture
def home(tmp_path):
    """A store that has been used once."""
    with Server(tmp_path / "store"):
        pass
    return tmp_path / "store"


def valid(start, end):
    """Certificates as this version makes them, with another validity."""
    patched = pytest.MonkeyPatch()
    patched.setattr(certificates, "VALID_FROM", start)
    patched.setattr(certificates, "VALID_UNTIL", end)
    try:
        return certificates.new("127.0.0.1")
    finally:
        patched.undo()


def put(home, files, names):
    for name in names:
        (home / "security" / name).write_bytes(files[name])


def now(**later):
    return (datetime.datetime.now(UTC) + datetime.timedelta(**later)).replace(microsecond=0)


def keep(start, end):
    """The validity of what a store of an earlier version has: ten years from a day before."""
    return valid(now(**start), now(**end))


def span(home, name):
    found = x509.load_pem_x509_certificate((home / "security" / name).read_bytes())
    return found.not_valid_before_utc, found.not_valid_after_utc


def insert_and_read(run, server):
    return run(sys.executable, PROGRAM, env=server.environment)


def test_new_certificates_are_valid_by_any_clock(home):
    for name in NAMES:
        start, end = span(home, name)
        assert start.year == 1970 and end.year == 9999


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ({"days": -3651}, {"days": -1}),  # eleven years on
        ({"days": 2}, {"days": 3650}),  # the clock was put back
        ({"days": -3300}, {"days": 300}),  # nearly over
    ],
)
def test_certificates_of_the_wrong_time_are_renewed_and_that_is_said(start, end, home, run, caplog):
    files = keep(start, end)
    put(home, files, files)
    first, last = (moment.date() for moment in span(home, "server.pem"))
    caplog.set_level(logging.WARNING, "local_hopsworks")
    with Server(home) as server:
        assert insert_and_read(run, server).stdout.endswith("2 rows\n")
    [said] = [message for message in caplog.messages if str(home) in message]
    assert f"are valid from {first} to {last}, and it is" in said
    for name in NAMES:
        assert span(home, name)[1].year == 9999
    caplog.clear()
    with Server(home):
        assert str(home) not in caplog.text


@pytest.mark.parametrize("name", NAMES)
def test_one_certificate_of_the_wrong_time_is_enough(name, home, run):
    put(home, keep({"days": -3651}, {"days": -1}), [name])
    with Server(home) as server:
        assert insert_and_read(run, server).stdout.endswith("2 rows\n")


def test_certificates_that_are_valid_stay_as_they_are(home):
    files = keep({"days": -1}, {"days": 3650})
    put(home, files, files)
    with Server(home):
        pass
    for name, content in files.items():
        assert (home / "security" / name).read_bytes() == content


def test_what_is_no_certificate_is_renewed(home, run):
    (home / "security" / "client.pem").write_text("no certificate")
    with Server(home) as server:
        assert insert_and_read(run, server).stdout.endswith("2 rows\n")


def test_server_that_runs_while_another_renews_them_goes_on_with_its_clients(home, run):
    files = keep({"days": -1}, {"days": 3650})
    put(home, files, files)
    with Server(home) as before:
        api_key = before.api_key
        insert_and_read(run, before)
        expired = keep({"days": -3651}, {"days": -1})  # as the next program sees them, by its clock
        put(home, expired, ["client.pem"])
        with Server(home) as after:
            assert after.api_key == api_key
            for server in (before, after):
                done = insert_and_read(run, server)
                assert done.stdout.endswith("2 rows\n"), done.stderr[-2000:]
