"""When a job's schedule is due: Quartz cron expressions, as Hopsworks has them, in UTC."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.jobs.errors import JOB_SCHEDULE_NOT_UPDATED

_FIELDS = ("second", "minute", "hour", "day", "month", "day_of_week", "year")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")  # Quartz counts them from 1
_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th")
_YEARS = "1970-2099"  # Quartz knows no others
_UTC = datetime.timezone.utc


def trigger(expression: str) -> Any:
    """The `apscheduler` trigger of a Quartz expression; raises HopsworksError with a sentence if it
    is none."""
    from apscheduler.triggers.cron import CronTrigger  # 0.2 s, and only schedules need it

    try:
        return CronTrigger(**_translated(expression), timezone=_UTC)
    except (ValueError, IndexError) as error:
        raise _refusal(expression, str(error)) from error


def check(expression: str) -> None:
    """Raises HopsworksError for what Quartz refuses, and `trigger` would understand."""
    fields = dict(zip(_FIELDS, expression.split(), strict=False))
    open_days = [fields.get(name) for name in ("day", "day_of_week")].count("?")
    if open_days != 1 or list(fields.values()).count("?") != 1:
        raise _refusal(expression, "either day of month or day of week, and nothing else, is ?")


def _refusal(expression: str, reason: str) -> HopsworksError:
    return HopsworksError(
        f"{expression[:80]!r} is no cron expression of Quartz (second, minute, hour, "
        f"day of month, month, day of week and, if you like, year): {reason}.",
        JOB_SCHEDULE_NOT_UPDATED,
    )


def next_time(expression: str, after: int) -> int | None:
    """The first time later than `after`, in ms since 1970; None if there is none any more."""
    moment = datetime.datetime.fromtimestamp(after / 1000, _UTC)
    try:
        found = trigger(expression).get_next_fire_time(moment, moment)
    except OverflowError:  # beyond the year 9999
        return None
    return None if found is None else int(found.timestamp() * 1000)


def latest_time(expression: str, after: int, until: int) -> int | None:
    """The last time later than `after` and not later than `until`, in ms since 1970; None if there
    is none. It is found by halving: there may be millions of others."""
    low, high = after, until
    found = next_time(expression, low)
    if found is None or found > until:
        return None
    while high - low > 1000:  # ms: times are whole seconds
        middle = (low + high) // 2
        following = next_time(expression, middle)
        if following is not None and following <= until:
            low, found = middle, following
        else:
            high = middle
    return found


def _translated(expression: str) -> dict[str, str]:
    parts = expression.split()
    if len(parts) not in (6, 7):
        raise ValueError(f"it has {len(parts)} fields")
    fields = dict(zip(_FIELDS, [part.replace("?", "*").upper() for part in parts], strict=False))
    if fields.get("year", "*") == "*":
        fields["year"] = _YEARS
    if "W" in fields["day"] or "L-" in fields["day"]:
        raise ValueError(f"the day of month {fields['day']} is not supported")
    if fields["day"] != "*" and fields["day_of_week"] != "*":
        raise ValueError("one of day of month and day of week must be ?")
    fields["day"] = fields["day"].replace("L", "last")
    if matched := re.fullmatch(r"([1-7]|[A-Z]{3})(?:#([1-5])|L)", fields["day_of_week"]):
        fields["day"] = (
            f"{_ORDINALS[int(matched[2]) - 1] if matched[2] else 'last'} "
            f"{_DAYS[_day(matched[1]) - 1]}"
        )
        fields["day_of_week"] = "*"
    elif fields["day_of_week"] != "*":
        days = [day for part in fields["day_of_week"].split(",") for day in _days(part)]
        fields["day_of_week"] = ",".join(dict.fromkeys(_DAYS[day - 1] for day in days))
    return fields


def _days(part: str) -> Iterator[int]:
    """The days, 1 to 7, of `MON`, `2-6`, `FRI-MON`, `*/2` or `2/2`."""
    matched = re.fullmatch(r"([*]|\w+)(?:-(\w+))?(?:/([1-9]\d*))?", part)
    if not matched:
        raise ValueError(f"{part!r} are no days of the week")
    first, last, step = matched.groups()
    start = 1 if first == "*" else _day(first)
    end = _day(last) if last else 7 if step or first == "*" else start
    for offset in range(0, (end - start) % 7 + 1, int(step or 1)):
        yield (start + offset - 1) % 7 + 1


def _day(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= 7:
        return int(text)
    if text.lower() not in _DAYS:
        raise ValueError(f"{text!r} is no day of the week (1 to 7 or {', '.join(_DAYS)})")
    return _DAYS.index(text.lower()) + 1
