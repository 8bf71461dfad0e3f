"""Numbers of playlists go on with the next daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from manor import Storage
from manor.errors import StorageFull
from manor.testing import House, SetClock, open_test_house
from manor_stream.hls.numbering import AHEAD, EVERY_SECONDS, LEAST, Numbering
from manor_stream.hls.window import Window
from tests.stream_hls import CLIP, LOW, Playlist, read, segment
from tests.stream_watching import shared_of

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
QUIET = {"plugins": {"stream": {"rtmp_bind": ""}}}


@asynccontextmanager
async def daemon(folder: Path, *, at: datetime = NOON) -> AsyncIterator[tuple[House, Window]]:
    async with open_test_house(folder, plugins=["stream"], config=QUIET, clock=SetClock(at)) as house:
        yield house, shared_of(house).window


def broadcast(window: Window, session: str, count: int = 3, *, breaks: bool = False) -> Playlist:
    """The playlist after so many segments more."""
    window.begin([LOW], seconds=1, length=5)
    for number in range(count):
        window.add(0, segment(number, session=session, breaks=breaks))
    return read(window.playlist(0))


@pytest.mark.parametrize("later", [timedelta(seconds=20), timedelta(days=-400), timedelta(days=400)])
async def test_a_player_finds_only_higher_numbers_after_a_restart(
    tmp_path: Path, later: timedelta, autojump_clock: trio.abc.Clock
) -> None:
    async with daemon(tmp_path) as (_, window):
        for session in "abc":
            before = broadcast(window, session, 200, breaks=session == "b")
            window.end([CLIP])
            await trio.sleep(EVERY_SECONDS + 1)
    async with daemon(tmp_path, at=NOON + later) as (_, window):
        after = broadcast(window, "d")

    assert after.number > before.entries[-1].number + 1
    # Also above that of the clip.
    assert after.discontinuity > before.entries[-1].discontinuity + 1


async def test_numbers_that_were_given_since_the_last_look_are_not_given_again(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (_, window):
        # A crash: nobody looks at the end.
        before = broadcast(window, "a", LEAST.segment)
        window.end([CLIP])
    async with daemon(tmp_path, at=NOON - timedelta(days=1)) as (_, window):
        after = broadcast(window, "b")

    assert after.number > before.entries[-1].number + 1
    assert after.discontinuity > before.entries[-1].discontinuity + 1


async def test_numbers_are_set_aside_many_at_a_time(house: House, autojump_clock: trio.abc.Clock) -> None:
    window = shared_of(house).window
    await trio.sleep(EVERY_SECONDS)
    before = house.storage.commits
    window.begin([LOW], seconds=1, length=5)
    for number in range(4 * (AHEAD.segment - LEAST.segment)):
        window.add(0, segment(number))
        await trio.sleep(1)

    assert 3 <= house.storage.commits - before <= 4


async def test_discontinuities_stay_few_over_many_restarts(tmp_path: Path) -> None:
    for _ in range(5):
        async with daemon(tmp_path) as (_, window):
            playlist = broadcast(window, "a")

    assert playlist.discontinuity <= 5 * AHEAD.discontinuity


class Full:
    """Storage on a disk that is full until there is room."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.has_room = False

    async def write(self, work: Any) -> Any:
        if not self.has_room:
            raise StorageFull("The disk is full")
        return await self._storage.write(work)


async def test_a_full_disk_is_waited_for(house: House) -> None:
    full: Any = Full(house.storage)
    window = Window(now=lambda: 0.0)
    numbering = Numbering(full, window)
    broadcast(window, "a")
    await numbering.look()
    full.has_room = True
    await numbering.look()

    another = Window(now=lambda: 0.0)
    async with Numbering(house.storage, another).opened():
        assert another.next_numbers.segment >= window.next_numbers.segment + LEAST.segment
