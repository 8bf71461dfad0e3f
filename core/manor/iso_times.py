"""ISO 8601 moments as text, read by its rules and no looser: what queries and headers hold.

Python's own `fromisoformat` takes any character between date and time, mixes the two formats, and knows no day of the
year.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone


def _format(dash: str, colon: str) -> re.Pattern[str]:
    day = rf"(?P<month>[0-9]{{2}}){dash}(?P<day>[0-9]{{2}})|W(?P<week>[0-9]{{2}}){dash}(?P<weekday>[1-7])"
    date = rf"(?P<year>[0-9]{{4}}){dash}(?:{day}|(?P<ordinal>[0-9]{{3}}))"
    second = rf"{colon}(?P<second>[0-9]{{2}})(?:[.,](?P<fraction>[0-9]{{1,30}}))?"
    clock = rf"(?P<hour>[0-9]{{2}})(?:{colon}(?P<minute>[0-9]{{2}})(?:{second})?)?"
    offset = rf"[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{{2}})(?:{colon}(?P<minutes>[0-9]{{2}}))?"
    return re.compile(rf"{date}(?:[Tt ]{clock}(?:{offset})?)?")


_EXTENDED_AND_BASIC = (_format("-", ":"), _format("", ""))


def parse_time(text: str) -> datetime:
    """Read a moment; one without an offset is in UTC, one without a time is midnight.

    Args:
        text: A calendar (`2026-05-01`), week (`2026-W18-5`) or ordinal date (`2026-121`), alone or with a time after a
            `T` or a blank, all of it in the extended or all in the basic format (`20260501T120000Z`). The time goes
            down to hours, minutes, seconds or any fraction of them; the offset is `Z`, hours, or hours and minutes.

    Returns:
        An aware datetime with the offset that was written; digits beyond microseconds are dropped.

    Raises:
        ValueError: It is not that, or no such day, time or offset exists. Years are 1 to 9999.
    """
    found = next((match for form in _EXTENDED_AND_BASIC if (match := form.fullmatch(text))), None)
    if found is None:
        raise ValueError("not an ISO 8601 date or time")
    parts = {name: int(digits) for name, digits in found.groupdict().items() if digits and digits.isdigit()}
    microsecond = int((found["fraction"] or "")[:6].ljust(6, "0"))
    clock = time(parts.get("hour", 0), parts.get("minute", 0), parts.get("second", 0), microsecond)
    return datetime.combine(_date(parts), clock, _offset(found["sign"], parts))


def _date(parts: dict[str, int]) -> date:
    year = parts["year"]
    if "week" in parts:
        return date.fromisocalendar(year, parts["week"], parts["weekday"])
    if "month" in parts:
        return date(year, parts["month"], parts["day"])
    if not 1 <= parts["ordinal"] <= date(year, 12, 31).timetuple().tm_yday:
        raise ValueError("no such day in that year")
    return date(year, 1, 1) + timedelta(days=parts["ordinal"] - 1)


def _offset(sign: str | None, parts: dict[str, int]) -> timezone:
    hours, minutes = parts.get("hours", 0), parts.get("minutes", 0)
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if sign == "-" else size) if size else UTC
