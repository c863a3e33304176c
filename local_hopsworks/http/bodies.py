"""The bodies of requests: how large they may be, and how they become Python values."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request
from starlette.types import Message

from local_hopsworks.errors import HopsworksError
from local_hopsworks.http import shapes

LARGEST_BODY = 64 * 2**20  # bytes of JSON; the SDK's largest are statistics, some hundred KiB
LARGEST_CHUNK = 128 * 2**20  # bytes of a file in one request; the SDK sends 10 MiB
LARGEST_UPLOAD = LARGEST_CHUNK + 2**20  # with the form around it


async def read(request: Request, takes_text: bool) -> Any:
    """The body: a form, a JSON value, or None if there is none. With `takes_text`, a body that
    says it is text, or is no JSON, is a str."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _at_most(LARGEST_UPLOAD, request).form(max_files=1, max_fields=20)
    found = await content(request)
    if not found:
        return None
    if takes_text and request.headers.get("content-type", "").startswith("text/plain"):
        return found.decode(errors="replace")
    try:
        return parsed(found.decode())
    except (ValueError, RecursionError) as error:
        if takes_text:
            return found.decode(errors="replace")
        raise HopsworksError("The body is not JSON.") from error


async def content(request: Request) -> bytes:
    """The body as it came."""
    return await _at_most(LARGEST_BODY, request).body()


def an_object(body: Any) -> dict[str, Any]:
    """The body, which must be a JSON object."""
    if not isinstance(body, dict):
        raise HopsworksError("This call needs a JSON object as its body.")
    return body


def parsed(text: str) -> Any:
    """JSON that the database can hold and any client can read back; raises ValueError or
    HopsworksError."""
    # NaN and infinity are no JSON, yet Python clients send them (a metric, a statistic): they
    # become null.
    found = json.loads(
        text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_in_64_bits
    )
    if "\\ud" in text.lower():
        # half a surrogate pair is a UnicodeEncodeError, which is a ValueError
        json.dumps(found, ensure_ascii=False).encode()
    opened = text.count("{") + text.count("[")
    if opened > shapes.DEEPEST and shapes.is_deeper(found, shapes.DEEPEST):
        raise HopsworksError(
            f"Lists and objects in a body can be nested at most {shapes.DEEPEST} deep."
        )
    return found


def _at_most(size: int, request: Request) -> Request:
    """The request with a body that ends in a refusal where it gets larger than `size` bytes."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > size:
            raise HopsworksError(f"The body is larger than {size // 2**20} MiB.", status=413)
        return message

    return Request(request.scope, receive)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _in_64_bits(text: str) -> int | float | None:
    number = int(text) if len(text) < 20 else 2**63
    return number if -(2**63) <= number < 2**63 else _finite(text)
