"""When somebody whom the server asks wants to be asked again. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""Seconds that are waited at most, whatever is asked for."""


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3); 0 for none, and for what means nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, seconds), LONGEST)
