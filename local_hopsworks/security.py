"""Keys of one store: a certificate authority with a server and a client certificate, the API key,
the keys that sign tickets and encrypt secrets.

Made once per store and kept, so that a client survives a restart of the server. The HTTPS and the
query service share the server certificate; the SDK fetches the client's over HTTPS with its API key
(`/credentials`) and shows it to the query service (mutual TLS).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local_hopsworks import certificates, disk, java_key_stores
from local_hopsworks.errors import SECRET_ENCRYPTION, HopsworksError
from local_hopsworks.home import StoreError

LOOPBACK = "127.0.0.1"
DOMAIN = certificates.DOMAIN
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
_OF_CLIENT = {  # the SDK's files in a client's certificate folder, and their names in credentials()
    "ca_chain.pem": "caChain",
    "client_cert.pem": "clientCert",
    "client_key.pem": "clientKey",
    "material_passwd": "password",
    "keyStore.jks": "kStore",
    "trustStore.jks": "tStore",
}


class Security:
    """The keys that lie in `folder`; made on first use, safely even when several processes start at
    once.

    A `host` other than 127.0.0.1 has certificates of its own, in a folder of its name.
    """

    def __init__(self, folder: Path, new_draft: Callable[[], Path], host: str = LOOPBACK) -> None:
        self.folder, self._certificates = folder, folder if host == LOOPBACK else folder / host
        if not folder.is_dir():
            _create(folder, new_draft(), {**certificates.new(LOOPBACK), **_new_keys()})
        if not self._certificates.is_dir():
            _create(self._certificates, new_draft(), certificates.new(host))
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
            # All at once: another server may renew them, and this one's must go together
            with _one_at_a_time(self._certificates):
                certificates.renew(self._certificates, host, new_draft)
                files = [path for path in self._certificates.iterdir() if path.is_file()]
                self._content = {path.name: path.read_bytes() for path in files}
        except OSError as error:
            raise StoreError(f"The keys in {folder} cannot be read: {error.strerror}.") from error

    def file(self, name: str) -> Path:
        """A certificate or its key."""
        return self._certificates / name

    def read(self, name: str) -> bytes:
        """The content of a certificate or its key, as it was when this server started."""
        return self._content[name]

    def is_api_key(self, candidate: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(candidate.encode(), self.api_key.encode())

    @property
    def client_password(self) -> str:
        """What a client has only if it was handed its certificate here, with the API key. The SDK
        shows it to the query service where it sends no signature."""
        return self.sign("client certificate")[:32]

    def is_client_password(self, candidate: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(candidate.encode(), self.client_password.encode())

    def credentials(self) -> dict[str, str]:
        """What the SDK writes into its certificate folder: for the query service as PEM, and for
        Kafka as Java key stores."""
        authority = self.read("ca.pem")
        certificate, key = self.read("client.pem"), self.read("client.key")
        password = self.client_password
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

    def hand_out(self, folder: Path) -> None:
        """Put the credentials where a client looks for them, under the SDK's names, if one is
        missing. Of several programs that share a folder, the first to end takes all away."""
        if all((folder / name).exists() for name in _OF_CLIENT):
            return
        found = self.credentials()
        disk.make_folder(folder)
        for name, key in _OF_CLIENT.items():
            content = found[key].encode()
            if name.endswith(".jks"):
                content = base64.b64decode(content)
            with contextlib.suppress(FileExistsError):
                disk.write_new(folder / name, content)

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
    """All files in a new folder, which then takes its place in one rename. If another process was
    faster, its files stay."""
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


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other programs that do something to a folder, and make them wait."""
    with disk.Lock(folder):
        yield


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
