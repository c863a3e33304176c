"""Secrets: the SDK's SecretsApi against the embedded server, and what of them lies on disk."""

from __future__ import annotations

import base64
import sqlite3
import stat
import subprocess

import hopsworks
import pytest
import requests
from hopsworks.client.exceptions import RestAPIError

from local_hopsworks import Server
from local_hopsworks.errors import HopsworksError
from local_hopsworks.security import Security
from tests import rest

VALUE = "the-moon-is-made-of-cheese"


@pytest.fixture
def secrets_api(project):
    return hopsworks.get_secrets_api()


def test_secret_is_read_back_by_its_name(secrets_api, name):
    created = secrets_api.create_secret(name, VALUE)
    assert (created.name, created.value, created.visibility) == (name, VALUE, "PRIVATE")
    assert secrets_api.get(name) == secrets_api.get_secret(name).value == VALUE


def test_list_names_secrets_without_their_values(secrets_api, name):
    secrets_api.create_secret(name, VALUE)
    found = {secret.name: secret for secret in secrets_api.get_secrets()}[name]
    assert found.value is None and found.owner == "local" and found.created


def test_deleted_secret_is_gone_and_its_name_free(secrets_api, name):
    secrets_api.create_secret(name, VALUE).delete()
    assert secrets_api.get_secret(name) is None
    assert secrets_api.create_secret(name, "another").value == "another"


def test_name_that_is_taken_is_refused_and_the_first_value_stays(secrets_api, name):
    secrets_api.create_secret(name, VALUE)
    with pytest.raises(RestAPIError) as refused:
        secrets_api.create_secret(name, "another")
    assert (refused.value.response.status_code, refused.value.error_code) == (409, 160049)
    assert "another" not in str(refused.value)
    assert secrets_api.get(name) == VALUE


@pytest.mark.parametrize("odd", ["a?b", "a#b", "100 %", "a%2Fb", "é 日本", "a\nb", "'", "...", "+"])
def test_secret_of_an_odd_name_can_be_got_and_deleted(secrets_api, odd):
    secrets_api.create_secret(odd, VALUE)
    assert secrets_api.get(odd) == VALUE
    secrets_api.get_secret(odd).delete()
    assert secrets_api.get_secret(odd) is None


@pytest.mark.parametrize("bad", [".", "..", "shared"])
def test_secret_that_could_not_be_got_again_is_refused(secrets_api, bad):
    with pytest.raises(RestAPIError, match=f"No secret can be called '{bad}'"):
        secrets_api.create_secret(bad, VALUE)
    assert bad not in [secret.name for secret in secrets_api.get_secrets()]


def test_file_comes_back_byte_for_byte(secrets_api, name, tmp_path):
    (tmp_path / "key").write_bytes(bytes(range(256)))
    secrets_api.create_secret_from_file(name, str(tmp_path / "key"))
    assert base64.b64decode(secrets_api.get(name)) == bytes(range(256))


def test_only_a_secret_shared_with_a_project_is_found_through_its_owner(secrets_api, server, name):
    secrets_api.create_secret(name, VALUE)
    secrets_api.create_secret(f"{name}_shared", VALUE, project=server.project)
    assert secrets_api.get_secret(name, owner="local") is None
    assert secrets_api.get_secret(f"{name}_shared", owner="nobody") is None
    assert secrets_api.get_secret(f"{name}_shared", owner="local").value == VALUE


@pytest.mark.parametrize(
    "bad", [{"name": ""}, {"name": "a/b"}, {"secret": ""}, {"secret": "x" * 9001}]
)
def test_impossible_name_or_value_is_refused_with_a_sentence(api, name, bad):
    answer = api(
        "POST",
        "/users/secrets",
        json={"name": name, "secret": VALUE, "visibility": "PRIVATE", **bad},
    )
    assert (
        answer.status_code == 400
        and VALUE not in answer.text
        and len(answer.json()["errorMsg"]) < 300
    )


@pytest.mark.parametrize("path", ["/users/secrets", "/users/secrets/anything"])
def test_without_the_key_no_secret_is_shown(server, path):
    with requests.Session() as stranger:
        answer = stranger.get(f"{server.address}/hopsworks-api/api{path}", verify=False, timeout=60)
    assert answer.status_code == 401


def test_value_is_in_no_file_of_the_store_no_page_and_no_log(secrets_api, server, name, caplog):
    caplog.set_level("DEBUG")
    secrets_api.create_secret(name, VALUE)
    with rest.session(server) as browser:
        browser.get(server.page, timeout=60)
        page = browser.get(f"{server.address}/account/secrets", timeout=60).text
    assert name in page and VALUE not in page
    assert VALUE not in caplog.text
    with sqlite3.connect(server.store.metadata_file) as database:
        database.execute("PRAGMA wal_checkpoint(FULL)")
    database.close()
    assert str(server.store.metadata_file) in files_with(name, server)
    assert files_with(VALUE, server) == []


def files_with(text, server):
    """Another program looks: to read a database in the server's own process would end SQLite's
    locks on it (sqlite.org/howtocorrupt.html, 2.2)."""
    command = ["grep", "-rlaF", "--no-messages", "--", text, server.store.home]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.splitlines()


def test_key_of_secrets_is_readable_by_its_owner_only(server):
    assert stat.S_IMODE((server.store.security / "secrets_key").stat().st_mode) == 0o600


def test_store_from_before_there_were_secrets_gets_a_key_that_stays(tmp_path):
    Server(tmp_path).stop()
    (tmp_path / "security" / "secrets_key").unlink()
    encrypted = Security(tmp_path / "security", lambda: tmp_path / "draft").encrypt(VALUE)
    assert stat.S_IMODE((tmp_path / "security" / "secrets_key").stat().st_mode) == 0o600
    assert Security(tmp_path / "security", lambda: tmp_path / "draft").decrypt(encrypted) == VALUE


def test_secret_of_a_lost_key_is_refused_with_a_sentence(tmp_path):
    Server(tmp_path).stop()
    encrypted = Security(tmp_path / "security", lambda: tmp_path / "draft").encrypt(VALUE)
    (tmp_path / "security" / "secrets_key").unlink()
    with pytest.raises(HopsworksError, match="another key"):
        Security(tmp_path / "security", lambda: tmp_path / "draft").decrypt(encrypted)
