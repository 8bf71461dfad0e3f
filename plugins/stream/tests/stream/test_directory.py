"""The directory: told of a live stream that wants to be listed, and of nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio.testing
from trio.testing import MockClock

from manor.testing import House, SetClock, open_test_house
from manor_stream.events import StreamStarted, StreamStopped
from tests.stream_admin import shared_of
from tests.webhook_receiver import Receiver, answer, open_receiver

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
STARTED = StreamStarted(ID, "Attic radio", "", "", "", NOON)
STOPPED = StreamStopped(ID, "Attic radio", "", "", "", "the publisher left", 0, NOON)

Rest = Callable[[float], Awaitable[None]]


def pong(**members: Any) -> bytes:
    return answer("200 OK", body=msgspec.json.encode({"key": "from the directory", "success": True, **members}))


@pytest.fixture
async def directory() -> AsyncIterator[Receiver]:
    async with open_receiver(*[pong()] * 20) as opened:
        opened.url = opened.url.removesuffix("/hook")
        yield opened


@pytest.fixture
async def house(mock_clock: MockClock, clock: SetClock, directory: Receiver, tmp_path: Path) -> AsyncIterator[House]:
    """One that has the directory in its configuration, and nothing about private addresses."""
    config = {"plugins": {"stream": {"rtmp_bind": "", "directory_url": directory.url + "/"}}}
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config, clock=clock) as opened:
        yield opened


@pytest.fixture
def rest(mock_clock: MockClock, clock: SetClock) -> Rest:
    """Have all that is going on come to rest, and let time pass."""

    async def resting(seconds: float) -> None:
        await trio.testing.wait_all_tasks_blocked(0.05)
        clock.set(clock.now() + timedelta(seconds=seconds))
        mock_clock.jump(seconds)
        await trio.testing.wait_all_tasks_blocked(0.05)

    return resting


async def tell(house: House, event: Any) -> None:
    await house.storage.write(lambda transaction: transaction.emit(event))


async def begin(house: House, **settings: Any) -> None:
    wanted = {"is_listed": True, "server_url": "https://stream.example.org", **settings}
    await shared_of(house).settings.change(**wanted)
    await tell(house, STARTED)


async def test_it_is_told_where_the_stream_is_and_its_key_is_kept(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest
) -> None:
    await begin(house)
    first = await directory.next()
    await rest(10)
    await rest(230)
    second = await directory.next()

    assert (first.data, second.data) == (
        {"key": "", "url": "https://stream.example.org"},
        {"key": "from the directory", "url": "https://stream.example.org"},
    )
    assert shared_of(house).settings.now.directory_key == "from the directory"
    assert shared_of(house).logbook.newest_first(only_warnings=True) == []


async def test_it_is_told_every_four_minutes_while_the_stream_is_live(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest
) -> None:
    await begin(house)
    await directory.next()
    await rest(10)
    await rest(229)
    assert directory.came == 1
    await rest(1)
    await directory.next()

    await tell(house, STOPPED)
    await rest(250)
    assert directory.came == 2


@pytest.mark.parametrize("settings", [{"is_listed": False}, {"server_url": ""}, {"is_listed": False, "server_url": ""}])
async def test_who_does_not_want_to_be_listed_is_not(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest, settings: dict[str, Any]
) -> None:
    await begin(house, **settings)
    await rest(250)

    assert directory.came == 0


async def test_nothing_is_told_while_nothing_is_live(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest
) -> None:
    await shared_of(house).settings.change(is_listed=True, server_url="https://stream.example.org")
    await rest(250)

    assert directory.came == 0


async def test_who_wants_to_be_listed_in_mid_stream_is_at_once(
    mock_clock: MockClock, house: House, directory: Receiver
) -> None:
    await begin(house, is_listed=False)
    await shared_of(house).settings.change(is_listed=True)

    assert (await directory.next()).data["url"] == "https://stream.example.org"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (pong(success=False, error="Not reachable", errorCode=5), "Not reachable (5)"),
        (answer("500 Oh", body=b"<html>"), "it answered 500, and nothing that can be read"),
        (answer("200 OK", body=b'{"key": 5}'), "it answered 200, and nothing that can be read"),
        (b"nonsense\r\n\r\n", "the answer is not HTTP"),
    ],
)
async def test_what_goes_wrong_is_in_the_logbook_and_the_key_stays(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest, said: bytes, reason: str
) -> None:
    directory.answers[:] = [said]
    await begin(house, directory_key="kept")
    await directory.next()
    await rest(1)

    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert line.message.startswith("The directory was not told of the stream: ")
    assert reason in line.message
    assert shared_of(house).settings.now.directory_key == "kept"


@pytest.mark.parametrize(("key", "kept"), [("k" * 1000, "k" * 1000), ("k" * 1001, "before"), ("", "before")])
async def test_a_key_of_a_directory_is_kept_up_to_a_length(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest, key: str, kept: str
) -> None:
    directory.answers[:] = [pong(key=key)]
    await begin(house, directory_key="before")
    await directory.next()
    await rest(1)

    assert shared_of(house).settings.now.directory_key == kept
    assert shared_of(house).logbook.newest_first(only_warnings=True) == []


async def test_where_a_directory_sends_it_on_nothing_is_told(
    mock_clock: MockClock, house: House, directory: Receiver, rest: Rest
) -> None:
    moved = answer("307 Temporary Redirect", f"Location: {directory.url}/elsewhere\r\n")
    directory.answers[:] = [moved, pong()]
    await begin(house, directory_key="kept")
    await directory.next()
    await rest(1)

    assert directory.came == 1
    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert "it answered 307" in line.message
    assert shared_of(house).settings.now.directory_key == "kept"


async def test_none_is_told_where_none_is_configured(
    mock_clock: MockClock, tmp_path: Path, clock: SetClock, rest: Rest
) -> None:
    async with open_test_house(
        tmp_path, plugins=["stream"], config={"plugins": {"stream": {"rtmp_bind": ""}}}, clock=clock
    ) as house:
        await begin(house)
        await rest(250)
        assert shared_of(house).logbook.newest_first() == []
