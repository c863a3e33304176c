"""The two Java key stores (JKS) out of which the SDK takes its keys for Kafka.

The format is Sun's own: entries, then a salted SHA-1 of them all, which Java and the SDK check on
opening. A private key is hidden with a stream of SHA-1 digests; that is no protection, and the
password travels beside it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
import time

_MAGIC, _VERSION = 0xFEEDFEED, 2
_PRIVATE_KEY, _TRUSTED_CERTIFICATE = 1, 2  # kinds of entries
_SALT = b"Mighty Aphrodite"  # of the digest of the whole store; Java's choice
# The identifier of Sun's way to hide a private key, in DER: 1.3.6.1.4.1.42.2.17.1.1, no parameters
_KEY_PROTECTOR = bytes.fromhex("300e060a2b060104012a021101010500")
_SEQUENCE, _OCTET_STRING = 0x30, 0x04  # tags of DER


def key_store(password: str, key: bytes, certificate: bytes) -> bytes:
    """A key store with a private key (PKCS #8) and its certificate, both in PEM."""
    chain = struct.pack(">I", 1) + _certificate(certificate)
    hidden = _hidden(_der(key), password)
    return _store(password, _PRIVATE_KEY, "client", _sized(hidden) + chain)


def trust_store(password: str, authority: bytes) -> bytes:
    """A key store with the certificate of an authority, in PEM."""
    return _store(password, _TRUSTED_CERTIFICATE, "ca", _certificate(authority))


def _store(password: str, kind: int, alias: str, content: bytes) -> bytes:
    milliseconds = struct.pack(">Q", int(time.time() * 1000))
    header = struct.pack(">IIII", _MAGIC, _VERSION, 1, kind)
    body = header + _text(alias) + milliseconds + content
    return body + hashlib.sha1(_utf_16(password) + _SALT + body).digest()


def _hidden(key: bytes, password: str) -> bytes:
    """A private key as Sun hides it: salt, the key under a stream of digests, a digest to check."""
    salt = secrets.token_bytes(20)
    stream, digest = b"", salt
    while len(stream) < len(key):
        digest = hashlib.sha1(_utf_16(password) + digest).digest()
        stream += digest
    covered = bytes(ours ^ theirs for ours, theirs in zip(key, stream, strict=False))
    proof = hashlib.sha1(_utf_16(password) + key).digest()
    protected = _tagged(_OCTET_STRING, salt + covered + proof)
    return _tagged(_SEQUENCE, _KEY_PROTECTOR + protected)


def _tagged(tag: int, content: bytes) -> bytes:
    """DER: tag, length, content."""
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + struct.pack(">H", size)
    return bytes([tag]) + length + content


def _certificate(pem: bytes) -> bytes:
    return _text("X.509") + _sized(_der(pem))


def _der(pem: bytes) -> bytes:
    first = pem.decode().partition("-----END")[0]  # of several certificates
    return base64.b64decode("".join(first.strip().splitlines()[1:]))


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _sized(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _utf_16(password: str) -> bytes:
    return password.encode("utf-16-be")
