"""Keys of one store: a certificate authority with a server and a client certificate, the API key,
the keys that sign tickets and encrypt secrets.

Made once per store and kept, so that a client survives a restart of the server. The HTTPS and the
query service share the server certificate; the SDK fetches the client's over HTTPS with its API key
(`/credentials`) and shows it to the query service (mutual TLS).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hopsworks import disk, java_key_stores
from local_hopsworks.errors import SECRET_ENCRYPTION, HopsworksError
from local_hopsworks.home import StoreError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

LOOPBACK = "127.0.0.1"
# for service discovery; the SDK expects the query service to have a certificate in this name
DOMAIN = "local"
QUERY_SERVICE_NAME = f"flyingduck.service.{DOMAIN}"
LIFETIME = datetime.timedelta(days=3650)
TICKET_SECONDS = 3600
_FILES = (
    "ca.pem",
    "server.pem",
    "server.key",
    "client.pem",
    "client.key",
    "api_key",
    "signing_key",
)
_SECRETS_KEY = "secrets_key"


class Security:
    """The keys that lie in `folder`; made on first use, safely even when several processes start at
    once.

    A `host` other than 127.0.0.1 has certificates of its own, in a folder of its name.
    """

    def __init__(self, folder: Path, new_draft: Callable[[], Path], host: str = LOOPBACK) -> None:
        self.folder, self._certificates = folder, folder if host == LOOPBACK else folder / host
        if not folder.is_dir():
            _create(folder, new_draft(), {**_new_certificates(LOOPBACK), **_new_keys()})
        if not self._certificates.is_dir():
            _create(self._certificates, new_draft(), _new_certificates(host))
        try:
            missing = [name for name in _FILES if not (folder / name).is_file()]
            if missing:
                raise StoreError(
                    f"{folder} lacks {', '.join(missing)}; delete that folder and new keys "
                    "are made."
                )
            self.api_key = (folder / "api_key").read_text().strip()
            self._signing_key = (folder / "signing_key").read_bytes()
            if not (folder / _SECRETS_KEY).is_file():
                _add_secrets_key(folder, new_draft())
            self._secrets_key = (folder / _SECRETS_KEY).read_bytes()
        except OSError as error:
            raise StoreError(f"The keys in {folder} cannot be read: {error.strerror}.") from error

    def file(self, name: str) -> Path:
        """A certificate or its key."""
        return self._certificates / name

    def read(self, name: str) -> bytes:
        """The bytes of a file of keys or certificates."""
        return self.file(name).read_bytes()

    def is_api_key(self, candidate: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(candidate.encode(), self.api_key.encode())

    def credentials(self) -> dict[str, str]:
        """What the SDK writes into its certificate folder: for the query service as PEM, and for
        Kafka as Java key stores."""
        authority = self.read("ca.pem")
        certificate, key = self.read("client.pem"), self.read("client.key")
        password = self.api_key[:16]
        key_store = java_key_stores.key_store(password, key, certificate)
        trust_store = java_key_stores.trust_store(password, authority)
        return {
            "fileExtension": "jks",
            "kStore": base64.b64encode(key_store).decode(),
            "tStore": base64.b64encode(trust_store).decode(),
            "password": password,
            "caChain": authority.decode(),
            "clientCert": certificate.decode(),
            "clientKey": key.decode(),
        }

    def encrypt(self, value: str) -> str:
        """`value` as it may lie on disk."""
        from cryptography.fernet import Fernet  # only secrets need it

        return Fernet(self._secrets_key).encrypt(value.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """What `encrypt` was given; raises HopsworksError if this store's key did not encrypt
        it."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            return Fernet(self._secrets_key).decrypt(encrypted.encode()).decode()
        except InvalidToken as error:
            raise HopsworksError(
                "The secret was encrypted with another key than that in "
                f"{self.folder / _SECRETS_KEY}; create it anew.",
                SECRET_ENCRYPTION,
                500,
            ) from error

    def sign(self, payload: str) -> str:
        """The signature of a text with the store's own key."""
        return hmac.new(self._signing_key, payload.encode(), hashlib.sha256).hexdigest()

    def ticket(self, content: dict[str, Any]) -> str:
        """`content` as ASCII JSON with a time to live; `sign` it and the query service will accept
        it."""
        return json.dumps({**content, "expires": int(time.time()) + TICKET_SECONDS})

    def open_ticket(self, ticket: str, signature: str) -> dict[str, Any]:
        """The content of a ticket this store signed; raises HopsworksError for any other or an
        expired one."""
        if not hmac.compare_digest(signature.encode(), self.sign(ticket).encode()):
            raise HopsworksError("The query was not signed by this Hopsworks.", status=401)
        content: dict[str, Any] = json.loads(ticket)
        if content["expires"] < time.time():
            raise HopsworksError("The query's ticket is over an hour old; ask again.", status=401)
        return content


def _create(folder: Path, draft: Path, files: dict[str, bytes]) -> None:
    """All files in a new folder, which then takes its place in one rename; whoever comes second
    keeps the first's."""
    disk.make_folder(draft)
    for name, content in files.items():
        disk.write_new(draft / name, content)
    try:
        os.rename(draft, folder)
    except OSError:
        for file_path in draft.iterdir():
            file_path.unlink()
        draft.rmdir()
        if not folder.is_dir():
            raise


def _add_secrets_key(folder: Path, draft: Path) -> None:
    """For a store made before there were secrets; of two processes that do it at once, the second
    keeps the first's."""
    disk.write_new(draft, _new_secrets_key())
    try:
        os.link(draft, folder / _SECRETS_KEY)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)


def _new_secrets_key() -> bytes:
    return base64.urlsafe_b64encode(secrets.token_bytes(32))  # what Fernet calls a key


def _new_keys() -> dict[str, bytes]:
    return {
        # A real Hopsworks key is a 16-character prefix, a dot and a 64-character secret.
        "api_key": f"{secrets.token_hex(8)}.{secrets.token_hex(32)}\n".encode(),
        "signing_key": secrets.token_bytes(32),
        _SECRETS_KEY: _new_secrets_key(),
    }


def _new_certificates(host: str) -> dict[str, bytes]:
    from cryptography import x509  # takes 0.1 s, and only a new store needs it
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority_key = _new_key()
    authority = _certificate("local_hopsworks authority", authority_key, None, authority_key)
    names = [
        x509.DNSName("localhost"),
        x509.DNSName(QUERY_SERVICE_NAME),
        x509.IPAddress(ipaddress.ip_address(host)),
    ]
    server_key, client_key = _new_key(), _new_key()
    server = _certificate(
        "local_hopsworks",
        server_key,
        authority,
        authority_key,
        names,
        ExtendedKeyUsageOID.SERVER_AUTH,
    )
    client = _certificate(
        "local_hopsworks client",
        client_key,
        authority,
        authority_key,
        None,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    return {
        "ca.pem": _pem(authority),
        "server.pem": _pem(server),
        "server.key": _key_pem(server_key),
        "client.pem": _pem(client),
        "client.key": _key_pem(client_key),
    }


def _new_key() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName] | None = None,
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """A certificate for `key`; self-signed and an authority when `issuer` is None."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
