"""Since when, in every form that a client may write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from manor_topics.domain import Misfit
from manor_topics.since import Since, SinceBeginning, SinceMessage, SinceNewest, SinceTime, read_since

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("all", SinceBeginning()),
        ("latest", SinceNewest()),
        (ID, SinceMessage(UUID(ID))),
        (ID.upper(), SinceMessage(UUID(ID))),
        ("10m", SinceTime(NOON - timedelta(minutes=10))),
        ("2h", SinceTime(NOON - timedelta(hours=2))),
        ("1d", SinceTime(NOON - timedelta(days=1))),
        ("1h30m", SinceTime(NOON - timedelta(hours=1.5))),
        ("999999999w", SinceBeginning()),
        ("0", SinceTime(datetime(1970, 1, 1, tzinfo=UTC))),
        ("1893585600", SinceTime(NOON)),
        ("1893585600.5", SinceTime(NOON + timedelta(seconds=0.5))),
        ("2030-01-02T12:00:00Z", SinceTime(NOON)),
        ("2030-01-02T13:00:00+01:00", SinceTime(NOON)),
        ("2030-01-02T13:00:00 01:00", SinceTime(NOON)),
        ("2030-01-02T12:00:00", SinceTime(NOON)),
        ("2030-01-02", SinceTime(datetime(2030, 1, 2, tzinfo=UTC))),
        ("2030-01-02T12:00:00.000001Z", SinceTime(NOON + timedelta(microseconds=1))),
        ("2030-01-02T12:00:00.0000019Z", SinceTime(NOON + timedelta(microseconds=1))),
        ("2030-01-02t12:00:00z", SinceTime(NOON)),
        ("2030-01-02 12:00", SinceTime(NOON)),
        ("2030-01-02 13:00 01:00", SinceTime(NOON)),
        ("2030-01-02T12:00:00,5Z", SinceTime(NOON + timedelta(seconds=0.5))),
        ("2030-01-02T06:30-0530", SinceTime(NOON)),
        ("2030-01-02T13+01", SinceTime(NOON)),
        ("20300102T120000Z", SinceTime(NOON)),
        ("9999-12-31T23:59:59-12:00", SinceTime(LATEST)),
        ("0001-01-01T00:00:00+12:00", SinceTime(EARLIEST)),
        ("999999999999", SinceTime(LATEST)),
        ("0001-01-01", SinceTime(EARLIEST)),
        ("9999-12-31T23:59:59.999999Z", SinceTime(LATEST)),
    ],
)
def test_since_is_understood_in_every_form(text: str, since: Since) -> None:
    assert read_since(text, now=NOON) == since


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yesterday",
        "10x",
        "-5m",
        "m",
        "2030-13-01",
        "2030-01-02T25:00",
        "2030-02-30",
        "0000-01-01",
        "2030-01-02T24:00:00Z",
        "2030-01-02T12:60Z",
        "2030-01-02T12:00:60Z",
        "2030-01-02x10:00",
        "2030-01-02€10:00",
        "2030-01-02T12:00:00." + "1" * 5000 + "Z",
        "2030-01-02T12:00+24:00",
        "2030-01-02T12:00Zulu",
        "2030-01-02+10:00",
        "2030-0102",
        "٢٠٣٠-01-02",
        "1893585600000",
        "1s" * 100,
        " 10m",
        "2030-01-02\n",
        "nan",
        "٣m",
        ID[:-1],
        ID.replace("-", ""),
        "ALL\0",
    ],
)
def test_a_bad_since_is_refused(text: str) -> None:
    with pytest.raises(Misfit, match="since"):
        read_since(text, now=NOON)
