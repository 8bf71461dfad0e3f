"""What a `Retry-After` header asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from manor_topics.retry_after import retry_after

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        (" 7 ", 7),
        ("9" * 30, 86_400),
        ("Wed, 02 Jan 2030 12:02:00 GMT", 120),
        ("Wed, 02 Jan 2030 12:02:00 -0000", 120),
        ("Wed, 02 Jan 2030 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
        ("1 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("Wed, 99 Jan 2030 12:02:00 GMT", 0),
        ("-5", 0),
        ("1e9", 0),
        ("²", 0),
        ("soon", 0),
    ],
)
def test_a_header_asks_for_seconds_or_for_nothing(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOON) == seconds
