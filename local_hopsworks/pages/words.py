"""Numbers, sizes and times as people say them: the filters of the templates."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from typing import Any

UTC = datetime.timezone.utc


@dataclass(frozen=True)
class Moment:
    """A time in words, and the exact one."""

    words: str  # such as «2 minutes ago»
    exact: str  # such as «28 November 2026, 17:47:03 UTC»
    iso: str


def moment(time: object) -> Moment | None:
    """A time as Hopsworks keeps it: ms since 1970 or ISO 8601. None if it is neither."""
    import humanize  # only pages need it

    found = _parsed(time)
    if found is None:
        return None
    now = datetime.datetime.now(UTC)
    words = "just now" if abs(now - found).total_seconds() < 5 else humanize.naturaltime(found)
    exact = f"{found.day} {found:%B %Y, %H:%M:%S} UTC"
    return Moment(words, exact, found.isoformat(timespec="seconds"))


def _parsed(time: object) -> datetime.datetime | None:
    try:
        if isinstance(time, int | float):
            return datetime.datetime.fromtimestamp(time / 1000, UTC)
        if isinstance(time, str):
            found = datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def duration(milliseconds: float | None) -> str:
    """Such as «3 minutes and 20 seconds»; empty for none."""
    import humanize

    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} seconds"
    return humanize.precisedelta(datetime.timedelta(milliseconds=milliseconds), format="%.0f")


def size(bytes_: int) -> str:
    """Such as «1.1 MB»."""
    import humanize

    return humanize.naturalsize(bytes_)


def counted(count: int, noun: str) -> str:
    """Such as «1 row» or «1,204 rows»."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def number(value: Any) -> str:
    """A number in at most five significant digits, or any other value as text."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    if isinstance(value, bool) or not math.isfinite(found):
        return str(value)
    if found == int(found) and abs(found) < 1e15:
        return f"{int(found):,}"
    return f"{found:,.1f}" if 1000 <= abs(found) < 1e15 else f"{found:.4g}"


def rounded(count: int) -> str:
    """A count that is only about right, in two digits: such as «48,000»."""
    return f"{round(count, 2 - len(str(count))):,}"


def short(value: Any) -> str:
    """A number or a cell, whichever the value is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return number(value) if is_number else cell(value)


def as_json(value: Any) -> str:
    """A value as JSON: on one line if it fits, else indented."""
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 60 else json.dumps(value, indent=2, ensure_ascii=False)


def cell(value: Any) -> str:
    """One value of a table of rows, short enough to stand in a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
