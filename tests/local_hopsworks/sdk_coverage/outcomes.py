"""What becomes of a method or a command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Row:
    """One line of COVERAGE.md."""

    name: str
    outcome: str  # works, refused, refused by the SDK, fails
    remark: str = ""
