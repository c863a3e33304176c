"""Times as Hopsworks writes them in its documents."""

from __future__ import annotations

import datetime
import time


def now() -> str:
    """The present time, such as 2026-01-31T12:00:00.000Z."""
    return iso(int(time.time() * 1000))


def iso(milliseconds: int) -> str:
    """A time in ms since 1970, such as 2026-01-31T12:00:00.000Z."""
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
