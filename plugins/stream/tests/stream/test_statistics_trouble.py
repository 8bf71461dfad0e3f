"""Statistics while nothing can be kept, and while the clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from manor import Event
from manor.testing import Client, House, SetClock
from manor_stream.events import ViewerCountChanged
from manor_stream.watching.statistics import SAMPLE_SECONDS, Statistics
from tests.stream_studio import Disk
from tests.stream_watching import go_live, shared_of

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def watch(house: House, count: int) -> None:
    for number in range(count):
        shared_of(house).viewers.touch(f"192.0.2.{number}", "a player")


async def test_on_a_full_disk_the_admin_is_told_once_and_the_peak_is_kept_when_there_is_room(
    house: House, heard: list[Event], autojump_clock: trio.abc.Clock
) -> None:
    shared = shared_of(house)
    # The house's own has looked, and looks again in five seconds.
    await trio.sleep(0.5)
    disk: Any = Disk(house.storage, is_full=True)
    statistics = Statistics(disk, shared.viewers, shared.on_air, shared.logbook)
    go_live(house)
    watch(house, 3)
    for _ in range(3):
        await statistics.look()
    assert [line.message for line in shared.logbook.newest_first(only_warnings=True)] == [
        "Viewer statistics cannot be kept for now: The disk is full"
    ]
    assert heard == []

    disk.is_full = False
    await statistics.look()
    assert [event.viewer_count for event in heard if isinstance(event, ViewerCountChanged)] == [3]
    async with Statistics(disk, shared.viewers, shared.on_air, shared.logbook).opened():
        assert shared.viewers.overall_peak == 3


async def test_a_clock_that_goes_back_costs_no_sample_and_no_answer(
    house: House, clock: SetClock, admin: Client, autojump_clock: trio.abc.Clock
) -> None:
    go_live(house)
    for number, at in enumerate([NOON, NOON - timedelta(hours=1), NOON - timedelta(hours=1)], 1):
        clock.set(at)
        for _ in range(int(SAMPLE_SECONDS / 5)):
            watch(house, number)
            await trio.sleep(5)

    samples = (await admin.get("/api/admin/viewersOverTime")).json()
    # Twice the same moment is one sample, the newer.
    assert [(sample["time"], sample["value"]) for sample in samples] == [
        ("2030-01-02T11:00:00Z", 3),
        ("2030-01-02T12:00:00Z", 1),
    ]
