"""What handlers answer with: the types, the user of this Hopsworks, and Hopsworks' list
document."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

# A JSON object or list, a finished response, or nothing (status 204)
Answer = dict[str, Any] | list[Any] | Response | None
USER = {"username": "local", "email": "local@localhost", "firstName": "Local", "lastName": "User"}


def items(rows: list[Any]) -> dict[str, Any]:
    """The list document of every Hopsworks service."""
    return {"count": len(rows), "items": rows}
