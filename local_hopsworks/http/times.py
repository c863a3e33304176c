"""Times as Hopsworks writes them in its documents."""

from __future__ import annotations

import datetime
import time

_A_MINUTE = 60_000  # ms


def now() -> str:
    """The present time, such as 2026-01-31T12:00:00.000Z."""
    return iso(int(time.time() * 1000))


def iso(milliseconds: int) -> str:
    """A time in ms since 1970, such as 2026-01-31T12:00:00.000Z."""
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def meant(milliseconds: int) -> int:
    """A time that a client asks for, in ms since 1970. Where the SDK asks for «now» it sends the
    time of the local clock as if that were UTC: west of Greenwich, hours ago."""
    now_ = datetime.datetime.now().astimezone()
    behind = now_.utcoffset() or datetime.timedelta()
    sent_for_now = (now_ + behind).timestamp() * 1000
    if behind < datetime.timedelta() and abs(milliseconds - sent_for_now) < _A_MINUTE:
        return int(now_.timestamp() * 1000)
    return milliseconds
