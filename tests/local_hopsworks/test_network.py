"""Beyond this machine: only if that was said to be meant, under a certificate that fits, and
without losing rows."""

import itertools
import sys

import pytest
from cryptography import x509
from hsfs.feature import Feature
from starlette.testclient import TestClient

from local_hopsworks.http.app import create_app
from local_hopsworks.security import Security


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        (
            "192.0.2.1",
            "--host 192.0.2.1 lets other machines in: with the API key they can read, change and",
        ),
        (
            "0.0.0.0",
            "--host 0.0.0.0 is every address of this machine; name the one that others call it by.",
        ),
    ],
)
def test_serving_other_machines_must_be_meant(run, tmp_path, host, sentence):
    done = run(
        sys.executable,
        "-m",
        "local_hopsworks",
        "serve",
        "--home",
        tmp_path / "store",
        "--host",
        host,
    )
    assert done.returncode == 1 and done.stderr.startswith(f"local_hopsworks: {sentence}")
    assert not (tmp_path / "store").exists()


def test_address_that_this_machine_has_not_is_refused_with_a_sentence(run, tmp_path):
    arguments = ("--home", tmp_path / "store", "--host", "192.0.2.1", "--allow-network")
    done = run(sys.executable, "-m", "local_hopsworks", "serve", *arguments)
    assert (
        done.returncode == 1
        and "of 192.0.2.1 cannot be used" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_each_address_has_a_certificate_that_fits_and_the_key_is_the_same(tmp_path):
    folder, drafts = tmp_path / "security", itertools.count()
    keys = {
        host: Security(folder, lambda: tmp_path / str(next(drafts)), host)
        for host in ("127.0.0.1", "203.0.113.9")
    }
    for host, security in keys.items():
        certificate = x509.load_pem_x509_certificate(security.read("server.pem"))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [host]
        authority = x509.load_pem_x509_certificate(security.read("ca.pem"))
        certificate.verify_directly_issued_by(authority)
        assert {
            path.stat().st_mode & 0o777 for path in security.file("ca.pem").parent.glob("*.*")
        } <= {0o600, 0o700}
    assert keys["127.0.0.1"].api_key == keys["203.0.113.9"].api_key
    assert (
        keys["127.0.0.1"].credentials()["caChain"] != keys["203.0.113.9"].credentials()["caChain"]
    )


def test_rows_from_another_machine_are_refused_before_they_end_on_its_disk(
    server, feature_store, name
):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.save([Feature("id", "bigint")])
    path = f"/hopsworks-api/api/project/1/featurestores/1/featuregroups/{group.id}"
    key = {"Authorization": f"ApiKey {server.api_key}"}
    asked = {}
    for host in ("127.0.0.1", "203.0.113.9"):
        client = TestClient(
            create_app(server._hopsworks, server._services), client=(host, 50000), headers=key
        )
        assert client.get(path).status_code == 200
        # What the SDK asks before every insert
        asked[host] = client.get(f"{path}/expectationsuite")
    assert asked["127.0.0.1"].status_code == 200
    assert asked["203.0.113.9"].status_code == 501
    assert "inserting from another machine" in asked["203.0.113.9"].json()["errorMsg"]
