"""Media on its way to the encoder."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from manor_stream.broadcast.feed import FULL_SECONDS, MOST_BYTES, Feed, FeedClosed
from manor_stream.media import LEAST_WEIGHT, Kind, Media


def media(size: int = 1000, at: int = 0) -> Media:
    return Media(Kind.VIDEO, at, bytes(size))


def ignore() -> None:
    """Nobody is told."""


async def test_media_comes_out_in_the_order_that_it_went_in() -> None:
    feed = Feed(ignore)
    for at in range(3):
        await feed.put(media(at=at))
    feed.close()

    assert [each.timestamp for each in [await feed.get(), await feed.get(), await feed.get()] if each] == [0, 1, 2]
    assert await feed.get() is None
    assert feed.bytes == 0


async def test_who_fills_it_waits_for_room(nursery: trio.Nursery) -> None:
    feed = Feed(ignore, most_bytes=1500)
    await feed.put(media())
    await feed.put(media())
    nursery.start_soon(feed.put, media(at=3))
    await wait_all_tasks_blocked()
    assert feed.bytes == 2000

    await feed.get()
    await wait_all_tasks_blocked()
    assert feed.bytes == 2000


async def test_frames_of_one_byte_fill_it_too(nursery: trio.Nursery) -> None:
    feed = Feed(ignore)
    most = MOST_BYTES // LEAST_WEIGHT
    put = 0

    async def publish() -> None:
        nonlocal put
        while True:
            await feed.put(media(1))
            put += 1

    nursery.start_soon(publish)
    await wait_all_tasks_blocked()
    assert put == most
    await feed.get()
    await wait_all_tasks_blocked()
    assert put == most + 1
    nursery.cancel_scope.cancel()


async def test_who_fills_it_lets_others_have_their_turn(nursery: trio.Nursery) -> None:
    feed = Feed(ignore)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    nursery.start_soon(other)
    for _ in range(10):
        await feed.put(media(1))

    assert turns >= 5
    nursery.cancel_scope.cancel()


async def test_one_that_stays_full_is_told_once(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    told: list[float] = []
    feed = Feed(lambda: told.append(trio.current_time()), most_bytes=1)
    began = trio.current_time()
    await feed.put(media())
    nursery.start_soon(feed.put, media())
    await trio.sleep(10)

    assert [time - began for time in told] == [FULL_SECONDS]
    nursery.cancel_scope.cancel()


async def test_one_that_was_full_for_a_moment_is_not(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    told: list[float] = []
    feed = Feed(lambda: told.append(trio.current_time()), most_bytes=1)
    await feed.put(media())
    nursery.start_soon(feed.put, media())
    await trio.sleep(FULL_SECONDS - 0.1)
    await feed.get()
    await trio.sleep(10)

    assert told == []


@pytest.mark.parametrize("is_emptied", [False, True])
async def test_who_waits_for_room_is_told_that_it_is_closed(is_emptied: bool, nursery: trio.Nursery) -> None:
    feed = Feed(ignore, most_bytes=1)
    await feed.put(media())
    refused = trio.Event()

    async def put() -> None:
        with pytest.raises(FeedClosed):
            await feed.put(media())
        refused.set()

    nursery.start_soon(put)
    await wait_all_tasks_blocked()
    feed.close(is_emptied=is_emptied)
    await refused.wait()

    assert (await feed.get() is None) is is_emptied


async def test_who_waits_for_media_is_told_that_it_is_closed(nursery: trio.Nursery) -> None:
    feed = Feed(ignore)
    got: list[Media | None] = []

    async def get() -> None:
        got.append(await feed.get())

    nursery.start_soon(get)
    await wait_all_tasks_blocked()
    feed.close()
    await wait_all_tasks_blocked()

    assert got == [None]
