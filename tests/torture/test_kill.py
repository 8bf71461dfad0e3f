"""The daemon is killed again and again while it publishes: nobody who was promised something notices."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from manor.selftest import Acknowledged, Stored, faults, survive_kills
from manor.selftest.ledger import stream_faults

pytestmark = pytest.mark.torture


async def test_fifteen_kills_lose_nothing(tmp_path: Path) -> None:
    report = await survive_kills(tmp_path, kills=15, random=Random(1))

    assert report.faults == []
    assert report.kills == 15
    assert report.stored >= report.acknowledged > 15, "something was promised before each kill"
    assert report.heard == report.stored


A, B, C = (Stored(name, n, text) for name, n, text in (("a", 1, "0-1"), ("b", 2, "1-1"), ("c", 3, "0-2")))
PROMISED = [Acknowledged(each.id, each.message, 0) for each in (A, B, C)]


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        ([A, B, C], None),
        ([A, B], "acknowledged and lost: 0-2"),
        ([A, B, Stored("x", 3, "0-2")], "acknowledged and lost: 0-2"),
        ([A, B, C, Stored("d", 3, "1-2")], "stored twice: 1-2 (3)"),
        ([A, B, C, Stored("d", 4, "0-2")], "stored twice: 0-2 ('0-2')"),
        ([A, B, C, Stored("d", 6, "1-2")], "gap in the sequence: 4..5"),
        ([A, B, C, Stored("d", 4, "1-3"), Stored("e", 5, "1-2")], "out of order: 1-2"),
    ],
)
def test_each_broken_promise_is_named(stored: list[Stored], fault: str | None) -> None:
    assert faults(PROMISED, stored) == ([] if fault is None else [fault])


@pytest.mark.parametrize(
    ("heard", "fault"),
    [
        ([A, B, C], None),
        ([A, C], "never heard: 1-1"),
        ([A, B, B, C], "heard twice or late: 1-1"),
        ([A, B, C, Stored("x", 4, "1-2")], "heard and not stored: 1-2"),
    ],
)
def test_each_fault_of_a_stream_is_named(heard: list[Stored], fault: str | None) -> None:
    assert stream_faults(heard, [A, B, C]) == ([] if fault is None else [fault])
