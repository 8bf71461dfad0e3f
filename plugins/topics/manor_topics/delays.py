"""When a message is to appear: durations, times, and the words for them that ntfy documents. Pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from manor_topics.domain import Misfit
from manor_topics.since import SinceTime, read_since

SHORTEST_DELAY = 10
LONGEST_DELAY = 30 * 86_400
"""Seconds."""

MOST_DELAY = 100
"""Characters of what is understood."""

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNIT = r"s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?"
_DURATION = re.compile(rf"(?:in\s+)?(?:[0-9]{{1,9}}\s*(?:{_UNIT})(?:\s*,?\s*|$))+")
_DURATION_PART = re.compile(rf"([0-9]+)\s*({_UNIT})")
_UNIX_SECONDS = re.compile(r"[0-9]{9,12}")
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = rf"(?:(?:on|next)\s+)?(?P<day>today|tomorrow|{'|'.join(_DAYS)})"
_HOUR = (
    r"(?:at\s+)?(?:(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2}))?\s*(?P<half>[ap]\.?m\.?)?|(?P<named>noon|midnight))"
)
_DAY_AND_HOUR = re.compile(rf"{_DAY}(?:\s*,?\s+{_HOUR})?")
_HOUR_AND_DAY = re.compile(rf"{_HOUR}(?:\s*,?\s+{_DAY})?")


def read_delay(text: str, *, now: datetime) -> int:
    """In how many seconds a message is to appear.

    Args:
        text: A duration (`30m`, `2 days`, `1h30m`), Unix seconds, a time as RFC 3339 has it, or words: a day (`today`,
            `tomorrow`, a day of the week), an hour (`10am`, `8:30pm`, `22:00`) or both. Hours are in UTC.
        now: In UTC.

    Raises:
        Misfit: It is none of these, or not between ten seconds and thirty days from now.
    """
    seconds = _seconds(" ".join(text.lower().split()), now) if len(text) <= MOST_DELAY else None
    if seconds is None:
        raise Misfit("delay", "is a duration such as 30m, Unix seconds, a time, or words such as 'tomorrow, 10am'")
    if not SHORTEST_DELAY <= seconds <= LONGEST_DELAY:
        raise Misfit("delay", f"is {SHORTEST_DELAY} seconds to {LONGEST_DELAY // 86_400} days from now")
    return seconds


def _seconds(text: str, now: datetime) -> int | None:
    if _DURATION.fullmatch(text):
        return sum(int(number) * _UNIT_SECONDS[unit[0]] for number, unit in _DURATION_PART.findall(text))
    time = _time(text, now)
    return None if time is None else math.ceil((time - now).total_seconds())


def _time(text: str, now: datetime) -> datetime | None:
    if _UNIX_SECONDS.fullmatch(text):
        seconds = int(text)
        return datetime.fromtimestamp(seconds, UTC) if seconds < 2**36 else datetime.max.replace(tzinfo=UTC)
    if _ISO_TIME.fullmatch(text):
        try:
            since = read_since(text.upper(), now=now, field="delay")
        except Misfit:
            return None
        return since.time if isinstance(since, SinceTime) else None
    found = _DAY_AND_HOUR.fullmatch(text) or _HOUR_AND_DAY.fullmatch(text)
    return None if found is None else _in_words(found, now)


def _in_words(found: re.Match[str], now: datetime) -> datetime | None:
    hour = _hour(found)
    if hour is None and (found["hour"] or found["day"] is None):
        return None
    # A day without an hour is that day at this hour.
    time = now if hour is None else now.replace(hour=hour[0], minute=hour[1], second=0, microsecond=0)
    match found["day"]:
        case None:
            return time if time > now else time + timedelta(days=1)
        case "today":
            return time
        case "tomorrow":
            return time + timedelta(days=1)
        case day:
            days = (_DAYS.index(day) - now.weekday()) % 7
            return time + timedelta(days=days if days or time > now else 7)


def _hour(found: re.Match[str]) -> tuple[int, int] | None:
    """Hour and minute of the day; None for none, and for what is none."""
    if found["named"]:
        return (12, 0) if found["named"] == "noon" else (0, 0)
    if found["hour"] is None or (found["half"] is None and found["minute"] is None):
        return None
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if found["half"] is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"].startswith("p") else 0)
    return (hour, minute) if hour < 24 and minute < 60 else None
