"""The certificates of one store: an authority, and what it signed for the server and its clients.

No clock is outside of their time: they are for one machine, and secret keys are made anew by
deleting them.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import logging
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from local_hopsworks import disk

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_log = logging.getLogger("local_hopsworks")
# for service discovery; the SDK expects the query service to have a certificate in this name
DOMAIN = "local"
QUERY_SERVICE_NAME = f"flyingduck.service.{DOMAIN}"
_UTC = datetime.timezone.utc
VALID_FROM = datetime.datetime(1970, 1, 1, tzinfo=_UTC)
VALID_UNTIL = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=_UTC)  # RFC 5280: has no end
# Earlier versions made them for ten years, and a server may run for long
_RENEW_BEFORE = datetime.timedelta(days=365)
_CERTIFICATES = ("ca.pem", "server.pem", "client.pem")
# Two times side by side in DER (UTCTime or GeneralizedTime) are the validity. To import
# cryptography.x509 for them would cost every login 0.05 s.
_TIME = rb"(?:\x17\x0d(\d{12})|\x18\x0f(\d{14}))Z"
_VALIDITY = re.compile(_TIME + _TIME)


def renew(folder: Path, host: str, new_draft: Callable[[], Path]) -> None:
    """Make new certificates in `folder` if one is not valid yet, or not for much longer.

    The earlier authority stays known beside the new one: servers and clients that have started
    before go on together.
    """
    now = datetime.datetime.now(_UTC)
    spans = [_validity((folder / name).read_bytes()) for name in _CERTIFICATES]
    if all(start <= now and now + _RENEW_BEFORE <= end for start, end in spans):
        return
    start, end = max(span[0] for span in spans), min(span[1] for span in spans)
    _log.warning(
        "The certificates in %s are valid from %s to %s, and it is %s by this machine's clock: "
        "new ones were made. Programs that are connected log in again.",
        folder,
        start.date(),
        end.date(),
        now.date(),
    )
    earlier = (folder / "ca.pem").read_bytes()
    for name, content in new(host).items():
        draft = new_draft()
        disk.write_new(draft, content + earlier if name == "ca.pem" else content)
        disk.replace(draft, folder / name)


def _validity(certificate: bytes) -> tuple[datetime.datetime, datetime.datetime]:
    """From when to when the first certificate of a PEM file is valid; never if it is none."""
    found = re.search(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", certificate, re.DOTALL)
    times = _VALIDITY.search(base64.b64decode(found[1])) if found else None
    if times is None:
        return VALID_UNTIL, VALID_FROM
    return _moment(times[1] or times[2]), _moment(times[3] or times[4])


def _moment(text: bytes) -> datetime.datetime:
    century = b"" if len(text) == 14 else b"19" if text >= b"50" else b"20"
    return datetime.datetime.strptime((century + text).decode(), "%Y%m%d%H%M%S").replace(
        tzinfo=_UTC
    )


def new(host: str) -> dict[str, bytes]:
    """The files of an authority, a server on `host` and a client, by name."""
    from cryptography import x509  # takes 0.1 s, and only a new store needs it
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority_key = _new_key()
    # OpenSSL looks for an authority by its name: the one before must have another
    name = f"local_hopsworks authority {secrets.token_hex(4)}"
    authority = _certificate(name, authority_key, None, authority_key)
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
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
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
