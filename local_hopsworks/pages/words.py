"""Numbers, sizes and times as people say them: the filters of the templates."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from typing import Any

UTC = datetime.timezone.utc
JUST_NOW = 5  # seconds
_UNITS = (  # in seconds
    (365 * 86_400, "year"),
    (30 * 86_400, "month"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
)
_SIZES = ("kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Moment:
    """A time in words, and the exact one."""

    words: str  # such as «2 minutes ago»
    exact: str  # such as «28 November 2026, 17:47:03 UTC»
    iso: str


def moment(time: object) -> Moment | None:
    """A time as Hopsworks keeps it: ms since 1970 or ISO 8601. None if it is neither."""
    found = _parsed(time)
    if found is None:
        return None
    age = (datetime.datetime.now(UTC) - found).total_seconds()
    if abs(age) < JUST_NOW:
        words = "just now"
    else:
        words = f"{_length(age)} ago" if age > 0 else f"in {_length(-age)}"
    exact = f"{found.day} {found:%B %Y, %H:%M:%S} UTC"
    return Moment(words, exact, found.isoformat(timespec="seconds"))


def _length(seconds: float) -> str:
    """A length of time in its greatest unit, such as «2 minutes»."""
    unit, name = next(each for each in _UNITS if seconds >= each[0] or each[0] == 1)
    return counted(int(seconds // unit), name)


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
    """Such as «3 minutes 20 seconds»; empty for none."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} seconds"
    seconds = milliseconds / 1000
    unit, name = next(each for each in _UNITS if seconds >= each[0])
    return f"{counted(int(seconds // unit), name)} {_length(seconds % unit)}"


def size(bytes_: int) -> str:
    """Such as «1.1 MB»."""
    if bytes_ < 1000:
        return counted(bytes_, "byte")
    power = min((len(str(bytes_)) - 1) // 3, len(_SIZES))
    return f"{bytes_ / 1000**power:.1f} {_SIZES[power - 1]}"


def counted(count: int, noun: str) -> str:
    """Such as «1 row» or «1,204 rows»."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def number(value: Any) -> str:
    """A number in four significant digits if it is no whole one, or any other value as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
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
