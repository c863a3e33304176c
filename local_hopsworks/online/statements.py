"""SQL that this server hands out for the SDK to send back: the prepared statements of feature
views, and the queries of `read(online=True)`.

They are in MySQL's words, as Hopsworks has them, and end in a comment with a signature of their
shape: the text with a question mark for every literal. A statement is answered only if this store
has signed its shape. So a client with the password can change the values in it and nothing else.
The server remembers no statement, because a program may live longer than a server.
"""

from __future__ import annotations

import datetime
import decimal
import hmac
import itertools
import re
from dataclasses import dataclass
from typing import Any

from local_hopsworks.security import Security

_SIGNED = re.compile(r"(.*\S)\s*/\* ([0-9a-f]{32}) \*/[\s;]*", re.DOTALL)
# A name in backticks is no literal, whatever is in it, nor is a number that belongs to a word.
_NAME_OR_LITERAL = re.compile(
    r"`[^`]*`"
    r"|(?:(?P<binary>_binary)|(?P<hex>\bX))?'(?P<text>(?:[^'\\]|\\.|'')*)'"
    r"|(?<![\w`.])(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w`])"
    r"|(?<!IS )(?<!NOT )(?P<null>\bNULL\b)",
    re.DOTALL,
)
_LIST = re.compile(r"\bIN \((?:[?, ]+|(?:\([?, ]+\)[, ]*)+)\)")  # of values, or of rows of values
_LIST_OR_MARK = re.compile(rf"{_LIST.pattern}|\?")
_ESCAPED = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "b": "\b"}


class NotHandedOut(Exception):
    """A statement that this store did not sign."""


@dataclass(frozen=True)
class Received:
    """A statement as a client sent it: its shape, and a value for each question mark in it; for a
    list (`IN ?`) all values of the list in one tuple."""

    shape: str
    values: tuple[Any, ...]


def signed(security: Security, statement: str) -> str:
    """The statement with the signature of its shape."""
    return f"{statement} /* {_signature(security, read(statement).shape)} */"


def received(security: Security, text: str) -> Received:
    """A signed statement with values in the place of its question marks; raises NotHandedOut."""
    parts = _SIGNED.fullmatch(text)
    if parts is None:
        raise NotHandedOut
    found = read(parts[1])
    if not hmac.compare_digest(parts[2], _signature(security, found.shape)):
        raise NotHandedOut
    return found


def read(statement: str) -> Received:
    """The shape and the values of a statement without its signature."""
    literals: list[Any] = []

    def replace(match: re.Match[str]) -> str:
        if match[0][0] == "`":
            return match[0]
        literals.append(_value(match))
        return "?"

    text = _NAME_OR_LITERAL.sub(replace, statement)
    left = iter(literals)
    values = [
        tuple(itertools.islice(left, match[0].count("?"))) if match[0] != "?" else next(left, None)
        for match in _LIST_OR_MARK.finditer(text)
    ]
    return Received(_LIST.sub("IN ?", text), tuple(values))


def _signature(security: Security, shape: str) -> str:
    return security.sign(f"online statement {shape}")[:32]


def _value(match: re.Match[str]) -> Any:
    if match["null"]:
        return None
    if number := match["number"]:
        return int(number) if number.lstrip("-").isdigit() else float(number)
    if match["hex"]:
        return bytes.fromhex(match["text"])
    unescaped = re.sub(r"\\(.)|''", _unescaped, match["text"], flags=re.DOTALL)
    return unescaped.encode("utf-8", "surrogateescape") if match["binary"] else unescaped


def _unescaped(match: re.Match[str]) -> str:
    return "'" if match[1] is None else _ESCAPED.get(match[1], match[1])


def literal(value: Any) -> str:
    """A value as MySQL writes it. Escaping is for people: when the statement comes back, its values
    are taken out of it and bound."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"  # in JSON there is no text for bytes that are no UTF-8
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=None).isoformat(" ")
    escaped = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def name(*parts: str) -> str:
    """A name as MySQL quotes it; names of features, groups and projects have no backticks."""
    return ".".join(f"`{part}`" for part in parts)
