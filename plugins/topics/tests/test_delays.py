"""Delays: what ntfy documents, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from manor_topics.delays import LONGEST_DELAY, SHORTEST_DELAY, read_delay
from manor_topics.domain import Misfit

NOW = datetime(2030, 1, 2, 12, 0, 0, 500_000, tzinfo=UTC)  # a Wednesday
HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("30m", 30 * 60),
        ("30 min", 30 * 60),
        ("3h", 3 * HOUR),
        ("2 days", 2 * DAY),
        ("1h30m", HOUR + 1800),
        ("1 hour, 30 minutes", HOUR + 1800),
        ("in 5 minutes", 300),
        ("30D", LONGEST_DELAY),
        ("1893589200", HOUR),
        ("2030-01-02T13:00:00Z", HOUR),
        ("2030-01-02T15:00:00+02:00", HOUR),
        ("2030-01-02 13:00", HOUR),
        ("3pm", 3 * HOUR),
        ("10am", 22 * HOUR),
        ("8:30pm", 8 * HOUR + 1800),
        ("22:00", 10 * HOUR),
        ("midnight", 12 * HOUR),
        ("12am", 12 * HOUR),
        ("12:30 p.m.", 1800),
        ("tomorrow", DAY),
        ("tomorrow, 10am", 22 * HOUR),
        ("Tomorrow at 3pm", DAY + 3 * HOUR),
        ("10am tomorrow", 22 * HOUR),
        ("today, 15:00", 3 * HOUR),
        ("Thursday", DAY),
        ("tuesday, 7am", 5 * DAY + 19 * HOUR),
        ("next Wednesday 1pm", HOUR),
        ("Wednesday, 11am", 7 * DAY - HOUR),
    ],
)
def test_what_ntfy_documents_is_understood(text: str, seconds: int) -> None:
    assert read_delay(text, now=NOW) in (seconds, seconds + 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "9",
        "5",
        "-5m",
        "5 parsecs",
        "10",
        "13pm",
        "0am",
        "24:00",
        "9:99",
        "tomorrow at 10",
        "at",
        "2030-13-01",
        "2030-01-02T99:00Z",
        "1" * 500,
        "٣h",
        "5m\x00",
        "tomorrow tomorrow",
        "10am 11am",
    ],
)
def test_what_says_no_time_is_refused(text: str) -> None:
    with pytest.raises(Misfit, match="delay is a duration"):
        read_delay(text, now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "9s",
        "0s",
        "31d",
        "30d 1s",
        "999999999d",
        "1893585599",
        "999999999999",
        "today, 9am",
        "2030-03-01",
        "1999-01-01",
        "9999-12-31",
    ],
)
def test_what_is_too_soon_or_too_far_is_refused(text: str) -> None:
    with pytest.raises(Misfit, match=f"is {SHORTEST_DELAY} seconds to 30 days"):
        read_delay(text, now=NOW)
